//! Hearing of changes in a cluster, from its API server.
//!
//! One watch for each kind, read in pages and followed from there. What a watch says again after it was interrupted is compared
//! with what is known: an object that is not mentioned any more is gone. Nothing is told before every kind was read once.

mod kept;
mod objects;

use std::{fmt::Debug, future, time::Duration};

use futures_util::{Stream, StreamExt as _, stream::BoxStream};
use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        core::v1::{Pod, Service},
        discovery::v1::EndpointSlice,
    },
};
use kube::{
    Api, Client, Resource,
    runtime::{
        WatchStreamExt as _,
        watcher::{self, Event, watcher},
    },
};
use serde::de::DeserializeOwned;
use tokio::sync::oneshot;

use self::kept::{Kept, Said};
use super::Watched;
use crate::{
    index::{Identity, Kind, Object},
    metrics::Metrics,
    state::State,
};

/// Objects of one answer while a kind is read.
const PAGE: u32 = 500;

/// Events taken together: those that are there at once.
const TOGETHER: usize = 1024;

/// A watch that breaks is begun again by itself; this is how often it is told.
const COMPLAIN_EVERY: Duration = Duration::from_secs(10);

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
    let services = of_kind::<Service>(client.clone(), Kind::Service, objects::service, |service| objects::key(&service.metadata));
    let slices = of_kind::<EndpointSlice>(client.clone(), Kind::Slice, objects::slice, |slice| objects::key(&slice.metadata));
    let pods = of_kind::<Pod>(client, Kind::Pod, objects::pod, |pod| objects::key(&pod.metadata));
    futures_util::stream::select_all([services, slices, pods]).boxed()
}

/// What is said of one kind: `translate` makes our noun of an object, if it is anything to us.
fn of_kind<K>(
    client: Client,
    kind: Kind,
    translate: fn(&K) -> Option<Object>,
    key: fn(&K) -> crate::index::Key,
) -> BoxStream<'static, Said>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    let said = move |event: Event<K>| {
        let of = |object: &K| -> (Identity, Option<Object>) { ((kind, key(object)), translate(object)) };
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
    complained(kind, watcher(Api::<K>::all(client), watcher::Config::default().page_size(PAGE)).default_backoff())
        .map(said)
        .boxed()
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
