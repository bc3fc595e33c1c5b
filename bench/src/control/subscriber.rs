//! One sidecar, as far as control can tell: an address, a certificate, a stream.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, anyhow};
use backon::BackoffBuilder;
use certs::{bundle::Bundle, name::SpiffeId, request::Pending, store::Identity, tls};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::{net::TcpSocket, sync::mpsc};
use tokio_rustls::TlsConnector;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::{
    Request, Streaming,
    transport::{Channel, Endpoint, Uri},
};
use wire::{
    envoy::service::discovery::v3::{
        DeltaDiscoveryRequest, DeltaDiscoveryResponse, aggregated_discovery_service_client::AggregatedDiscoveryServiceClient,
    },
    istio::v1::auth::{IstioCertificateRequest, istio_certificate_service_client::IstioCertificateServiceClient},
};

use super::{
    conversation::Conversation,
    manifests::{subscriber_address, token},
    metered::{Metered, Received},
    program::Ports,
};
use crate::clock;

/// The first pause after a failure.
const PAUSE_MIN: Duration = Duration::from_millis(200);

/// Pauses grow no longer than this.
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// What all subscribers share.
#[derive(Clone, Debug)]
pub struct Shared {
    /// Where control listens.
    pub ports: Ports,
    /// Whom they trust.
    pub bundle: Bundle,
    /// The identity control must prove.
    pub control: SpiffeId,
    /// Bytes they have received.
    pub received: Received,
    /// Where they tell what happens to them.
    pub events: mpsc::UnboundedSender<Event>,
}

/// Something that happened to a subscriber.
#[derive(Debug)]
pub struct Event {
    /// When.
    pub at: Instant,
    /// What.
    pub what: What,
}

/// What can happen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// It has its certificate.
    Certified,
    /// A stream is open.
    Connected,
    /// It has been told all that it asked for.
    Configured,
    /// It was told of an edit.
    Told(u16),
    /// Something failed, and is tried again.
    Failed(String),
}

impl Shared {
    fn tell(&self, what: What) {
        // Nobody listens any more once the measurement is over.
        let _ = self.events.send(Event { at: clock::now(), what });
    }
}

/// Gets a certificate and follows control for ever, trying again with the pauses of a proxy.
pub async fn follow(number: u16, shared: Arc<Shared>) {
    let mut pauses = pauses();
    let identity = loop {
        match certify(number, &shared).await {
            Ok(identity) => break identity,
            Err(error) => wait(&shared, &error, pauses.next()).await,
        }
    };
    shared.tell(What::Certified);
    let tls = identity.grpc_client(&shared.control);
    let mut conversation = Conversation::new(number);
    loop {
        let ended = match open(number, &conversation, tls.clone(), &shared).await {
            Ok(stream) => {
                shared.tell(What::Connected);
                pauses = self::pauses();
                exchange(stream, &mut conversation, &shared).await
            }
            Err(error) => error,
        };
        wait(&shared, &ended, pauses.next()).await;
    }
}

async fn wait(shared: &Shared, failure: &anyhow::Error, pause: Option<Duration>) {
    shared.tell(What::Failed(format!("{failure:#}")));
    tokio::time::sleep(pause.unwrap_or(PAUSE_MAX)).await;
}

/// The pauses of `proxy/src/identity`.
fn pauses() -> impl Iterator<Item = Duration> {
    backon::ExponentialBuilder::default()
        .with_min_delay(PAUSE_MIN)
        .with_max_delay(PAUSE_MAX)
        .without_max_times()
        .with_jitter()
        .build()
}

async fn certify(number: u16, shared: &Shared) -> anyhow::Result<Identity> {
    let pending = Pending::new().context("cannot make a key")?;
    let mut request = Request::new(IstioCertificateRequest { csr: pending.csr_pem().to_owned(), ..Default::default() });
    request.metadata_mut().insert("authorization", format!("Bearer {}", token(number)).parse()?);
    let tls = tls::bootstrap_client(&shared.bundle, &shared.control);
    let channel = channel(number, shared.ports.certificates, tls, shared).await?;
    let answer = IstioCertificateServiceClient::new(channel).create_certificate(request).await.context("no certificate")?;
    Ok(pending.complete(&answer.into_inner().cert_chain, &shared.bundle, clock::wall())?)
}

/// Both halves of a stream.
struct Stream {
    requests: mpsc::UnboundedSender<DeltaDiscoveryRequest>,
    answers: Streaming<DeltaDiscoveryResponse>,
}

async fn open(number: u16, conversation: &Conversation, tls: Arc<ClientConfig>, shared: &Shared) -> anyhow::Result<Stream> {
    let channel = channel(number, shared.ports.discovery, tls, shared).await?;
    let (requests, outgoing) = mpsc::unbounded_channel();
    for request in conversation.opening() {
        // Its other end is at hand.
        let _ = requests.send(request);
    }
    let mut service = AggregatedDiscoveryServiceClient::new(channel);
    let opened = service.delta_aggregated_resources(UnboundedReceiverStream::new(outgoing)).await;
    Ok(Stream { requests, answers: opened.context("control refuses the stream")?.into_inner() })
}

/// Follows a stream to its end. Returns why it ended.
async fn exchange(mut stream: Stream, conversation: &mut Conversation, shared: &Shared) -> anyhow::Error {
    loop {
        let answer = match stream.answers.message().await {
            Ok(Some(answer)) => answer,
            Ok(None) => return anyhow!("control closed the stream"),
            Err(status) => return anyhow::Error::new(status).context("the stream broke"),
        };
        let heard = conversation.heard(answer);
        heard.edits.into_iter().for_each(|edit| shared.tell(What::Told(edit)));
        if heard.complete {
            shared.tell(What::Configured);
        }
        for request in heard.requests {
            // A stream that has ended says so where it is read.
            let _ = stream.requests.send(request);
        }
    }
}

/// A channel to control from the address of this subscriber's pod, by which control knows it.
async fn channel(number: u16, port: u16, tls: Arc<ClientConfig>, shared: &Shared) -> anyhow::Result<Channel> {
    let received = shared.received.clone();
    let connector = tower::service_fn(move |_: Uri| {
        let (tls, received) = (tls.clone(), received.clone());
        async move {
            let socket = TcpSocket::new_v4()?;
            socket.bind(SocketAddr::new(subscriber_address(number).into(), 0))?;
            socket.set_nodelay(true)?;
            let control = IpAddr::V4(Ipv4Addr::LOCALHOST);
            let stream = Metered::new(socket.connect(SocketAddr::new(control, port)).await?, received);
            let stream = TlsConnector::from(tls).connect(ServerName::from(control), stream).await?;
            io::Result::Ok(TokioIo::new(stream))
        }
    });
    let channel = Endpoint::from_static("http://control").connect_with_connector(connector).await;
    channel.context("cannot reach control")
}
