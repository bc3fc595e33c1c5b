//! The trust bundle where pods find it: in a ConfigMap of every namespace that has sidecars.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use k8s_openapi::{api::core::v1::ConfigMap, apimachinery::pkg::apis::meta::v1::OwnerReference};
use kube::{Api, Client, api::Patch, api::PatchParams};
use serde_json::json;

use super::MANAGER;
use crate::state::State;

/// How often namespaces are looked through: somebody may have removed what we wrote.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// Writes the trust bundle into namespaces. A clone writes the same.
#[derive(Clone)]
pub(crate) struct Bundles {
    client: Client,
    pem: Arc<str>,
    owner: Option<OwnerReference>,
    /// Namespaces that have it, as far as we wrote it.
    written: Arc<Mutex<BTreeSet<String>>>,
}

impl Bundles {
    pub(crate) fn new(client: Client, pem: String, owner: Option<OwnerReference>) -> Self {
        Self { client, pem: pem.into(), owner, written: Arc::default() }
    }

    /// Sees to it that pods of `namespace` find the bundle.
    pub(crate) async fn provide(&self, namespace: &str) {
        if self.written().contains(namespace) {
            return;
        }
        match self.write(namespace).await {
            Ok(()) => drop(self.written().insert(namespace.to_owned())),
            // Its kubelet waits for the ConfigMap, and we come again.
            Err(error) => tracing::warn!(namespace, %error, "the trust bundle cannot be written: pods there will wait for it"),
        }
    }

    /// Keeps it in every namespace that has meshed pods, for ever.
    pub(crate) async fn keep(self, state: State) {
        loop {
            tokio::time::sleep(LOOK_AGAIN).await;
            let wanted: BTreeSet<String> =
                state.inspect(|index| index.pods().filter(|pod| pod.meshed).map(|pod| pod.key.namespace.clone()).collect());
            // What is not wanted may be wanted again by a namespace of the same name.
            *self.written() = BTreeSet::new();
            for namespace in wanted {
                self.provide(&namespace).await;
            }
        }
    }

    async fn write(&self, namespace: &str) -> kube::Result<()> {
        let maps: Api<ConfigMap> = Api::namespaced(self.client.clone(), namespace);
        let map = json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": inject::BUNDLE_CONFIG_MAP,
                "labels": { "app.kubernetes.io/part-of": "weft" },
                "ownerReferences": self.owner.as_slice(),
            },
            "data": { inject::BUNDLE_FILE: &*self.pem },
        });
        maps.patch(inject::BUNDLE_CONFIG_MAP, &PatchParams::apply(MANAGER).force(), &Patch::Apply(map)).await.map(drop)
    }

    fn written(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        // What is inside stays whole whatever panics around it.
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
