//! The API server, as an administrator asks it: many objects at once.

use std::{fmt::Debug, path::Path};

use anyhow::Context as _;
use futures_util::{StreamExt as _, TryStreamExt as _, future, stream};
use k8s_openapi::{
    NamespaceResourceScope,
    api::{core::v1::Pod, discovery::v1::EndpointSlice},
};
use kube::{
    Client, Config, Resource,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
    config::{KubeConfigOptions, Kubeconfig},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;
use tokio::runtime::{Builder, Runtime};

use super::objects;

/// Requests that are under way at once.
const TOGETHER: usize = 32;

/// Namespace of control.
const SYSTEM: &str = "weft-system";

/// How its pods are found.
const LABEL: &str = "app.kubernetes.io/name=weft-control";

/// An API server.
pub(super) struct Api {
    runtime: Runtime,
    client: Client,
}

impl Api {
    /// The one that `kubeconfig` names.
    pub(super) fn connect(kubeconfig: &Path) -> anyhow::Result<Self> {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let kubeconfig = Kubeconfig::read_from(kubeconfig)?;
        let config = runtime.block_on(Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()))?;
        let client = {
            // It starts a task.
            let _inside = runtime.enter();
            Client::try_from(config)?
        };
        Ok(Self { runtime, client })
    }

    /// Of what release it is.
    pub(super) fn version(&self) -> anyhow::Result<String> {
        Ok(self.runtime.block_on(self.client.apiserver_version())?.git_version)
    }

    /// Writes new objects of [`objects::NAMESPACE`].
    pub(super) fn create<K: Stored>(&self, new: impl IntoIterator<Item = anyhow::Result<K>>) -> anyhow::Result<()> {
        let api: kube::Api<K> = kube::Api::namespaced(self.client.clone(), objects::NAMESPACE);
        self.each(new, |object| {
            let api = api.clone();
            async move { Ok(api.create(&PostParams::default(), &object?).await.map(drop)?) }
        })
    }

    /// The same of pods, which are then said to run.
    pub(super) fn run(&self, pods: impl IntoIterator<Item = Pod>) -> anyhow::Result<()> {
        let api: kube::Api<Pod> = kube::Api::namespaced(self.client.clone(), objects::NAMESPACE);
        self.each(pods, |pod| {
            let api = api.clone();
            async move {
                let created = api.create(&PostParams::default(), &pod).await?;
                let name = created.metadata.name.context("a pod has a name")?;
                let status = Patch::Merge(json!({ "status": pod.status }));
                Ok(api.patch_status(&name, &PatchParams::default(), &status).await.map(drop)?)
            }
        })
    }

    /// Replaces the endpoints of a service: the last of them tells of an edit.
    pub(super) fn edit(&self, service: u16, endpoints: u16, edit: u16) -> anyhow::Result<()> {
        let api: kube::Api<EndpointSlice> = kube::Api::namespaced(self.client.clone(), objects::NAMESPACE);
        let endpoints = Patch::Merge(json!({ "endpoints": objects::endpoints(service, endpoints, Some(edit))? }));
        let patched = async { api.patch(&objects::slice_name(service), &PatchParams::default(), &endpoints).await };
        Ok(self.runtime.block_on(patched).map(drop)?)
    }

    /// A pod.
    pub(super) fn pod(&self, namespace: &str, name: &str) -> anyhow::Result<Pod> {
        Ok(self.runtime.block_on(kube::Api::namespaced(self.client.clone(), namespace).get(name))?)
    }

    /// A pod of control; `None` while there is none.
    pub(super) fn control(&self) -> anyhow::Result<Option<Pod>> {
        let api: kube::Api<Pod> = kube::Api::namespaced(self.client.clone(), SYSTEM);
        Ok(self.runtime.block_on(api.list(&ListParams::default().labels(LABEL)))?.items.pop())
    }

    /// Takes a pod of control away, at once: it is nobody's endpoint any more.
    pub(super) fn forget_control(&self, pod: &Pod) -> anyhow::Result<()> {
        let api: kube::Api<Pod> = kube::Api::namespaced(self.client.clone(), SYSTEM);
        let name = pod.metadata.name.as_deref().context("a pod has a name")?;
        Ok(self.runtime.block_on(api.delete(name, &DeleteParams::default().grace_period(0))).map(drop)?)
    }

    fn each<T, F: Future<Output = anyhow::Result<()>>>(
        &self,
        all: impl IntoIterator<Item = T>,
        work: impl Fn(T) -> F,
    ) -> anyhow::Result<()> {
        let done = stream::iter(all).map(work).buffer_unordered(TOGETHER);
        self.runtime.block_on(done.try_for_each(|()| future::ok(())))
    }
}

/// What lives in a namespace and can be written.
pub(super) trait Stored:
    Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned + Serialize
{
}

impl<K> Stored for K where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned + Serialize
{
}
