//! What is told to whoever wrote a route or a policy, where he looks: in its status.
//!
//! ```text
//! told    what is to be told of each (pure)
//! merge   what becomes of a status by that (pure)
//! ```
//!
//! The replica that leads writes, and only what is not there already. What others have written there stays.

mod merge;
mod told;

use std::{collections::BTreeMap, time::Duration};

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, Patch, PatchParams},
    core::GroupVersionKind,
};
use serde_json::json;
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    time::sleep,
};

use self::told::{Id, Told};
use super::MANAGER;
use crate::{
    clock,
    metrics::{Metrics, StatusWrite},
    state::{News, State},
};

/// What changes within this time is written together.
const SETTLE: Duration = Duration::from_millis(500);

/// What nobody tells us of is found by looking.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// Between two objects: at most 50 a second, of which each costs the API server a read and at most a write.
const PAUSE: Duration = Duration::from_millis(20);

/// An API server that does not let us is left alone for so long.
const PATIENCE: Duration = Duration::from_secs(10);

/// Objects that are looked at at once: discovery waits meanwhile.
const AT_ONCE: usize = 64;

/// How often a status is tried that others write at the same time.
const TRIES: usize = 5;

/// Keeps the status of routes and policies as it must be, for ever.
pub(super) async fn keep(client: Client, state: State, metrics: Metrics) {
    let mut writer = Writer { client, metrics, written: BTreeMap::new() };
    let mut news = state.news();
    state.loaded().await;
    loop {
        if let Err(error) = writer.write(look(&state)).await {
            tracing::warn!(%error, "conditions of routes and policies cannot be written now");
            sleep(PATIENCE).await;
        }
        // Nothing for so long is as good as news.
        let _ = tokio::time::timeout(LOOK_AGAIN, heard(&mut news)).await;
        sleep(SETTLE).await;
        news = news.resubscribe();
    }
}

/// Waits for news. Who has missed some has heard enough.
async fn heard(news: &mut Receiver<std::sync::Arc<News>>) {
    if matches!(news.recv().await, Err(RecvError::Closed)) {
        // We hold who sends them.
        std::future::pending().await
    }
}

/// What is to be told of everything.
fn look(state: &State) -> BTreeMap<Id, Told> {
    let ids = state.inspect(told::ids);
    let told = |ids: &[Id]| -> Vec<(Id, Told)> {
        state.inspect(|index| ids.iter().filter_map(|id| Some((id.clone(), told::of(index, id)?))).collect())
    };
    ids.chunks(AT_ONCE).flat_map(told).collect()
}

struct Writer {
    client: Client,
    metrics: Metrics,
    /// What is there, as far as we have seen to it.
    written: BTreeMap<Id, Told>,
}

impl Writer {
    /// Sees to it that all of `wanted` is there.
    async fn write(&mut self, wanted: BTreeMap<Id, Told>) -> kube::Result<()> {
        self.written.retain(|id, _| wanted.contains_key(id));
        for (id, told) in wanted {
            if self.written.get(&id) == Some(&told) {
                continue;
            }
            let written = self.write_one(&id, &told).await;
            if let Some(outcome) = written.as_ref().map_or(Some(StatusWrite::Failed), |outcome| *outcome) {
                self.metrics.status_written(outcome);
            }
            if written? != Some(StatusWrite::Outrun) {
                self.written.insert(id, told);
            }
            sleep(PAUSE).await;
        }
        Ok(())
    }

    /// Sees to it that `told` is there; says what came of it, if it had to be written.
    async fn write_one(&self, id: &Id, told: &Told) -> kube::Result<Option<StatusWrite>> {
        let (key, name) = (id.key(), &id.key().name);
        let kind = ApiResource::from_gvk(&GroupVersionKind::gvk(id.group(), &told.edition.version, id.kind()));
        let objects: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &key.namespace, &kind);
        for _ in 0..TRIES {
            // What is another by now we shall hear of.
            let Some(object) = objects.get_opt(name).await?.filter(|object| told.is_of(&object.metadata)) else {
                return Ok(None);
            };
            let Some(status) = merge::status(&object.data["status"], told, &now()) else { return Ok(None) };
            let patch = json!({ "metadata": { "resourceVersion": object.metadata.resource_version }, "status": status });
            match objects.patch_status(name, &PatchParams::apply(MANAGER), &Patch::Merge(patch)).await {
                Ok(_) => return Ok(Some(StatusWrite::Written)),
                Err(kube::Error::Api(status)) if status.reason == "Conflict" => {}
                // It has gone, or its kind has no status in this cluster.
                Err(kube::Error::Api(status)) if status.code == 404 => return Ok(None),
                // What its kind does not allow spoils nobody else's.
                Err(kube::Error::Api(status)) if [400, 422].contains(&status.code) => {
                    tracing::warn!(kind = id.kind(), object = %key, %status, "its conditions are refused");
                    return Ok(Some(StatusWrite::Failed));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Some(StatusWrite::Outrun))
    }
}

/// The time, as Kubernetes writes it.
fn now() -> String {
    let now = Time(Timestamp::try_from(clock::wall()).unwrap_or_default());
    serde_json::to_value(now).ok().and_then(|text| text.as_str().map(str::to_owned)).unwrap_or_default()
}
