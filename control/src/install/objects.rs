//! The objects in manifests of our own, and where the API server has them.

use std::{collections::BTreeMap, fmt};

use anyhow::Context as _;
use kube::{
    Api, Client,
    api::{DynamicObject, TypeMeta},
    core::GroupVersionKind,
    discovery::{ApiCapabilities, ApiResource, Scope, pinned_kind},
};

/// An object as it is written.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) object: DynamicObject,
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.object.types.as_ref().map_or("", |types| &types.kind);
        let metadata = &self.object.metadata;
        write!(f, "{kind} ")?;
        if let Some(namespace) = &metadata.namespace {
            write!(f, "{namespace}/")?;
        }
        f.write_str(metadata.name.as_deref().unwrap_or_default())
    }
}

/// The objects in `manifests`, in their order.
///
/// # Errors
/// They are not what we write.
pub(super) fn read(manifests: &str) -> anyhow::Result<Vec<Wanted>> {
    let documents = manifests.split("\n---\n").filter(|document| !document.trim().is_empty());
    let object = |document: &str| serde_saphyr::from_str(document).map(|object| Wanted { object });
    documents.map(object).collect::<Result<_, _>>().context("our own manifests cannot be read; this is a bug of ours")
}

/// Finds where kinds are.
pub(super) struct Places {
    client: Client,
    known: BTreeMap<(String, String), (ApiResource, ApiCapabilities)>,
}

impl Places {
    pub(super) fn new(client: Client) -> Self {
        Self { client, known: BTreeMap::new() }
    }

    /// Where `wanted` is read and written.
    ///
    /// # Errors
    /// The cluster does not have its kind, or cannot be asked.
    pub(super) async fn of(&mut self, wanted: &Wanted) -> anyhow::Result<Api<DynamicObject>> {
        let TypeMeta { api_version, kind } = wanted.object.types.clone().context("an object without a kind")?;
        let key = (api_version.clone(), kind.clone());
        if !self.known.contains_key(&key) {
            let (group, version) = api_version.split_once('/').unwrap_or(("", &api_version));
            let found = pinned_kind(&self.client, &GroupVersionKind::gvk(group, version, &kind)).await;
            self.known.insert(key.clone(), found.with_context(|| format!("the cluster has no {kind} of {api_version}"))?);
        }
        let (resource, capabilities) = &self.known[&key];
        Ok(match (&capabilities.scope, &wanted.object.metadata.namespace) {
            (Scope::Namespaced, Some(namespace)) => Api::namespaced_with(self.client.clone(), namespace, resource),
            _ => Api::all_with(self.client.clone(), resource),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_told_by_their_kinds_and_names() {
        let manifests = "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n---\napiVersion: v1\nkind: Service\nmetadata: {name: b, namespace: a}\n";
        let told: Vec<String> = read(manifests).unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(told, ["Namespace a", "Service a/b"]);
        assert!(read("- 1").is_err());
    }
}
