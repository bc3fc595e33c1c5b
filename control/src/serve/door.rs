//! Taking TLS connections for gRPC. Each handshake runs in a task of its own, so that a silent client keeps nobody waiting.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::{Duration, SystemTime},
};

use arc_swap::ArcSwap;
use certs::{
    name::SpiffeId,
    verify::{self, VerifyError},
};
use rustls::ServerConfig;
use rustls_pki_types::CertificateDer;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::Connected;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::metrics::Metrics;

/// A client that has not finished its handshake by then is let go.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);

/// Handshakes that one address may have under way. A pod needs two.
const UNDER_WAY_MAX: usize = 64;

/// Connections waiting to be served.
const WAITING_MAX: usize = 128;

/// How long to leave the kernel alone when it has no file descriptor for us.
const BREATH: Duration = Duration::from_millis(100);

/// Who is at the other end.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    /// Where the connection comes from.
    pub(crate) address: SocketAddr,
    /// What its certificate proves, if it showed one.
    pub(crate) proved: Option<Proved>,
}

/// What a certificate proves, and for how long.
#[derive(Clone, Debug)]
pub(crate) struct Proved {
    pub(crate) identity: SpiffeId,
    /// The pod that the certificate was issued to, if it says so.
    pub(crate) pod_uid: Option<String>,
    pub(crate) until: SystemTime,
}

/// A connection that has proved what it could.
#[derive(Debug)]
pub(crate) struct Line {
    stream: TlsStream<TcpStream>,
    peer: Peer,
}

/// Where connections come in.
pub(crate) struct Door {
    /// The word in metrics and logs.
    pub(crate) name: &'static str,
    pub(crate) listener: TcpListener,
    /// Replaced when our own certificate is renewed.
    pub(crate) config: Arc<ArcSwap<ServerConfig>>,
    pub(crate) metrics: Metrics,
}

/// Why a handshake failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The client did not finish in time.
    Timeout,
    /// The client's address has too many handshakes under way.
    Crowd,
    /// The client went away.
    Closed,
    /// The client's certificate is missing or not believed.
    Certificate,
    /// The client does not believe our certificate.
    Disbelieved,
    /// The client does not speak TLS 1.3 as we do, or no TLS.
    Malformed,
}

impl Failure {
    pub(crate) const ALL: [Self; 6] =
        [Self::Timeout, Self::Crowd, Self::Closed, Self::Certificate, Self::Disbelieved, Self::Malformed];

    /// The word in metrics.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Crowd => "crowd",
            Self::Closed => "closed",
            Self::Certificate => "certificate",
            Self::Disbelieved => "disbelieved",
            Self::Malformed => "malformed",
        }
    }
}

impl Door {
    /// The connections, as they become ready.
    pub(crate) fn lines(self) -> ReceiverStream<io::Result<Line>> {
        let (ready, lines) = mpsc::channel(WAITING_MAX);
        tokio::spawn(self.open(ready));
        ReceiverStream::new(lines)
    }

    /// Takes connections until nobody wants them any more.
    async fn open(self, ready: mpsc::Sender<io::Result<Line>>) {
        let crowd = Crowd::default();
        let mut failing = false;
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = ready.closed() => return,
            };
            match accepted {
                Ok((stream, address)) => {
                    failing = false;
                    self.welcome(stream, address, &crowd, &ready);
                }
                Err(error) => {
                    if !std::mem::replace(&mut failing, true) {
                        tracing::warn!(door = self.name, %error, "cannot take connections");
                    }
                    tokio::time::sleep(BREATH).await;
                }
            }
        }
    }

    fn welcome(&self, stream: TcpStream, address: SocketAddr, crowd: &Crowd, ready: &mpsc::Sender<io::Result<Line>>) {
        let (name, config, metrics, ready) = (self.name, self.config.load_full(), self.metrics.clone(), ready.clone());
        let place = crowd.enter(address.ip().to_canonical());
        tokio::spawn(async move {
            let Some(place) = place else {
                metrics.handshake_failed(name, Failure::Crowd);
                return;
            };
            match shake_hands(stream, address, config).await {
                Ok(line) => {
                    drop(place);
                    metrics.handshake_done(name);
                    let _ = ready.send(Ok(line)).await;
                }
                Err((failure, why)) => {
                    metrics.handshake_failed(name, failure);
                    match failure {
                        Failure::Certificate | Failure::Disbelieved => {
                            tracing::warn!(door = name, %address, "no connection: {why}")
                        }
                        _ => tracing::debug!(door = name, %address, "no connection: {why}"),
                    }
                }
            }
        });
    }
}

