//! Taking it out again: what was applied, and what control has made since.

use std::{collections::BTreeSet, fmt, time::Duration};

use inject::{BUNDLE_CONFIG_MAP, MESHED_ANNOTATION};
use k8s_openapi::api::{
    coordination::v1::Lease,
    core::v1::{ConfigMap, Pod, Secret},
};
use kube::{
    Api, Client, Resource, ResourceExt as _,
    api::{ApiResource, DeleteParams, DynamicObject, ListParams, PropagationPolicy},
    core::GroupVersionKind,
};
use serde::de::DeserializeOwned;

use super::{
    Removing,
    objects::{Places, read},
};
use crate::{clock, cluster::LEASE, manifest::policies, settings::CA_SECRET};

/// How long something may take to go: a namespace takes some seconds.
const PATIENCE: Duration = Duration::from_secs(90);

const LOOK: Duration = Duration::from_millis(500);

/// Removes. Says whether nothing is left.
pub(super) async fn remove(client: Client, removing: Removing<'_>) -> anyhow::Result<bool> {
    let Removing { manifests, namespace, force } = removing;
    let users = users(&client).await?;
    if !users.is_empty() && !force {
        eprintln!("weft: the mesh is in use; --force removes it all the same.");
        if users.pods > 0 {
            let namespaces = users.namespaces.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            eprintln!(
                "  {} pods have sidecars, in {namespaces}: without control they lose their certificates within a day.",
                users.pods
            );
            eprintln!("  Take the label {} from these namespaces and start their pods again.", inject::INJECT_LABEL);
        }
        if users.policies > 0 {
            eprintln!("  {} policies are there, and would go with their kinds.", users.policies);
        }
        return Ok(false);
    }
    let mut places = Places::new(client.clone());
    let mut going = Vec::new();
    // The webhook first: from then on pods are created without asking us.
    for wanted in read(manifests)?.into_iter().rev() {
        let name = wanted.object.metadata.name.clone().unwrap_or_default();
        // A kind that the cluster does not have has no objects.
        let Ok(place) = places.of(&wanted).await else { continue };
        going.extend(delete(&place, &name, &wanted).await?.then_some((place, name, wanted)));
    }
    made_since(&client, namespace).await?;
    let until = clock::now() + PATIENCE;
    let mut gone = true;
    for (place, name, wanted) in going {
        while place.get_opt(&name).await?.is_some() {
            if clock::now() >= until {
                eprintln!("  LEFT     {wanted}: it is going, and something holds it up");
                gone = false;
                break;
            }
            tokio::time::sleep(LOOK).await;
        }
    }
    Ok(gone)
}

/// Those who would miss it.
#[derive(Debug, Default)]
struct Users {
    pods: usize,
    policies: usize,
    namespaces: BTreeSet<String>,
}

impl Users {
    fn is_empty(&self) -> bool {
        self.pods == 0 && self.policies == 0
    }
}

async fn users(client: &Client) -> anyhow::Result<Users> {
    let mut users = Users::default();
    for pod in Api::<Pod>::all(client.clone()).list_metadata(&ListParams::default()).await?.items {
        if pod.annotations().get(MESHED_ANNOTATION).is_some_and(|value| value == "true") {
            users.pods += 1;
            users.namespaces.extend(pod.namespace());
        }
    }
    for kind in ["AuthorizationPolicy", "PeerAuthentication", "TrafficPolicy"] {
        let kind = ApiResource::from_gvk(&GroupVersionKind::gvk(policies::GROUP, policies::VERSION, kind));
        match Api::<DynamicObject>::all_with(client.clone(), &kind).list_metadata(&ListParams::default()).await {
            Ok(policies) => users.policies += policies.items.len(),
            // The cluster does not have the kind.
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(users)
}

/// What control makes by itself: the trust bundle in every namespace, its CA and its Lease.
async fn made_since(client: &Client, namespace: &str) -> anyhow::Result<()> {
    let maps = Api::<ConfigMap>::all(client.clone());
    let named = ListParams::default().fields(&format!("metadata.name={BUNDLE_CONFIG_MAP}"));
    for map in maps.list_metadata(&named).await?.items {
        let within = map.namespace().unwrap_or_default();
        let what = format!("ConfigMap {within}/{BUNDLE_CONFIG_MAP}");
        delete(&Api::<ConfigMap>::namespaced(client.clone(), &within), BUNDLE_CONFIG_MAP, &what).await?;
    }
    let secrets = Api::<Secret>::namespaced(client.clone(), namespace);
    delete(&secrets, CA_SECRET, &format!("Secret {namespace}/{CA_SECRET}")).await?;
    let leases = Api::<Lease>::namespaced(client.clone(), namespace);
    delete(&leases, LEASE, &format!("Lease {namespace}/{LEASE}")).await?;
    Ok(())
}

/// Deletes one object, and what belongs to it. Says whether it was there.
async fn delete<K>(place: &Api<K>, name: &str, what: &impl fmt::Display) -> anyhow::Result<bool>
where
    K: Resource + Clone + DeserializeOwned + fmt::Debug,
{
    let params = DeleteParams { propagation_policy: Some(PropagationPolicy::Background), ..DeleteParams::default() };
    match place.delete(name, &params).await {
        Ok(_) => {
            println!("  removed  {what}");
            Ok(true)
        }
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(false),
        Err(error) => Err(error.into()),
    }
}
