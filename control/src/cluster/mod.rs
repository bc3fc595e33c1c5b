//! What control does in a cluster besides following it.
//!
//! | room | what |
//! |---|---|
//! | `ca` | the root, in a Secret |
//! | `bundles` | the trust bundle, in every namespace with sidecars |
//! | `webhook` | what the API server needs to believe our webhook |
//! | `statuses` | what is told to whoever wrote routes and policies |
//! | `events` | what people are told who look with kubectl |
//! | `owner` | whose all of that is |
//! | `lease` | who of several replicas does what one is enough for |
//!
//! Everything here may be done by several replicas: done twice it is done once.

mod bundles;
mod ca;
mod events;
mod lease;
mod owner;
mod statuses;
mod webhook;

use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use certs::issue::Authority;
use k8s_openapi::apimachinery::pkg::version::Info;
use kube::{Client, Config};
use tokio::net::TcpListener;

use crate::{
    admit::{self, Beside},
    metrics::Metrics,
    settings::Injection,
    state::State,
};
use bundles::Bundles;
pub(crate) use ca::authority;

/// As whom we write: what is ours in an object is told by this.
const MANAGER: &str = "weft-control";

/// The Lease of the replica that does what one is enough for.
pub(crate) const LEASE: &str = "weft-control";

/// The first API server whose pods may have sidecars of their own kind.
const NATIVE_SIDECARS: (u32, u32) = (1, 29);

/// Finds the API server: the one of the cluster we run in, or the one that `KUBECONFIG` names.
///
/// # Errors
/// There is none, or its configuration cannot be used.
pub(crate) async fn connect() -> anyhow::Result<Client> {
    let config =
        Config::infer().await.context("no API server is configured: run in a pod with a service account, or set KUBECONFIG")?;
    Client::try_from(config).context("the API server's configuration cannot be used")
}

/// What adding sidecars takes.
pub(crate) struct Injector {
    pub(crate) client: Client,
    pub(crate) authority: Arc<Authority>,
    pub(crate) state: State,
    pub(crate) metrics: Metrics,
    /// Where we run.
    pub(crate) namespace: String,
    /// What tells this replica from others.
    pub(crate) replica: String,
    pub(crate) injection: Injection,
    pub(crate) listener: TcpListener,
}

impl Injector {
    /// Adds sidecars to pods as they are created, and keeps everything that this takes as it must be.
    ///
    /// # Errors
    /// The API server is too old, or there is no certificate for it.
    pub(crate) async fn begin(self) -> anyhow::Result<()> {
        let Self { client, authority, state, metrics, namespace, replica, injection, listener } = self;
        let Injection { settings, webhook, .. } = injection;
        let version = client.apiserver_version().await.context("the API server does not tell its version")?;
        native_sidecars(&version).map_err(|why| anyhow!(why))?;
        let root = authority.bundle().to_pem();
        let names = vec![settings.control.clone(), format!("{}.cluster.local", settings.control)];
        let tls = webhook::tls(authority, names)?;
        let owner = owner::owner(&client).await;
        let bundles = Bundles::new(client.clone(), root.clone(), owner.clone());
        let (telling, providing) = (client.clone(), bundles.clone());
        tokio::spawn(admit::serve(listener, tls, settings, move |beside| {
            let (client, bundles) = (telling.clone(), providing.clone());
            async move {
                match beside {
                    Beside::Nothing => {}
                    Beside::Bundle { namespace } => bundles.provide(&namespace).await,
                    Beside::Tell { namespace, owner, why } => events::tell(client, &namespace, &owner, &why).await,
                }
            }
        }));
        let leading = client.clone();
        let once = move || {
            let (client, webhook, root) = (client.clone(), webhook.clone(), root.clone());
            let (bundles, state, metrics) = (bundles.clone(), state.clone(), metrics.clone());
            async move {
                let root = webhook::keep_root(client.clone(), webhook, root);
                tokio::join!(root, bundles.keep(state.clone()), statuses::keep(client, state, metrics));
            }
        };
        tokio::spawn(async move { lease::lead(leading, &namespace, (LEASE, owner), replica, once).await });
        Ok(())
    }
}

/// Whether pods of an API server can have sidecars of their own kind.
///
/// # Errors
/// Why not.
pub(crate) fn native_sidecars(version: &Info) -> Result<(), String> {
    let number = |text: &str| text.trim_end_matches(|letter: char| !letter.is_ascii_digit()).parse::<u32>().unwrap_or(0);
    let (major, minor) = (number(&version.major), number(&version.minor));
    if (major, minor) >= NATIVE_SIDECARS {
        return Ok(());
    }
    let (least_major, least_minor) = NATIVE_SIDECARS;
    Err(format!(
        "the API server is of version {major}.{minor}, whose pods cannot have native sidecars: Kubernetes {least_major}.{least_minor} or newer is needed"
    ))
}
