//! The cluster itself, whether the mesh is in it or not.

use k8s_openapi::{
    api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec},
    api::coordination::v1::Lease,
};
use kube::{
    Api, Client,
    api::{ListParams, PostParams},
};

use super::{Finding, Stage};
use crate::{clock, cluster::native_sidecars};

/// Certificates are valid from a minute before they are issued: clocks that differ by more refuse them.
const SKEW_SECONDS: i64 = 60;

/// What an installation makes: group, resource, and whether it is in a namespace.
const MADE: [(&str, &str, bool); 12] = [
    ("", "namespaces", false),
    ("", "serviceaccounts", true),
    ("", "services", true),
    ("apps", "deployments", true),
    ("policy", "poddisruptionbudgets", true),
    ("networking.k8s.io", "networkpolicies", true),
    ("rbac.authorization.k8s.io", "roles", true),
    ("rbac.authorization.k8s.io", "rolebindings", true),
    ("rbac.authorization.k8s.io", "clusterroles", false),
    ("rbac.authorization.k8s.io", "clusterrolebindings", false),
    ("apiextensions.k8s.io", "customresourcedefinitions", false),
    ("admissionregistration.k8s.io", "mutatingwebhookconfigurations", false),
];

/// Looks at it.
///
/// # Errors
/// It cannot be asked.
pub(super) async fn look(client: &Client, stage: Stage, namespace: &str) -> anyhow::Result<Vec<Finding>> {
    let version = client.apiserver_version().await?;
    let mut findings = vec![Finding::well(format!("the API server answers ({})", version.git_version))];
    let what = "its pods may have native sidecars";
    findings.push(match native_sidecars(&version) {
        Ok(()) => Finding::well(what),
        Err(why) => Finding::wrong(what, why, "use a cluster of Kubernetes 1.29 or newer"),
    });
    findings.extend(clock_of(client).await);
    if stage == Stage::Before {
        findings.push(rights(client, namespace).await?);
    }
    Ok(findings)
}

/// Compares our clock with the cluster's, as the holders of its leases tell it: some renew theirs every few seconds.
async fn clock_of(client: &Client) -> Option<Finding> {
    let leases = Api::<Lease>::all(client.clone()).list(&ListParams::default()).await.ok()?;
    let newest = leases.items.into_iter().filter_map(|lease| lease.spec?.renew_time).map(|time| time.0.as_second()).max()?;
    let now = i64::try_from(clock::wall().duration_since(std::time::SystemTime::UNIX_EPOCH).ok()?.as_secs()).ok()?;
    let what = "its clock and ours agree";
    let ahead = newest - now;
    if ahead <= SKEW_SECONDS {
        return Some(Finding::well(what));
    }
    Some(Finding::wrong(what, format!("it is {ahead} s ahead of ours"), "set the clocks of this machine and of the nodes by NTP"))
}

/// Whether we may make what an installation makes.
async fn rights(client: &Client, namespace: &str) -> anyhow::Result<Finding> {
    let reviews: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    let mut denied = Vec::new();
    for (group, resource, is_namespaced) in MADE {
        let attributes = ResourceAttributes {
            group: Some(group.to_owned()),
            resource: Some(resource.to_owned()),
            verb: Some(String::from("create")),
            namespace: is_namespaced.then(|| namespace.to_owned()),
            ..ResourceAttributes::default()
        };
        let spec =
            SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), ..SelfSubjectAccessReviewSpec::default() };
        let review = SelfSubjectAccessReview { spec, ..SelfSubjectAccessReview::default() };
        let reviewed = reviews.create(&PostParams::default(), &review).await?;
        if !reviewed.status.is_some_and(|status| status.allowed) {
            denied.push(resource);
        }
    }
    let what = "you may install";
    Ok(match denied.is_empty() {
        true => Finding::well(what),
        false => Finding::wrong(
            what,
            format!("you may not create {}", denied.join(", ")),
            "install as somebody who may, such as a member of cluster-admin",
        ),
    })
}
