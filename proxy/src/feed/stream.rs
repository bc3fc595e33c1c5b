//! The stream to control: opened, kept, reopened. What it decides is in `delta`.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use anyhow::Context as _;
use certs::{name::SpiffeId, store::IdentityStore};
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::UnboundedReceiverStream;
use wire::{
    envoy::{
        config::core::v3::Node,
        service::discovery::v3::{
            DeltaDiscoveryRequest, DeltaDiscoveryResponse, aggregated_discovery_service_client::AggregatedDiscoveryServiceClient,
        },
    },
    names,
};

use super::{
    delta::{Client, Step},
    translate::Translator,
};
use crate::{
    config::{Control, Me},
    drain::Drain,
    identity::pauses,
    line,
    snapshot::{Ask, Publisher, Reader},
};

/// Addresses we ask control about at once. Past that, those that turned out to be unknown are let go.
const ADDRESSES_MAX: usize = 10_000;

/// What the feed needs.
pub struct Given {
    /// Whom we ask for.
    pub me: Arc<Me>,
    /// Where control is.
    pub control: Control,
    /// What proves who we are.
    pub identity: Arc<IdentityStore>,
    /// True once there is one.
    pub has_identity: watch::Receiver<bool>,
    /// Where snapshots go.
    pub publisher: Publisher,
    /// The current snapshot.
    pub reader: Reader,
    /// Set while the stream is open.
    pub connected: Arc<AtomicBool>,
}

/// Follows control until the proxy leaves: opens the stream again with growing pauses when it breaks, and meanwhile leaves
/// the last snapshot in force.
pub async fn follow(given: Given, mut asked: mpsc::Receiver<Ask>, mut drain: Drain) {
    tokio::select! {
        () = follow_for_ever(given, &mut asked) => {}
        () = drain.begins() => {}
    }
}

async fn follow_for_ever(given: Given, asked: &mut mpsc::Receiver<Ask>) {
    let node =
        Node { id: format!("{}.{}", given.me.pod, given.me.namespace), cluster: given.me.workload.clone(), ..Default::default() };
    let mut client = Client::new(node);
    client.want(names::INBOUND.to_owned());
    let mut feed = Feed { given, client, translator: Translator::default() };
    let mut pauses = pauses();
    loop {
        let ended = feed.converse(asked).await;
        if feed.given.connected.swap(false, Relaxed) {
            pauses = self::pauses();
        }
        let pause = pauses.next().unwrap_or(Duration::from_secs(10));
        let control = &feed.given.control.xds;
        tracing::warn!(%control, pause_seconds = pause.as_secs_f32(), "no stream to control, keeping the last configuration: {ended:#}");
        feed.note_questions(asked, pause).await;
    }
}

struct Feed {
    given: Given,
    client: Client,
    translator: Translator,
}

impl Feed {
    /// One stream, from its opening to its end. Returns why it ended.
    async fn converse(&mut self, asked: &mut mpsc::Receiver<Ask>) -> anyhow::Error {
        match self.open().await {
            Ok((requests, responses)) => self.exchange(requests, responses, asked).await,
            Err(error) => error,
        }
    }

    async fn open(
        &mut self,
    ) -> anyhow::Result<(mpsc::UnboundedSender<DeltaDiscoveryRequest>, tonic::Streaming<DeltaDiscoveryResponse>)> {
        self.given.has_identity.wait_for(|has| *has).await.context("nobody gets certificates any more")?;
        let identity = self.given.identity.current().context("the certificate is gone")?;
        let tls = identity.grpc_client(&SpiffeId::control(&self.given.me.trust_domain));
        let control = &self.given.control;
        let channel = line::open(&control.xds, tls, control.mark).await?;
        let (requests, outgoing) = mpsc::unbounded_channel();
        send(&requests, self.client.connected());
        let mut service = AggregatedDiscoveryServiceClient::new(channel).max_decoding_message_size(64 << 20);
        let opened = service.delta_aggregated_resources(UnboundedReceiverStream::new(outgoing)).await;
        let responses =
            opened.map_err(|status| anyhow::anyhow!("control refused the stream ({:?}): {}", status.code(), status.message()))?;
        Ok((requests, responses.into_inner()))
    }

    async fn exchange(
        &mut self,
        requests: mpsc::UnboundedSender<DeltaDiscoveryRequest>,
        mut responses: tonic::Streaming<DeltaDiscoveryResponse>,
        asked: &mut mpsc::Receiver<Ask>,
    ) -> anyhow::Error {
        self.given.connected.store(true, Relaxed);
        tracing::info!(control = %self.given.control.xds, "connected to control");
        loop {
            tokio::select! {
                response = responses.message() => match response {
                    Ok(Some(response)) => {
                        let step = self.client.received(response);
                        self.heed(&requests, step);
                    }
                    Ok(None) => return anyhow::anyhow!("control closed the stream"),
                    Err(status) => return anyhow::anyhow!("the stream broke ({:?}): {}", status.code(), status.message()),
                },
                Some(address) = asked.recv() => {
                    let step = self.want(address);
                    self.heed(&requests, step);
                }
            }
        }
    }

    fn heed(&mut self, requests: &mpsc::UnboundedSender<DeltaDiscoveryRequest>, step: Step) {
        for mistake in &step.mistakes {
            tracing::warn!(mistake, "control sent something that cannot be used");
        }
        if step.changed {
            let before = self.given.reader.current().clone();
            self.given.publisher.publish(self.translator.snapshot(self.client.resources(), &before));
        }
        send(requests, step);
    }

    fn want(&mut self, address: SocketAddr) -> Step {
        let mut step = self.make_room();
        let wanted = self.client.want(names::address(address));
        step.requests.extend(wanted.requests);
        step
    }

    /// Lets go of addresses that control did not know, when there are too many: they can be asked for again.
    fn make_room(&mut self) -> Step {
        let listeners = &self.client.resources().listeners;
        if listeners.len() < ADDRESSES_MAX {
            return Step::default();
        }
        let unknown: Vec<String> =
            listeners.iter().filter(|(_, held)| held.present().is_none()).map(|(name, _)| name.clone()).collect();
        unknown.iter().fold(Step::default(), |mut all, name| {
            let step = self.client.forget(name);
            all.requests.extend(step.requests);
            all.changed |= step.changed;
            all
        })
    }

    /// Waits, remembering meanwhile what is asked: it is part of the next stream's first words.
    async fn note_questions(&mut self, asked: &mut mpsc::Receiver<Ask>, pause: Duration) {
        let pause = tokio::time::sleep(pause);
        tokio::pin!(pause);
        loop {
            tokio::select! {
                () = &mut pause => return,
                Some(address) = asked.recv() => drop(self.want(address)),
            }
        }
    }
}

/// The queue has no bound of its own: what fills it is bounded by the questions of our own workers and control's answers.
fn send(requests: &mpsc::UnboundedSender<DeltaDiscoveryRequest>, step: Step) {
    for request in step.requests {
        // A closed queue means that the stream has ended; reading from it says why.
        let _ = requests.send(request);
    }
}
