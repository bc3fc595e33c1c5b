//! Hearing of changes in a cluster, from its API server.
//!
//! One watch for each kind, read in pages and followed from there. What a watch says again after it was interrupted is compared
//! with what is known: an object that is not mentioned any more is gone. Nothing is told before every kind was read once.

mod kept;
mod objects;

use std::{future, time::Duration};

use futures_util::{Stream, StreamExt as _, stream::BoxStream};
use k8s_openapi::{
    api::{
        core::v1::{Namespace, Node, Pod, Service},
        discovery::v1::EndpointSlice,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject},
    core::{GroupVersionKind, PartialObjectMeta},
    runtime::{
        WatchStreamExt as _,
        watcher::{self, Event, watcher},
    },
};
use tokio::sync::oneshot;

use self::kept::{Kept, Said};
use super::Watched;
use crate::{
    index::{Identity, Kind, Object, routes::RouteKind, traffic::PolicyKind},
    manifest::{policies, routes, traffic},
    metrics::Metrics,
    state::State,
};

/// Objects of one answer while a kind is read.
const PAGE: u32 = 500;

/// Events taken together: those that are there at once.
const TOGETHER: usize = 1024;

/// A watch that breaks is begun again by itself; this is how often it is told.
const COMPLAIN_EVERY: Duration = Duration::from_secs(10);

/// What a watch says.
type Heard<K> = watcher::Result<Event<K>>;

/// Keeps `state` in line with the objects of the cluster that `client` speaks to.
pub(crate) fn watch(client: Client, state: State, metrics: Metrics) -> Watched {
    let (alive, watched) = oneshot::channel();
    tokio::spawn(async move {
        let _alive = alive;
        follow(events(client), state, metrics).await;
    });
    watched
}

async fn follow(events: BoxStream<'static, Said>, state: State, metrics: Metrics) {
    let mut kept = Kept::default();
    let mut events = events.ready_chunks(TOGETHER);
    while let Some(said) = events.next().await {
        let changes: Vec<_> = said.into_iter().flat_map(|said| kept.hear(said)).collect();
        // The first time, everything at once: until then nobody is told that something does not exist.
        if !kept.is_complete() {
            kept.hold(changes);
            continue;
        }
        if state.take(kept.release(changes)) {
            metrics.changed();
        }
    }
}

fn events(client: Client) -> BoxStream<'static, Said> {
    let config = || watcher::Config::default().page_size(PAGE);
    let services = watcher(Api::<Service>::all(client.clone()), config()).default_backoff();
    let slices = watcher(Api::<EndpointSlice>::all(client.clone()), config()).default_backoff();
    let pods = watcher(Api::<Pod>::all(client.clone()), config()).default_backoff();
    // A node's status is long, and changes often.
    let nodes = watcher(Api::<PartialObjectMeta<Node>>::all(client.clone()), config()).default_backoff();
    let namespaces = watcher(Api::<PartialObjectMeta<Namespace>>::all(client.clone()), config()).default_backoff();
    // What the cluster need not have, in the first version that it serves. `v1beta1` of grants every release of the Gateway API
    // serves.
    let optional = |group: &str, versions: &[&str], kind: &str| {
        let watch = |version: &&str| {
            let kind = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
            watcher(Api::<DynamicObject>::all_with(client.clone(), &kind), config()).default_backoff().boxed()
        };
        or_none(first_served(versions.iter().map(watch).collect()))
    };
    let peers = optional(policies::GROUP, &[policies::VERSION], "PeerAuthentication");
    let authorizations = optional(policies::GROUP, &[policies::VERSION], "AuthorizationPolicy");
    let ours = optional(policies::GROUP, &[policies::VERSION], "TrafficPolicy");
    let backends = optional(traffic::BACKEND_GROUP, &[traffic::BACKEND_VERSION], "XBackendTrafficPolicy");
    let http_routes = optional(routes::GROUP, &["v1"], "HTTPRoute");
    let grpc_routes = optional(routes::GROUP, &["v1"], "GRPCRoute");
    let tls_routes = optional(routes::GROUP, &["v1", "v1alpha3", "v1alpha2"], "TLSRoute");
    let tcp_routes = optional(routes::GROUP, &["v1", "v1alpha2"], "TCPRoute");
    let grants = optional(routes::GROUP, &["v1beta1"], "ReferenceGrant");
    futures_util::stream::select_all([
        of_kind(services, Kind::Service, objects::service, |service| &service.metadata),
        of_kind(slices, Kind::Slice, objects::slice, |slice| &slice.metadata),
        of_kind(pods, Kind::Pod, objects::pod, |pod| &pod.metadata),
        of_kind(nodes, Kind::Node, |node| objects::node(&node.metadata), |node| &node.metadata),
        of_kind(namespaces, Kind::Namespace, |space| objects::namespace(&space.metadata), |space| &space.metadata),
        of_kind(peers, Kind::PeerAuthentication, objects::peer_authentication, |found| &found.metadata),
        of_kind(authorizations, Kind::AuthorizationPolicy, objects::authorization_policy, |found| &found.metadata),
        of_kind(http_routes, Kind::Route(RouteKind::Http), objects::http_route, |found| &found.metadata),
        of_kind(grpc_routes, Kind::Route(RouteKind::Grpc), objects::grpc_route, |found| &found.metadata),
        of_kind(tls_routes, Kind::Route(RouteKind::Tls), objects::tls_route, |found| &found.metadata),
        of_kind(tcp_routes, Kind::Route(RouteKind::Tcp), objects::tcp_route, |found| &found.metadata),
        of_kind(grants, Kind::ReferenceGrant, objects::grant, |found| &found.metadata),
        of_kind(ours, Kind::TrafficPolicy(PolicyKind::Traffic), objects::traffic_policy, |found| &found.metadata),
        of_kind(backends, Kind::TrafficPolicy(PolicyKind::Backend), objects::backend_traffic_policy, |found| &found.metadata),
    ])
    .boxed()
}

