//! The mesh hop: TLS 1.3 with both sides' SPIFFE identities, HTTP/2 inside, one connection for everything.

use std::{future::poll_fn, io, net::SocketAddr, rc::Rc, sync::Arc};

use bytes::Bytes;
use certs::{
    tls::MESH_ALPN,
    verify::{self, VerifyError},
};
use http::{Method, Request, StatusCode, Uri, uri::Authority};
use rustls_pki_types::ServerName;

use super::{Pipe, multiplex, tcp};
use crate::{
    events::{Direction, Event},
    hop,
    http2::Client,
    refusal::{Reason, Refusal},
    snapshot::Endpoint,
    tls,
    world::World,
};

/// Opens a mesh connection to `endpoint`, which must prove the identity discovery promised.
pub(super) async fn connect(endpoint: Arc<Endpoint>, world: Rc<World>) -> Result<multiplex::Opened, Refusal> {
    let address = endpoint.address;
    let (Some(identity), Some(expected)) = (world.identity.current(), &endpoint.identity) else {
        let detail = format!("{address} is to be reached over mesh TLS, and this proxy holds no certificate yet");
        return Err(Refusal::new(Reason::NoIdentity, detail));
    };
    let patience = world.settings.connect_timeout;
    let opening = async {
        let (stream, dial) = tcp::dial(address, &world).await?;
        // Peers are told by their SPIFFE ID; an address as server name keeps SNI off the wire.
        let stream = tls::connect(stream, identity.mesh_client(expected), ServerName::from(address.ip())).await;
        let stream = stream.map_err(|error| refuse(address, &error))?;
        if stream.agreed() != Some(MESH_ALPN) {
            let detail = format!("{address} proved its identity, and does not agree to speak the mesh's protocol");
            return Err(Refusal::new(Reason::ServerCertificate, detail));
        }
        world.recorder.on(Event::Handshake { direction: Direction::Outbound });
        Ok(multiplex::open(address, stream, dial, &world.settings.limits))
    };
    tokio::time::timeout(patience, opening).await.unwrap_or_else(|_| {
        let seconds = patience.as_secs_f32();
        Err(Refusal::new(Reason::ConnectTimeout, format!("{address} did not finish its mesh handshake within {seconds} s")))
    })
}

/// Opens a tunnel for opaque bytes (an HTTP/2 CONNECT stream, RFC 9113 section 8.5).
pub(super) async fn tunnel(client: &Client, endpoint: SocketAddr, world: &World) -> Result<Pipe, Refusal> {
    let refused = |what: String| Refusal::new(Reason::TunnelRefused, format!("{endpoint} would not open a tunnel: {what}"));
    let mut request = Request::new(());
    *request.method_mut() = Method::CONNECT;
    *request.uri_mut() = authority(endpoint).map_err(|error| refused(error.to_string()))?;
    hop::introduce_tunnel(request.headers_mut(), &world.me.workload);
    let (receive, send) = client.request(&request, false).map_err(|error| refused(error.to_string()))?;
    let response = poll_fn(|cx| receive.poll_answer(cx)).await.map_err(|error| refused(error.to_string()))?;
    if response.status() != StatusCode::OK {
        let reason = hop::reason(response.headers()).unwrap_or("no reason given");
        return Err(refused(format!("status {}, {reason}", response.status().as_u16())));
    }
    Ok(Pipe::tunnel(receive, send))
}

fn authority(endpoint: SocketAddr) -> Result<Uri, http::Error> {
    let authority = Authority::from_maybe_shared(Bytes::from(endpoint.to_string()))?;
    Ok(Uri::from(authority))
}

fn refuse(endpoint: SocketAddr, error: &io::Error) -> Refusal {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match tls.and_then(verify::explain) {
        Some(why @ VerifyError::WrongIdentity { .. }) => {
            Refusal::new(Reason::ServerIdentity, format!("{endpoint} is not who discovery said: {why}"))
        }
        Some(why) => Refusal::new(Reason::ServerCertificate, format!("the certificate of {endpoint} is refused: {why}")),
        None => Refusal::new(Reason::ServerCertificate, format!("the mesh handshake with {endpoint} failed: {error}")),
    }
}
