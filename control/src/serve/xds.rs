//! Discovery: aggregated xDS over gRPC, incremental for our proxies and state-of-the-world for others.

use std::{pin::Pin, sync::Arc, time::Instant};

use certs::name::SpiffeId;
use tokio::sync::{broadcast, mpsc};
use tokio_stream::{Stream, wrappers::ReceiverStream};
use tonic::{Request, Response, Status, Streaming};
use wire::{
    envoy::service::discovery::v3::{
        DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse,
        aggregated_discovery_service_server::AggregatedDiscoveryService,
    },
    names,
};

use super::{
    Leaving, Peer, Roster,
    conversation::{Conversation, Heard, Source},
    delta,
    door::Proved,
    roster::{Client, Seat},
    world,
};
use crate::{
    clock,
    index::{Key, Pod, Subject},
    metrics::Metrics,
    plan::{Kind, Resource},
    state::{News, State},
};

/// Answers that may wait for a client that reads slowly. Past that it is waited for, and then told only the latest.
const WAITING_MAX: usize = 16;

/// The service.
#[derive(Clone)]
pub(crate) struct Discovery {
    pub(crate) state: State,
    pub(crate) metrics: Metrics,
    pub(crate) roster: Roster,
    pub(crate) leaving: Leaving,
}

/// Why a stream is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// There is no pod at the client's address.
    NoPod,
    /// The pod at the client's address is another than its certificate proves.
    ForeignIdentity,
}

impl Reason {
    pub(crate) const ALL: [Self; 2] = [Self::NoPod, Self::ForeignIdentity];

    /// The word in metrics and logs.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::NoPod => "no_pod",
            Self::ForeignIdentity => "foreign_identity",
        }
    }
}

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl AggregatedDiscoveryService for Discovery {
    type DeltaAggregatedResourcesStream = Answers<DeltaDiscoveryResponse>;
    type StreamAggregatedResourcesStream = Answers<DiscoveryResponse>;

    async fn delta_aggregated_resources(
        &self,
        request: Request<Streaming<DeltaDiscoveryRequest>>,
    ) -> Result<Response<Self::DeltaAggregatedResourcesStream>, Status> {
        self.converse::<delta::Session>(request).await
    }

    async fn stream_aggregated_resources(
        &self,
        request: Request<Streaming<DiscoveryRequest>>,
    ) -> Result<Response<Self::StreamAggregatedResourcesStream>, Status> {
        self.converse::<world::Session>(request).await
    }
}

/// A client whose certificate and address agree.
struct Admitted {
    peer: Peer,
    proved: Proved,
    /// The pods it may be: one, but on the network of their host.
    pods: Vec<Pod>,
}

impl Discovery {
    async fn converse<C: Conversation>(
        &self,
        request: Request<Streaming<C::Request>>,
    ) -> Result<Response<Answers<C::Answer>>, Status> {
        let admitted = self.admit(&request).await?;
        let (answers, outgoing) = mpsc::channel(WAITING_MAX);
        tokio::spawn(self.clone().attend::<C>(admitted, request.into_inner(), answers));
        Ok(Response::new(Box::pin(ReceiverStream::new(outgoing))))
    }

    /// Who the client is was proved by its certificate, and which pod it is, if that is of ours; otherwise its address tells. They
    /// must agree.
    async fn admit<T>(&self, request: &Request<T>) -> Result<Admitted, Status> {
        let peer = request.extensions().get::<Peer>().ok_or_else(|| Status::internal("the connection has no peer"))?;
        let proved = peer.proved.clone().ok_or_else(|| Status::unauthenticated("show a certificate of the mesh"))?;
        self.state.loaded().await;
        let address = peer.address.ip().to_canonical();
        let (namespace, account) = (proved.identity.namespace(), proved.identity.service_account());
        let pods = self.state.pods_of(address, proved.pod_uid.as_deref(), namespace, account);
        if pods.is_empty() {
            let (reason, why) = match self.state.pods_at(address).first() {
                None => (Reason::NoPod, format!("no pod is known at {address}")),
                Some(_) => (Reason::ForeignIdentity, format!("the pod at {address} is not {}", proved.identity)),
            };
            self.metrics.stream_refused(reason);
            tracing::warn!(address = %peer.address, identity = %proved.identity, reason = reason.word(), "no discovery: {why}");
            return Err(Status::permission_denied(why));
        }
        Ok(Admitted { peer: peer.clone(), proved, pods })
    }

