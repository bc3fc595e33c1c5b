//! Taking TLS connections for gRPC. Each handshake runs in a task of its own, so that a silent client keeps nobody waiting.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use arc_swap::ArcSwap;
use certs::{name::SpiffeId, verify};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::Connected;

use crate::metrics::Metrics;

/// A client that has not finished its handshake by then is let go.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);

/// Connections waiting to be served.
const WAITING_MAX: usize = 128;

/// Who is at the other end.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    /// Where the connection comes from.
    pub(crate) address: SocketAddr,
    /// What its certificate proves, if it showed one.
    pub(crate) identity: Option<SpiffeId>,
}

/// A connection that has proved what it could.
#[derive(Debug)]
pub(crate) struct Line {
    stream: TlsStream<TcpStream>,
    peer: Peer,
}

/// Where connections come in.
pub(crate) struct Door {
    pub(crate) listener: TcpListener,
    /// Replaced when our own certificate is renewed.
    pub(crate) config: Arc<ArcSwap<ServerConfig>>,
    pub(crate) metrics: Metrics,
}

impl Door {
    /// The connections, as they become ready.
    pub(crate) fn lines(self) -> ReceiverStream<io::Result<Line>> {
        let (ready, lines) = mpsc::channel(WAITING_MAX);
        tokio::spawn(self.open(ready));
        ReceiverStream::new(lines)
    }

    async fn open(self, ready: mpsc::Sender<io::Result<Line>>) {
        loop {
            let (stream, address) = match self.listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "cannot take a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let (config, metrics, ready) = (self.config.load_full(), self.metrics.clone(), ready.clone());
            tokio::spawn(async move {
                match shake_hands(stream, address, config).await {
                    Ok(line) => drop(ready.send(Ok(line)).await),
                    Err(why) => {
                        metrics.handshake_failed();
                        tracing::info!(%address, "no connection: {why}");
                    }
                }
            });
        }
    }
}

async fn shake_hands(stream: TcpStream, address: SocketAddr, config: Arc<ServerConfig>) -> Result<Line, String> {
    stream.set_nodelay(true).map_err(|error| error.to_string())?;
    let accepting = TlsAcceptor::from(config).accept(stream);
    let stream = tokio::time::timeout(HANDSHAKE_MAX, accepting)
        .await
        .map_err(|_| String::from("the client did not finish its TLS handshake within 10 s"))?
        .map_err(explained)?;
    let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    let identity = certificate.map(verify::peer_id).transpose().map_err(|why| format!("the client's certificate: {why}"))?;
    Ok(Line { stream, peer: Peer { address, identity } })
}

fn explained(error: io::Error) -> String {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match tls.and_then(verify::explain) {
        Some(why) => format!("the client's certificate is refused: {why}"),
        None => format!("the client's TLS handshake failed: {error}"),
    }
}

impl Connected for Line {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl AsyncRead for Line {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Line {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
