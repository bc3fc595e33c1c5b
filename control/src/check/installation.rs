//! Control, and what the API server knows of it.

use k8s_openapi::{
    api::{
        admissionregistration::v1::MutatingWebhookConfiguration, apps::v1::Deployment, coordination::v1::Lease,
        core::v1::ConfigMap,
    },
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{Api, Client};
use x509_parser::pem::Pem;

use super::Finding;
use crate::clock;

/// The definitions of our own kinds.
const KINDS: [&str; 3] = ["authorizationpolicies.weft.dev", "peerauthentications.weft.dev", "trafficpolicies.weft.dev"];

/// Days before its end from which a root should be replaced.
const ROOT_DAYS: i64 = 30;

/// A Lease that nobody has renewed for so many seconds has no holder.
const LEASE_SECONDS: i64 = 30;

/// Looks at it. Besides what was found it returns the roots that the API server knows us by.
///
/// # Errors
/// The cluster cannot be asked.
pub(super) async fn look(client: &Client, namespace: &str) -> anyhow::Result<(Vec<Finding>, Vec<u8>)> {
    let mut findings = vec![control(client, namespace).await?];
    let (found, roots) = webhooks(client).await?;
    findings.extend(found);
    findings.extend(root(&roots));
    findings.extend(leader(client, namespace).await?);
    findings.push(kinds(client).await?);
    Ok((findings, roots))
}

/// Whether control runs and the API server believes its webhook.
///
/// # Errors
/// The cluster cannot be asked.
pub(super) async fn ready(client: &Client, namespace: &str) -> anyhow::Result<Vec<Finding>> {
    let mut findings = vec![control(client, namespace).await?];
    findings.extend(webhooks(client).await?.0);
    Ok(findings)
}

async fn control(client: &Client, namespace: &str) -> anyhow::Result<Finding> {
    let what = "control runs";
    let found = Api::<Deployment>::namespaced(client.clone(), namespace).get_opt("weft-control").await?;
    let Some(deployment) = found else {
        let why = format!("there is no Deployment {namespace}/weft-control");
        return Ok(Finding::wrong(what, why, "install it: weft install | kubectl apply --server-side -f -"));
    };
    let wanted = deployment.spec.and_then(|spec| spec.replicas).unwrap_or(1);
    let there = deployment.status.and_then(|status| status.available_replicas).unwrap_or(0);
    let look = format!("look at kubectl -n {namespace} get pods, and at their logs");
    Ok(match there {
        0 => Finding::wrong(what, format!("none of {wanted} replicas is available"), look),
        _ if there < wanted => Finding::notable(what, format!("{there} of {wanted} replicas are available"), look),
        _ => Finding::well(format!("{what} ({there} replicas)")),
    })
}

async fn webhooks(client: &Client) -> anyhow::Result<(Vec<Finding>, Vec<u8>)> {
    let what = "pods are given sidecars";
    let found = Api::<MutatingWebhookConfiguration>::all(client.clone()).get_opt("weft-injector").await?;
    let Some(configuration) = found else {
        let finding =
            Finding::wrong(what, "there is no MutatingWebhookConfiguration weft-injector", "install it again: weft install");
        return Ok((vec![finding], Vec::new()));
    };
    let webhooks = configuration.webhooks.unwrap_or_default();
    let roots: Vec<Vec<u8>> = webhooks
        .iter()
        .map(|webhook| webhook.client_config.ca_bundle.clone().map(|bundle| bundle.0).unwrap_or_default())
        .collect();
    let first = roots.first().cloned().unwrap_or_default();
    let finding = match roots.iter().all(|root| !root.is_empty() && *root == first) {
        true => Finding::well(what),
        false => Finding::wrong(
            what,
            "the API server does not know control's root",
            "control writes it: is one of its replicas leading, and does nobody else write the field caBundle of weft-injector?",
        ),
    };
    let opens = webhooks.iter().any(|webhook| webhook.failure_policy.as_deref() == Some("Ignore"));
    let open = opens.then(|| {
        Finding::notable(
            "no pod is created without its sidecar",
            "a webhook's failurePolicy is Ignore: while control is gone pods are created that speak in plaintext",
            "set it to Fail, unless you mean it",
        )
    });
    Ok(([finding].into_iter().chain(open).collect(), first))
}

/// How long the root lives.
fn root(roots: &[u8]) -> Option<Finding> {
    let what = "the root is valid";
    let now = i64::try_from(clock::wall().duration_since(std::time::SystemTime::UNIX_EPOCH).ok()?.as_secs()).ok()?;
    let ends = Pem::iter_from_buffer(roots).filter_map(|pem| Some(pem.ok()?.parse_x509().ok()?.validity().not_after.timestamp()));
    let days = (ends.min()? - now) / (24 * 60 * 60);
    Some(match days {
        ..=0 => Finding::wrong(
            what,
            "it has ended: nobody believes anybody",
            "replace the Secret of the CA, and start control and all pods again",
        ),
        1..=ROOT_DAYS => Finding::notable(what, format!("it ends in {days} days"), "replace it before that"),
        _ => Finding::well(format!("{what} (for {days} days)")),
    })
}

/// Whether the cluster has the kinds of our own.
async fn kinds(client: &Client) -> anyhow::Result<Finding> {
    let what = "policies can be written";
    let definitions = Api::<CustomResourceDefinition>::all(client.clone());
    for kind in KINDS {
        if definitions.get_opt(kind).await?.is_none() {
            return Ok(Finding::notable(
                what,
                format!("there is no CustomResourceDefinition {kind}"),
                "install it: weft install does, unless it is told --skip-crds; or the chart deploy/chart-crds",
            ));
        }
    }
    Ok(Finding::well(what))
}

async fn leader(client: &Client, namespace: &str) -> anyhow::Result<Option<Finding>> {
    let what = "one replica of control leads";
    let lease = Api::<Lease>::namespaced(client.clone(), namespace).get_opt("weft-control").await?;
    let renewed = lease.and_then(|lease| lease.spec?.renew_time).map(|time| time.0.as_second());
    let now = clock::wall().duration_since(std::time::SystemTime::UNIX_EPOCH)?.as_secs();
    let age = renewed.map(|renewed| i64::try_from(now).unwrap_or(i64::MAX) - renewed);
    Ok(match age {
        Some(age) if age <= LEASE_SECONDS => Some(Finding::well(what)),
        Some(age) => Some(Finding::wrong(
            what,
            format!("the Lease {namespace}/weft-control was renewed {age} s ago"),
            "look at control's logs",
        )),
        None => Some(Finding::wrong(what, format!("there is no Lease {namespace}/weft-control"), "look at control's logs")),
    })
}

/// Whether the trust bundle of `namespace` is `roots`.
///
/// # Errors
/// The cluster cannot be asked.
pub(super) async fn bundle(client: &Client, namespace: &str, roots: &[u8]) -> anyhow::Result<bool> {
    let map = Api::<ConfigMap>::namespaced(client.clone(), namespace).get_opt(inject::BUNDLE_CONFIG_MAP).await?;
    let pem = map.and_then(|map| map.data?.remove(inject::BUNDLE_FILE));
    Ok(pem.is_some_and(|pem| pem.as_bytes() == roots))
}