    async fn attend<C: Conversation>(
        self,
        admitted: Admitted,
        mut requests: Streaming<C::Request>,
        answers: mpsc::Sender<Result<C::Answer, Status>>,
    ) {
        // Before the first look, so that nothing falls between.
        let news = self.state.news();
        let mut leaving = self.leaving.clone();
        let first = tokio::select! {
            first = requests.message() => first,
            () = leaving.begins() => return end(&answers, &gone()).await,
        };
        let Ok(Some(first)) = first else { return };
        let node = C::node_id(&first).unwrap_or_default().to_owned();
        let Some(pod) = chosen(admitted.pods, &node) else { return };
        let _counted = self.metrics.stream_opened();
        let seat = self.roster.enter(Client {
            identity: admitted.proved.identity.to_string(),
            pod: pod.key.to_string(),
            address: admitted.peer.address,
            node,
            variant: C::VARIANT,
            since: clock::unix_seconds(clock::wall()),
            follows: Default::default(),
            nacks: 0,
            last_nack: None,
        });
        tracing::info!(pod = %pod.key, address = %admitted.peer.address, variant = C::VARIANT, "discovery stream open");
        let mut attendance = Attendance {
            conversation: C::new(Some(pod.key.clone())),
            view: View { state: self.state.clone(), pod: Some(pod.key.clone()) },
            discovery: &self,
            identity: admitted.proved.identity.clone(),
            pod: pod.key.clone(),
            seat,
            answers: &answers,
            heard: None,
        };
        let why = attendance.last(admitted.proved, first, requests, news, leaving).await;
        tracing::info!(pod = %pod.key, "discovery stream closed: {}", why.told());
        if let Ended::ByUs(status) = why {
            end(&answers, &status).await;
        }
    }
}

fn is(pod: &Pod, identity: &SpiffeId) -> bool {
    pod.has_names(identity.namespace(), identity.service_account())
}

/// Of several pods the one that the client says it is: all of them have the identity it proved.
fn chosen(pods: Vec<Pod>, node: &str) -> Option<Pod> {
    let named = pods.iter().position(|pod| names::node_id(&pod.key.name, &pod.key.namespace) == node);
    pods.into_iter().nth(named.unwrap_or(0))
}

fn gone() -> Status {
    Status::unavailable("control is leaving; keep what you have and come again")
}

/// The last word of a stream. A client that takes none any more is not waited for.
async fn end<T>(answers: &mpsc::Sender<Result<T, Status>>, status: &Status) {
    let patience = std::time::Duration::from_secs(1);
    let _ = answers.send_timeout(Err(status.clone()), patience).await;
}

/// The state as one client may see it.
#[derive(Clone)]
struct View {
    state: State,
    pod: Option<Key>,
}

impl Source for View {
    fn resource(&self, kind: Kind, name: &str) -> Option<Arc<Resource>> {
        self.state.resource(self.pod.as_ref(), kind, name)
    }

    fn every_name(&self, kind: Kind) -> Vec<String> {
        self.state.every_name(kind)
    }
}

/// Why a stream ended.
enum Ended {
    /// The client went away.
    ByClient,
    /// We have a last word.
    ByUs(Status),
}

impl Ended {
    fn told(&self) -> &str {
        match self {
            Self::ByClient => "the client went away",
            Self::ByUs(status) => status.message(),
        }
    }
}

/// One stream being attended to.
struct Attendance<'a, C: Conversation> {
    conversation: C,
    view: View,
    discovery: &'a Discovery,
    identity: SpiffeId,
    pod: Key,
    seat: Seat,
    answers: &'a mpsc::Sender<Result<C::Answer, Status>>,
    /// When the oldest news was heard that has not been passed on.
    heard: Option<Instant>,
}