async fn shake_hands(stream: TcpStream, address: SocketAddr, config: Arc<ServerConfig>) -> Result<Line, (Failure, String)> {
    stream.set_nodelay(true).map_err(|error| (Failure::Closed, error.to_string()))?;
    let accepting = TlsAcceptor::from(config).accept(stream);
    let stream = tokio::time::timeout(HANDSHAKE_MAX, accepting)
        .await
        .map_err(|_| {
            (Failure::Timeout, format!("the client did not finish its TLS handshake within {} s", HANDSHAKE_MAX.as_secs()))
        })?
        .map_err(explained)?;
    let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    let proved = certificate.map(proved).transpose();
    let proved = proved.map_err(|why| (Failure::Certificate, format!("the client's certificate is refused: {why}")))?;
    Ok(Line { stream, peer: Peer { address, proved } })
}

/// What a certificate proves whose chain was found to be good.
fn proved(certificate: &CertificateDer<'_>) -> Result<Proved, VerifyError> {
    let identity = verify::peer_id(certificate)?;
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|error| VerifyError::Malformed(error.to_string()))?;
    let end = u64::try_from(parsed.validity().not_after.timestamp()).unwrap_or(0);
    let pod_uid = verify::pod_uid(certificate);
    Ok(Proved { identity, pod_uid, until: SystemTime::UNIX_EPOCH + Duration::from_secs(end) })
}

fn explained(error: io::Error) -> (Failure, String) {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match tls {
        Some(rustls::Error::NoCertificatesPresented) => (Failure::Certificate, String::from("the client shows no certificate")),
        Some(rustls::Error::AlertReceived(alert)) => {
            (Failure::Disbelieved, format!("the client breaks off ({alert:?}): does it hold the trust bundle of another root?"))
        }
        Some(tls) => match verify::explain(tls) {
            Some(why) => (Failure::Certificate, format!("the client's certificate is refused: {why}")),
            None => (Failure::Malformed, format!("the client's TLS handshake failed: {tls}")),
        },
        None => (Failure::Closed, format!("the client went away: {error}")),
    }
}

/// How many handshakes each address has under way, so that one that keeps silent is in nobody's way but its own.
#[derive(Clone, Debug, Default)]
struct Crowd(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// A handshake under way, until it is dropped.
#[derive(Debug)]
struct Place {
    crowd: Crowd,
    address: IpAddr,
}

impl Crowd {
    fn enter(&self, address: IpAddr) -> Option<Place> {
        let mut under_way = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = under_way.entry(address).or_default();
        if *count >= UNDER_WAY_MAX {
            return None;
        }
        *count += 1;
        Some(Place { crowd: self.clone(), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut under_way = self.crowd.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = under_way.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                under_way.remove(&self.address);
            }
        }
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

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_crowds_out_itself_alone() {
        let crowd = Crowd::default();
        let [silent, other] = ["10.77.0.5", "10.77.0.6"].map(|address| address.parse().unwrap());
        let mut places: Vec<_> = (0..UNDER_WAY_MAX).map(|_| crowd.enter(silent).unwrap()).collect();
        assert!(crowd.enter(silent).is_none());
        assert!(crowd.enter(other).is_some());
        places.pop();
        assert!(crowd.enter(silent).is_some());
        drop(places);
        assert!(crowd.0.lock().unwrap().is_empty());
    }
}
