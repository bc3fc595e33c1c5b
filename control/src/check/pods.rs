//! Pods, as findings speak of them.

use inject::MESHED_ANNOTATION;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;

/// Names of pods that one finding tells.
const NAMED: usize = 5;

pub(super) fn is_meshed(pod: &Pod) -> bool {
    pod.annotations().get(MESHED_ANNOTATION).is_some_and(|value| value == "true")
}

pub(super) fn is_over(pod: &Pod) -> bool {
    pod.status.as_ref().is_some_and(|status| matches!(status.phase.as_deref(), Some("Succeeded" | "Failed")))
}

pub(super) fn named(pods: &[&Pod]) -> String {
    let mut names: Vec<String> =
        pods.iter().take(NAMED).map(|pod| format!("{}/{}", pod.namespace().unwrap_or_default(), pod.name_any())).collect();
    if pods.len() > NAMED {
        names.push(format!("and {} more", pods.len() - NAMED));
    }
    names.join(", ")
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::{Value, json};

    use super::*;

    pub(crate) fn pod(name: &str, more: Value) -> Pod {
        let mut pod = json!({ "metadata": { "name": name, "namespace": "shop" }, "spec": { "containers": [] } });
        for (field, value) in more.as_object().unwrap() {
            pod[field] = value.clone();
        }
        serde_json::from_value(pod).unwrap()
    }

    pub(crate) fn meshed(name: &str, is_ready: bool) -> Pod {
        let metadata = json!({ "name": name, "namespace": "shop", "annotations": { "weft.dev/meshed": "true" } });
        let status = json!({ "name": "weft-proxy", "ready": is_ready, "image": "", "imageID": "", "restartCount": 0 });
        pod(name, json!({ "metadata": metadata, "status": { "initContainerStatuses": [status] } }))
    }
}
