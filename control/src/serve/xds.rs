//! Discovery: aggregated xDS over gRPC, incremental for our proxies and state-of-the-world for others.

use std::{pin::Pin, sync::Arc};

use tokio::sync::mpsc;
use tokio_stream::{Stream, wrappers::ReceiverStream};
use tonic::{Request, Response, Status, Streaming};
use wire::envoy::service::discovery::v3::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse,
    aggregated_discovery_service_server::AggregatedDiscoveryService,
};

use super::{
    Peer,
    delta::{self, Heard},
    world::{self, Source},
};
use crate::{
    index::Key,
    metrics::Metrics,
    plan::{Kind, Resource},
    state::State,
};

/// Answers that may wait for a client that reads slowly. Past that it is waited for, and then told only the latest.
const WAITING_MAX: usize = 16;

/// The service.
#[derive(Clone)]
pub(crate) struct Discovery {
    pub(crate) state: State,
    pub(crate) metrics: Metrics,
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
        let view = self.view(&request)?;
        Ok(Response::new(self.converse(view, request.into_inner(), delta::Session::default())))
    }

    async fn stream_aggregated_resources(
        &self,
        request: Request<Streaming<DiscoveryRequest>>,
    ) -> Result<Response<Self::StreamAggregatedResourcesStream>, Status> {
        let view = self.view(&request)?;
        Ok(Response::new(self.converse(view, request.into_inner(), world::Session::default())))
    }
}

/// The state as one client may see it.
#[derive(Clone)]
struct View {
    state: State,
    pod: Option<Key>,
    name: String,
}

impl Source for View {
    fn resource(&self, kind: Kind, name: &str) -> Option<Arc<Resource>> {
        self.state.resource(self.pod.as_ref(), kind, name)
    }

    fn every_name(&self, kind: Kind) -> Vec<String> {
        self.state.every_name(kind)
    }
}

/// A conversation in one of the two variants.
trait Conversation: Send + 'static {
    type Request: Send + 'static;
    type Answer: Send + 'static;

    fn heard(&mut self, request: Self::Request) -> Heard;
    fn flush(&mut self, view: &View) -> Vec<(Kind, Self::Answer)>;
}

impl Conversation for delta::Session {
    type Request = DeltaDiscoveryRequest;
    type Answer = DeltaDiscoveryResponse;

    fn heard(&mut self, request: DeltaDiscoveryRequest) -> Heard {
        self.heard(request)
    }

    fn flush(&mut self, view: &View) -> Vec<(Kind, DeltaDiscoveryResponse)> {
        self.flush(view)
    }
}

impl Conversation for world::Session {
    type Request = DiscoveryRequest;
    type Answer = DiscoveryResponse;

    fn heard(&mut self, request: DiscoveryRequest) -> Heard {
        self.heard(request).map_or(Heard::Fine, |(kind, message)| Heard::Nack { kind, message })
    }

    fn flush(&mut self, view: &View) -> Vec<(Kind, DiscoveryResponse)> {
        self.flush(view)
    }
}

impl Discovery {
    /// What the client may see: who it is was proved by its certificate, which pod it is by its address.
    fn view<T>(&self, request: &Request<T>) -> Result<View, Status> {
        let peer = request.extensions().get::<Peer>().ok_or_else(|| Status::internal("the connection has no peer"))?;
        let identity = peer.identity.as_ref().ok_or_else(|| Status::unauthenticated("show a certificate of the mesh"))?;
        let address = peer.address.ip().to_canonical();
        let pod = self.state.pod_at(address);
        let pod =
            pod.filter(|pod| pod.key.namespace == identity.namespace() && pod.service_account == identity.service_account());
        let name = pod.as_ref().map_or_else(|| identity.to_string(), |pod| pod.key.to_string());
        Ok(View { state: self.state.clone(), pod: pod.map(|pod| pod.key), name })
    }

    fn converse<C: Conversation>(&self, view: View, requests: Streaming<C::Request>, conversation: C) -> Answers<C::Answer> {
        let (answers, outgoing) = mpsc::channel(WAITING_MAX);
        tokio::spawn(self.clone().talk(view, requests, conversation, answers));
        Box::pin(ReceiverStream::new(outgoing))
    }

    async fn talk<C: Conversation>(
        self,
        view: View,
        mut requests: Streaming<C::Request>,
        mut conversation: C,
        answers: mpsc::Sender<Result<C::Answer, Status>>,
    ) {
        let _open = self.metrics.stream_opened();
        let mut changes = self.state.changes();
        tracing::info!(client = view.name, "discovery stream open");
        loop {
            tokio::select! {
                request = requests.message() => match request {
                    Ok(Some(request)) => match conversation.heard(request) {
                        Heard::Fine => {}
                        Heard::Nack { kind, message } => {
                            self.metrics.nacked(kind);
                            tracing::warn!(client = view.name, kind = kind.map(Kind::word), "a client cannot use what it was sent: {message}");
                        }
                        Heard::Refused(why) => {
                            let _ = answers.send(Err(Status::resource_exhausted(why))).await;
                            break;
                        }
                    },
                    Ok(None) | Err(_) => break,
                },
                changed = changes.changed() => if changed.is_err() { break },
            }
            // Until the source was read, nobody is told that something does not exist.
            if !self.state.is_loaded() {
                continue;
            }
            for (kind, answer) in conversation.flush(&view) {
                self.metrics.pushed(kind);
                if answers.send(Ok(answer)).await.is_err() {
                    return;
                }
            }
        }
        tracing::info!(client = view.name, "discovery stream closed");
    }
}
