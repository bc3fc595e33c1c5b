//! `weft install --apply` and `weft uninstall`: what was printed for a cluster, put into it and taken out again.
//!
//! In: manifests of our own. Out: lines that say what was done. What others own in an object is not touched unless that is asked for.

mod apply;
mod objects;
mod remove;

use std::process::ExitCode;

use kube::Client;
use tokio::runtime::Builder;

use crate::cluster::connect;

/// As whom we write what people install.
const MANAGER: &str = "weft";

/// The cluster cannot be asked.
const UNREACHABLE: u8 = 2;

/// How to apply.
#[derive(Clone, Copy, Debug)]
pub struct Applying<'a> {
    /// What is applied, in this order.
    pub manifests: &'a str,
    /// Namespace in which control runs.
    pub namespace: &'a str,
    /// Take what others own.
    pub force: bool,
}

/// Applies manifests to the cluster that `KUBECONFIG` names, and waits until control runs and the API server believes it. The exit
/// code is 0 when it does, 1 when something could not be applied or does not come to run, 2 when the cluster cannot be asked.
pub fn apply(applying: Applying<'_>) -> ExitCode {
    in_cluster(async |client| apply::apply(client, applying).await)
}

/// How to remove.
#[derive(Clone, Copy, Debug)]
pub struct Removing<'a> {
    /// What was applied; it is removed in the opposite order.
    pub manifests: &'a str,
    /// Namespace in which control runs.
    pub namespace: &'a str,
    /// Even while somebody uses it.
    pub force: bool,
}

/// Removes from the cluster that `KUBECONFIG` names what was applied, and what control has made there since. The exit code is 0 when
/// nothing is left, 1 when something is, 2 when the cluster cannot be asked.
pub fn remove(removing: Removing<'_>) -> ExitCode {
    in_cluster(async |client| remove::remove(client, removing).await)
}

fn in_cluster(act: impl AsyncFnOnce(Client) -> anyhow::Result<bool>) -> ExitCode {
    let acted = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(async { act(connect().await?).await }));
    match acted {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("weft: the cluster cannot be asked: {error:#}\n  is KUBECONFIG set, and is it the right cluster?");
            ExitCode::from(UNREACHABLE)
        }
    }
}