/// What is said of one kind: `translate` makes our noun of an object, if it is anything to us.
fn of_kind<K: Send + 'static>(
    events: impl Stream<Item = watcher::Result<Event<K>>> + Send + 'static,
    kind: Kind,
    translate: fn(&K) -> Option<Object>,
    metadata: fn(&K) -> &ObjectMeta,
) -> BoxStream<'static, Said> {
    let said = move |event: Event<K>| {
        let of = |object: &K| -> (Identity, Option<Object>) { ((kind, objects::key(metadata(object))), translate(object)) };
        match event {
            Event::Init => Said::Begins(kind),
            Event::InitDone => Said::Complete(kind),
            Event::Apply(object) | Event::InitApply(object) => match of(&object) {
                (_, Some(object)) => Said::There(object),
                (identity, None) => Said::Gone(identity),
            },
            Event::Delete(object) => Said::Gone(of(&object).0),
        }
    };
    complained(kind, events).map(said).boxed()
}

/// Of a kind that the cluster need not have there is nothing where it does not. Whether it has it now is asked again, after the
/// pause that `events` make after every error.
fn or_none<K>(events: impl Stream<Item = watcher::Result<Event<K>>>) -> impl Stream<Item = watcher::Result<Event<K>>> {
    events.flat_map(|event| {
        let events = if is_unknown(&event) { vec![Ok(Event::Init), Ok(Event::InitDone)] } else { vec![event] };
        futures_util::stream::iter(events)
    })
}

/// The events of the first of `versions` of a kind that the cluster serves. When it serves none, that of the last says so, and the
/// first is asked again.
fn first_served<K: Send + 'static>(versions: Vec<BoxStream<'static, Heard<K>>>) -> BoxStream<'static, Heard<K>> {
    let next = |(mut versions, mut at): (Vec<BoxStream<'static, Heard<K>>>, usize)| async move {
        loop {
            let event = versions[at].next().await?;
            let is_last = at + 1 == versions.len();
            match is_unknown(&event) {
                false => return Some((event, (versions, at))),
                true if is_last => return Some((event, (versions, 0))),
                true => at += 1,
            }
        }
    };
    futures_util::stream::unfold((versions, 0), next).boxed()
}

/// Whether the API server said that it serves no such kind.
fn is_unknown<K>(event: &Heard<K>) -> bool {
    matches!(event, Err(watcher::Error::InitialListFailed(kube::Error::Api(status))) if status.code == 404)
}

/// The events that come through; the others are logged, now and then.
fn complained<K, E: std::fmt::Display>(kind: Kind, events: impl Stream<Item = Result<K, E>>) -> impl Stream<Item = K> {
    let mut quiet_until = None;
    events.filter_map(move |event| {
        let event = event.map_err(|error| {
            let now = crate::clock::now();
            if quiet_until.is_none_or(|until| now >= until) {
                quiet_until = Some(now + COMPLAIN_EVERY);
                tracing::warn!(?kind, %error, "the API server cannot be followed; what is known stays in force");
            }
        });
        future::ready(event.ok())
    })
}