impl<C: Conversation> Attendance<'_, C> {
    /// Attends to the stream until its end.
    async fn last(
        &mut self,
        proved: Proved,
        first: C::Request,
        mut requests: Streaming<C::Request>,
        mut news: broadcast::Receiver<Arc<News>>,
        mut leaving: Leaving,
    ) -> Ended {
        let life = proved.until.duration_since(clock::wall()).unwrap_or_default();
        let expiry = tokio::time::sleep(life);
        tokio::pin!(expiry);
        let mut next = self.on_request(first);
        loop {
            if let Err(ended) = next {
                return ended;
            }
            let passed_on = tokio::select! {
                passed_on = self.pass_on() => passed_on,
                () = leaving.begins() => return Ended::ByUs(gone()),
            };
            if let Err(ended) = passed_on {
                return ended;
            }
            next = tokio::select! {
                request = requests.message() => match request {
                    Ok(Some(request)) => self.on_request(request),
                    Ok(None) | Err(_) => Err(Ended::ByClient),
                },
                heard = news.recv() => self.on_news(heard, &mut news),
                () = leaving.begins() => Err(Ended::ByUs(gone())),
                () = &mut expiry => {
                    Err(Ended::ByUs(Status::unauthenticated("the certificate that opened this stream has ended; come again with a newer one")))
                }
            };
        }
    }

    fn on_request(&mut self, request: C::Request) -> Result<(), Ended> {
        match self.conversation.heard(request) {
            Heard::Fine => Ok(()),
            Heard::Nack { kind, message } => {
                self.discovery.metrics.nacked(kind);
                self.seat.nacked(&message);
                tracing::warn!(pod = %self.pod, kind = kind.map(Kind::word), "a client cannot use what it was sent: {message}");
                Ok(())
            }
            Heard::Refused(why) => Err(Ended::ByUs(Status::resource_exhausted(why))),
        }
    }

    /// Takes in news, and what more of it there is.
    fn on_news(
        &mut self,
        first: Result<Arc<News>, broadcast::error::RecvError>,
        more: &mut broadcast::Receiver<Arc<News>>,
    ) -> Result<(), Ended> {
        use broadcast::error::{RecvError, TryRecvError};
        let mut pod_touched = false;
        let mut take = |attendance: &mut Self, news: &News| {
            attendance.conversation.touched(&news.touched);
            attendance.heard.get_or_insert(news.heard);
            pod_touched |= news.touched.contains(&Subject::Pod(attendance.pod.clone()));
        };
        match first {
            Ok(news) => take(self, &news),
            Err(RecvError::Lagged(_)) => self.conversation.all_touched(),
            Err(RecvError::Closed) => return Err(Ended::ByUs(gone())),
        }
        loop {
            match more.try_recv() {
                Ok(news) => take(self, &news),
                Err(TryRecvError::Lagged(_)) => self.conversation.all_touched(),
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        if pod_touched && !self.is_still_there() {
            return Err(Ended::ByUs(Status::permission_denied(format!("the pod {} is gone, or another than it was", self.pod))));
        }
        Ok(())
    }

    fn is_still_there(&self) -> bool {
        let key = &self.pod;
        self.discovery.state.inspect(|index| index.pod(key).is_some_and(|pod| is(pod, &self.identity)))
    }

    /// Sends what the client lacks.
    async fn pass_on(&mut self) -> Result<(), Ended> {
        let answers = self.conversation.flush(&self.view);
        if answers.is_empty() {
            self.heard = None;
            return Ok(());
        }
        for (kind, answer) in answers {
            self.discovery.metrics.pushed(kind, C::resources(&answer));
            if self.answers.send(Ok(answer)).await.is_err() {
                return Err(Ended::ByClient);
            }
        }
        if let Some(heard) = self.heard.take() {
            self.discovery.metrics.passed_on(clock::now().saturating_duration_since(heard));
        }
        self.seat.follows(self.conversation.subscriptions());
        Ok(())
    }
}
