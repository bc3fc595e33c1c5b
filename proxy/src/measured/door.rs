//! Who may come in, for whoever holds it against another opinion (`cli/tests`).

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use certs::name::SpiffeId;
use http::Request;

use crate::{
    clock,
    dice::Dice,
    feed,
    route::{self, Asked, Caller},
    snapshot::{Destination, Inbound},
};

/// A sidecar's inbound side.
#[derive(Debug)]
pub struct Door {
    inbound: Arc<Inbound>,
    dice: Dice,
}

impl Door {
    /// One that was told what its own ports are. `told` answers for a type of xDS and a name.
    ///
    /// # Errors
    /// What control tells cannot be read.
    pub fn told(told: impl Fn(&str, &str) -> Option<Vec<u8>>) -> Result<Self, String> {
        Ok(Self { inbound: feed::own_ports(told)?, dice: Dice::new(1) })
    }

    /// Whether whoever proved `identity` may come from `address` to `port` with `request`; with a connection where there is none.
    pub fn lets(&self, identity: Option<SpiffeId>, address: SocketAddr, port: u16, request: Option<&Request<()>>) -> bool {
        let caller = Caller { address, identity };
        let destination = Destination::at_port(SocketAddr::from((Ipv4Addr::LOCALHOST, port)), self.inbound.at(port));
        match request {
            Some(request) => {
                let asked = Asked::of(request);
                route::request(&destination, asked, &caller, &self.dice, clock::now(), clock::wall).is_ok()
            }
            None => route::connection(&destination, None, &caller, &self.dice).is_ok(),
        }
    }
}
