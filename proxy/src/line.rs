//! A connection to control over our own TLS, and a gRPC channel over it.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use anyhow::anyhow;
use certs::verify;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tonic::transport::{Channel, Endpoint, Uri};
use tower::service_fn;

use crate::config::HostPort;

/// A control that has not accepted a connection by then is taken to be down.
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// A peer that vanished without a word is noticed after this time. The kernel keeps the timer, so an idle proxy sleeps.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// Connects to control at `address`, with sockets that carry `mark`.
///
/// # Errors
/// Who could not be reached, or was not who it should be.
pub async fn open(address: &HostPort, tls: Arc<ClientConfig>, mark: Option<u32>) -> anyhow::Result<Channel> {
    let target = address.clone();
    let connector = service_fn(move |_: Uri| {
        let (target, tls) = (target.clone(), tls.clone());
        async move { connect(&target, tls, mark).await.map(TokioIo::new) }
    });
    let channel =
        Endpoint::from_static("http://control.weft").connect_timeout(CONNECT_MAX).connect_with_connector(connector).await;
    channel.map_err(|error| anyhow!("cannot reach control at {address}: {}", innermost(&error)))
}

/// A connection to control at `target`, with a socket that carries `mark`.
///
/// # Errors
/// It cannot be reached, or is not who it should be.
pub async fn connect(target: &HostPort, tls: Arc<ClientConfig>, mark: Option<u32>) -> io::Result<TlsStream<TcpStream>> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, format!("the name {} has no address", target.host));
    for address in tokio::net::lookup_host((target.host.as_str(), target.port)).await? {
        match dial(address, mark).await {
            Ok(stream) => {
                // Control is told by its SPIFFE ID; an address as server name keeps SNI off the wire.
                let connecting = TlsConnector::from(tls).connect(ServerName::from(address.ip()), stream).await;
                return connecting.map_err(explained);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn dial(address: SocketAddr, mark: Option<u32>) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    let options = SockRef::from(&socket);
    if let Some(mark) = mark {
        options.set_mark(mark)?;
    }
    options.set_tcp_keepalive(&TcpKeepalive::new().with_time(SILENCE_MAX))?;
    options.set_tcp_user_timeout(Some(SILENCE_MAX))?;
    socket.set_nodelay(true)?;
    socket.connect(address).await
}

/// Says why a handshake failed in the words of our own checks, when it was one of them.
fn explained(error: io::Error) -> io::Error {
    let why = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()).and_then(verify::explain);
    why.map(|why| io::Error::new(error.kind(), format!("its certificate is refused: {why}"))).unwrap_or(error)
}

/// The first cause: what tonic wraps around it says only "transport error".
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
