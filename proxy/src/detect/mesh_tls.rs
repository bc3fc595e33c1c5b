//! Telling mesh TLS from the app's own, and ending it.

use std::io;

use certs::{
    name::SpiffeId,
    tls::MESH_ALPN,
    verify::{self, VerifyError},
};
use rustls::server::{Accepted, Acceptor};

use super::Peeked;
use crate::{
    clock,
    events::{Direction, Event},
    refusal::{Reason, Refusal},
    tls::{self, MeshTls},
    world::World,
};

/// A ClientHello being read; it may come in many pieces.
#[derive(Default)]
pub(super) struct Hello {
    acceptor: Acceptor,
    read: usize,
}

/// What a ClientHello amounts to so far.
pub(super) enum Reading {
    NeedMore,
    /// It offers the mesh's ALPN.
    Mesh,
    /// The app's own TLS, with the name of the server it is for if it says one; or something that only began like TLS.
    Other(Option<Box<str>>),
}

impl Hello {
    /// Reads what is new in `seen`, which begins with the connection's first byte.
    pub(super) fn read(&mut self, seen: &[u8]) -> Reading {
        while self.read < seen.len() {
            match self.acceptor.read_tls(&mut &seen[self.read..]) {
                Ok(0) | Err(_) => return Reading::Other(None),
                Ok(length) => self.read += length,
            }
            match self.acceptor.accept() {
                Ok(None) => {}
                Ok(Some(accepted)) if offers_mesh(&accepted) => return Reading::Mesh,
                Ok(Some(accepted)) => return Reading::Other(accepted.client_hello().server_name().map(Box::from)),
                Err(_) => return Reading::Other(None),
            }
        }
        Reading::NeedMore
    }
}

fn offers_mesh(accepted: &Accepted) -> bool {
    accepted.client_hello().alpn().is_some_and(|mut offered| offered.any(|protocol| protocol == MESH_ALPN))
}

/// Ends mesh TLS: from here on the peer has proved who it is.
pub(super) async fn finish(client: Peeked, world: &World) -> Result<(MeshTls, SpiffeId), Refusal> {
    let Some(identity) = world.identity.current() else {
        return Err(Refusal::new(Reason::NoIdentity, "a peer asked for mesh TLS, and this proxy holds no certificate yet"));
    };
    let (seen, stream) = client.into_parts();
    let handshake = tls::accept(stream, identity.mesh_server(), &seen);
    let patience = world.settings.handshake_timeout;
    match tokio::time::timeout(patience, handshake).await {
        Ok(Ok(mut stream)) => {
            let peer = identity.mesh_peer(&stream.take_shown(), clock::wall());
            // The handshake has checked that already.
            let peer = peer.map_err(|why| disbelieved(&why))?;
            world.recorder.on(Event::Handshake { direction: Direction::Inbound });
            Ok((stream, peer))
        }
        Ok(Err(error)) => Err(refuse(&error)),
        Err(_) => {
            let seconds = patience.as_secs_f32();
            Err(Refusal::new(Reason::ClientSlow, format!("the peer did not finish its mesh handshake within {seconds} s")))
        }
    }
}

fn refuse(error: &io::Error) -> Refusal {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match tls {
        Some(tls) => match verify::explain(tls) {
            Some(why) => disbelieved(&why),
            None if matches!(tls, rustls::Error::NoCertificatesPresented) => {
                Refusal::new(Reason::ClientCertificate, "the peer began mesh TLS and showed no certificate")
            }
            None => Refusal::new(Reason::MalformedTls, format!("the peer's mesh handshake failed: {tls}")),
        },
        None => Refusal::new(Reason::MalformedTls, format!("the peer left in its mesh handshake: {error}")),
    }
}

fn disbelieved(why: &VerifyError) -> Refusal {
    Refusal::new(Reason::ClientCertificate, format!("the peer's certificate is refused: {why}"))
}
