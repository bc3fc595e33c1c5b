//! Whose our own objects are: with their owner they go too, whoever removes it.

use k8s_openapi::{api::rbac::v1::ClusterRole, apimachinery::pkg::apis::meta::v1::OwnerReference};
use kube::{Api, Client, Resource as _};

/// The object of an installation that owns what control makes: in no namespace, so that it can own things in each of them, and never
/// made anew by an upgrade, as a Deployment may be.
const OWNER: &str = "weft-control";

/// The owner; `None` where control was not installed as it is usually.
pub(crate) async fn owner(client: &Client) -> Option<OwnerReference> {
    let roles: Api<ClusterRole> = Api::all(client.clone());
    match roles.get_opt(OWNER).await {
        Ok(role) => role?.owner_ref(&()),
        Err(error) => {
            tracing::warn!(%error, "the ClusterRole {OWNER} cannot be read: what control makes will stay when it is removed");
            None
        }
    }
}
