//! Inbound and outbound are two furnishings of the same rooms; here is all that differs.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use certs::name::SpiffeId;

use crate::{
    detect::Expected,
    events::{Direction, Edge, Labels, Party},
    refusal::Refusal,
    route::Caller,
    snapshot::{Admits, Answer, Destination, Endpoint, Protocol, Snapshot},
    world::World,
};

/// One of the two ways through the proxy.
#[derive(Clone, Copy, Debug)]
pub struct Side {
    /// Which way.
    pub direction: Direction,
}

/// Peers dial us; the local app is the only endpoint.
pub const INBOUND: Side = Side { direction: Direction::Inbound };

/// The local app's calls are captured; every healthy workload behind the service is an endpoint.
pub const OUTBOUND: Side = Side { direction: Direction::Outbound };

impl Side {
    /// What the dialled address is.
    ///
    /// # Errors
    /// Outbound, when control does not say in time.
    pub async fn destination(self, address: SocketAddr, world: &World) -> Result<Arc<Destination>, Refusal> {
        match self.direction {
            Direction::Inbound if world.redirected.is_question(address.port()) => {
                let admin = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), world.settings.ports.admin);
                Ok(Arc::new(Destination::local(admin, Protocol::Opaque, Admits::Everybody)))
            }
            Direction::Inbound => Ok(Arc::new(local(address, &world.snapshots.current()))),
            Direction::Outbound => match world.snapshots.find(address, world.settings.discovery_timeout).await? {
                Answer::Known(destination) => Ok(destination),
                Answer::Unknown => Ok(Arc::new(Destination::pass_through(address))),
            },
        }
    }

    /// The same destination as `snapshot` describes it now.
    pub fn described(self, destination: &Arc<Destination>, snapshot: &Snapshot) -> Arc<Destination> {
        match (self.direction, snapshot.addresses.get(&destination.address)) {
            (Direction::Outbound, Some(Answer::Known(now))) => now.clone(),
            // Our own pages: who may see them is not for a policy to say.
            (Direction::Inbound, _) if destination.address.ip().is_loopback() => destination.clone(),
            (Direction::Inbound, _) => {
                let now = local(destination.address, snapshot);
                if now.admits_as(destination) { destination.clone() } else { Arc::new(now) }
            }
            // What is not described any more is carried on as it was begun: its endpoints answer for themselves.
            _ => destination.clone(),
        }
    }

    /// What may be found on a connection to `destination`.
    pub fn expects(self, destination: &Destination) -> Expected {
        Expected { protocol: destination.protocol, mesh: self.direction == Direction::Inbound }
    }

    /// Whose counters the work of `caller` on `endpoint` belongs to. `workload` is what the caller's proxy said of it,
    /// `server_name` what the app's own TLS calls the server: that is its name where no service has one.
    pub fn edge(
        self,
        caller: &Caller,
        workload: &str,
        server_name: Option<&str>,
        destination: &Destination,
        endpoint: &Endpoint,
        world: &World,
    ) -> Edge {
        let labels = match self.direction {
            Direction::Inbound => Labels {
                direction: self.direction,
                client: caller.identity.as_ref().map_or_else(Party::default, |identity| party(identity, workload)),
                server: us(world),
                service: "".into(),
                mutual_tls: caller.identity.is_some(),
            },
            Direction::Outbound => Labels {
                direction: self.direction,
                client: us(world),
                server: them(endpoint),
                service: match &destination.service {
                    Some(service) => service.name.clone(),
                    None => server_name.unwrap_or_default().into(),
                },
                mutual_tls: world.goes_by_mesh(endpoint),
            },
        };
        world.recorder.edge(labels)
    }
}

fn local(address: SocketAddr, snapshot: &Snapshot) -> Destination {
    let Some(inbound) = &snapshot.inbound else {
        return Destination::local(address, Protocol::Undeclared, Admits::Untold);
    };
    Destination::at_port(address, inbound.at(address.port()))
}

fn us(world: &World) -> Party {
    let identity = world.identity.current().map_or_else(String::new, |identity| identity.id().to_string());
    Party { identity: identity.into(), ..world.me.clone() }
}

fn them(endpoint: &Endpoint) -> Party {
    Party {
        workload: endpoint.workload.clone(),
        namespace: endpoint.namespace.clone(),
        identity: endpoint.identity.as_ref().map_or_else(|| "".into(), |identity| identity.to_string().into()),
    }
}

fn party(identity: &SpiffeId, workload: &str) -> Party {
    Party { workload: workload.into(), namespace: identity.namespace().into(), identity: identity.to_string().into() }
}
