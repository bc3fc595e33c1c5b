//! `weft check`: is this cluster fit for the mesh, and is the mesh in it as it must be?
//!
//! In: a cluster. Out: findings, each with what to do about it. Reading alone: nothing is changed.

mod answers;
mod cluster;
mod finding;
mod installation;
mod pods;
mod sidecars;

use std::process::ExitCode;

use kube::Client;
use tokio::runtime::Builder;

pub use finding::{Finding, Verdict};

use crate::cluster::connect;

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Before an installation: the cluster, and whether we may install.
    Before,
    /// After it: everything.
    After,
}

/// The cluster cannot be looked at.
const UNREACHABLE: u8 = 2;

/// Checks the cluster that `KUBECONFIG` or our own pod names, for a mesh whose control runs in `namespace`, and prints what was found.
/// The exit code is 0 when all is well or may be left as it is, 1 when something is wrong, 2 when the cluster cannot be asked.
pub fn run(stage: Stage, namespace: &str) -> ExitCode {
    let runtime = match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("weft: there is no runtime: {error}");
            return ExitCode::from(UNREACHABLE);
        }
    };
    match runtime.block_on(findings(stage, namespace)) {
        Ok(findings) => {
            findings.iter().for_each(|finding| println!("{finding}"));
            let is_wrong = findings.iter().any(|finding| matches!(finding.verdict, Verdict::Wrong { .. }));
            if is_wrong { ExitCode::FAILURE } else { ExitCode::SUCCESS }
        }
        Err(error) => {
            eprintln!("weft: the cluster cannot be asked: {error:#}\n  is KUBECONFIG set, and is it the right cluster?");
            ExitCode::from(UNREACHABLE)
        }
    }
}

/// Whether control runs, and the API server believes its webhook.
///
/// # Errors
/// The cluster cannot be asked.
pub(crate) async fn ready(client: &Client, namespace: &str) -> anyhow::Result<Vec<Finding>> {
    installation::ready(client, namespace).await
}

async fn findings(stage: Stage, namespace: &str) -> anyhow::Result<Vec<Finding>> {
    let client = connect().await?;
    let mut findings = cluster::look(&client, stage, namespace).await?;
    if stage == Stage::After {
        let (found, roots) = installation::look(&client, namespace).await?;
        findings.extend(found);
        findings.extend(sidecars::look(&client, &roots).await?);
    }
    Ok(findings)
}
