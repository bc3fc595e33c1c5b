//! Sidecars: those that should be there, and those that are.

use std::collections::{BTreeMap, BTreeSet};

use inject::{INJECT_LABEL, PROXY_CONTAINER};
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::{Api, Client, ResourceExt as _, api::ListParams};

use super::{
    Finding, answers,
    installation::bundle,
    pods::{is_meshed, is_over, named},
};

/// Looks at them.
///
/// # Errors
/// The cluster cannot be asked.
pub(super) async fn look(client: &Client, roots: &[u8]) -> anyhow::Result<Vec<Finding>> {
    let enabled = ListParams::default().labels(&format!("{INJECT_LABEL}=enabled"));
    let namespaces = Api::<Namespace>::all(client.clone()).list(&enabled).await?;
    let labelled: BTreeSet<String> = namespaces.items.iter().map(|namespace| namespace.name_any()).collect();
    let pods = Api::<Pod>::all(client.clone()).list(&ListParams::default()).await?.items;
    let mut findings = vec![everybody(&labelled, &pods), all_ready(&pods)];
    findings.extend(answers::look(client, &pods).await);
    let images = images(&pods);
    if images.len() > 1 {
        let told: Vec<String> = images.iter().map(|(image, count)| format!("{image} ({count})")).collect();
        findings.push(Finding::notable(
            "all sidecars are of one image",
            told.join(", "),
            "start the older pods again, when it suits you",
        ));
    }
    let mut without = Vec::new();
    for namespace in pods.iter().filter(|pod| is_meshed(pod)).filter_map(kube::ResourceExt::namespace).collect::<BTreeSet<_>>() {
        if !bundle(client, &namespace, roots).await? {
            without.push(namespace);
        }
    }
    let what = "namespaces with sidecars have the trust bundle";
    findings.push(match without.is_empty() {
        true => Finding::well(what),
        false => Finding::wrong(
            what,
            format!("it is missing or another in {}", without.join(", ")),
            format!(
                "control writes the ConfigMap {} within a minute: is one of its replicas leading?",
                inject::BUNDLE_CONFIG_MAP
            ),
        ),
    });
    Ok(findings)
}

/// Pods that were there before their namespace was labelled have none.
fn everybody(labelled: &BTreeSet<String>, pods: &[Pod]) -> Finding {
    let what = "pods of labelled namespaces have sidecars";
    let wants = |pod: &&Pod| {
        let namespace = pod.namespace().unwrap_or_default();
        let unwilling = pod.labels().get(INJECT_LABEL).is_some_and(|word| word == "disabled");
        let unfit = pod.spec.as_ref().is_some_and(|spec| spec.host_network == Some(true));
        labelled.contains(&namespace) && !unwilling && !unfit && !is_over(pod)
    };
    let wanting: Vec<&Pod> = pods.iter().filter(wants).collect();
    let without: Vec<&Pod> = wanting.iter().copied().filter(|pod| !is_meshed(pod)).collect();
    match without.is_empty() {
        true => Finding::well(format!("{what} ({} pods)", wanting.len())),
        false => Finding::notable(
            what,
            format!("there is none in {}", named(&without)),
            "start them again: kubectl rollout restart; if that does not help, kubectl describe says why in an event",
        ),
    }
}

fn all_ready(pods: &[Pod]) -> Finding {
    let what = "sidecars are ready";
    let is_ready = |pod: &&Pod| {
        let statuses = pod.status.iter().flat_map(|status| status.init_container_statuses.iter().flatten());
        statuses.filter(|status| status.name == PROXY_CONTAINER).any(|status| status.ready)
    };
    let meshed: Vec<&Pod> = pods.iter().filter(|pod| is_meshed(pod) && !is_over(pod)).collect();
    let waiting: Vec<&Pod> = meshed.iter().copied().filter(|pod| !is_ready(pod)).collect();
    match waiting.is_empty() {
        true => Finding::well(format!("{what} ({})", meshed.len())),
        false => Finding::wrong(
            what,
            format!("those of {} are not", named(&waiting)),
            format!("kubectl logs POD -c {PROXY_CONTAINER} says what it waits for"),
        ),
    }
}

fn images(pods: &[Pod]) -> BTreeMap<String, usize> {
    let mut images = BTreeMap::new();
    for pod in pods.iter().filter(|pod| is_meshed(pod) && !is_over(pod)) {
        let containers = pod.spec.iter().flat_map(|spec| spec.init_containers.iter().flatten());
        for container in containers.filter(|container| container.name == PROXY_CONTAINER) {
            *images.entry(container.image.clone().unwrap_or_default()).or_default() += 1;
        }
    }
    images
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::check::{
        Verdict,
        pods::tests::{meshed, pod},
    };

    #[test]
    fn who_came_before_the_label_is_named() {
        let labelled = BTreeSet::from([String::from("shop")]);
        let host = pod("host", json!({ "spec": { "hostNetwork": true, "containers": [] } }));
        let done = pod("done", json!({ "status": { "phase": "Succeeded" } }));
        assert_eq!(everybody(&labelled, &[meshed("a", true), host, done]).verdict, Verdict::Well);
        let early = pod("early", json!({}));
        let Verdict::Notable { why, .. } = everybody(&labelled, &[early]).verdict else { panic!("it is well") };
        assert!(why.contains("shop/early"), "{why}");
    }

    #[test]
    fn a_sidecar_that_waits_is_named() {
        assert_eq!(all_ready(&[meshed("a", true)]).verdict, Verdict::Well);
        let many: Vec<Pod> = (0..8).map(|number| meshed(&format!("pod-{number}"), false)).collect();
        let Verdict::Wrong { why, .. } = all_ready(&many).verdict else { panic!("it is well") };
        assert!(why.contains("shop/pod-0") && why.contains("and 3 more"), "{why}");
    }
}
