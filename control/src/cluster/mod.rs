//! What control does in a cluster besides following it: finding its API server, and keeping its root there.
//!
//! Everything here is done by any replica, and done twice it is done once.

mod ca;

use anyhow::Context as _;
use kube::{Client, Config};

pub(crate) use ca::authority;

/// Finds the API server: the one of the cluster we run in, or the one that `KUBECONFIG` names.
///
/// # Errors
/// There is none, or its configuration cannot be used.
pub(crate) async fn connect() -> anyhow::Result<Client> {
    let config =
        Config::infer().await.context("no API server is configured: run in a pod with a service account, or set KUBECONFIG")?;
    Client::try_from(config).context("the API server's configuration cannot be used")
}
