//! What the API server needs to believe our webhook: a certificate for its name, and the root of that in its configuration.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use arc_swap::ArcSwap;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use certs::{issue::Authority, request::Pending};
use futures_util::StreamExt as _;
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use kube::{
    Api, Client, ResourceExt as _,
    api::{Patch, PatchParams},
    runtime::{WatchStreamExt as _, watcher},
};
use rustls::ServerConfig;
use serde_json::json;

use super::MANAGER;
use crate::clock;

/// Life of the certificate; it is renewed when half of it is over.
const LIFE: Duration = Duration::from_secs(12 * 60 * 60);

/// The pause after a renewal that failed.
const PAUSE: Duration = Duration::from_secs(30);

/// The webhook's TLS, renewed for ever, for a server that is called `names`.
///
/// # Errors
/// The authority cannot issue.
pub(crate) fn tls(authority: Arc<Authority>, names: Vec<String>) -> anyhow::Result<Arc<ArcSwap<ServerConfig>>> {
    let config = Arc::new(ArcSwap::new(issue(&authority, &names)?));
    let kept = config.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(LIFE / 2).await;
            while let Err(error) = issue(&authority, &names).map(|new| kept.store(new)) {
                tracing::error!("the webhook's certificate cannot be renewed: {error:#}");
                tokio::time::sleep(PAUSE).await;
            }
        }
    });
    Ok(config)
}

fn issue(authority: &Authority, names: &[String]) -> anyhow::Result<Arc<ServerConfig>> {
    let pending = Pending::new()?;
    let issued = authority.issue_to_server(pending.csr_pem(), names, LIFE, clock::wall())?;
    pending.complete_server(&issued.chain_pem).context("the webhook's certificate cannot be used")
}

/// Keeps our root in the webhook configuration `name`, whoever writes to it: we own that one field of each webhook, and installers
/// leave it out.
pub(crate) async fn keep_root(client: Client, name: String, root_pem: String) {
    let configurations: Api<MutatingWebhookConfiguration> = Api::all(client);
    let root = STANDARD.encode(&root_pem);
    let one = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let mut seen = watcher(configurations.clone(), one).default_backoff().applied_objects().boxed();
    while let Some(seen) = seen.next().await {
        let Ok(configuration) = seen else { continue };
        let webhooks = configuration.webhooks.as_deref().unwrap_or_default();
        let has_root = |webhook: &k8s_openapi::api::admissionregistration::v1::MutatingWebhook| {
            webhook.client_config.ca_bundle.as_ref().is_some_and(|bundle| bundle.0 == root_pem.as_bytes())
        };
        if webhooks.iter().all(has_root) {
            continue;
        }
        let entries = webhooks.iter().map(|webhook| json!({ "name": webhook.name, "clientConfig": { "caBundle": root } }));
        let patch = json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingWebhookConfiguration",
            "metadata": { "name": configuration.name_any() },
            "webhooks": entries.collect::<Vec<_>>(),
        });
        match configurations.patch(&name, &PatchParams::apply(MANAGER).force(), &Patch::Apply(patch)).await {
            Ok(_) => tracing::info!(configuration = name, "the API server was told our root"),
            Err(error) => {
                tracing::warn!(configuration = name, %error, "the API server cannot be told our root: no sidecars are added")
            }
        }
    }
}
