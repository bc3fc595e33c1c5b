//! What no sidecar can be added to.

use serde_json::Value;

use crate::{INIT_CONTAINER, PROXY_CONTAINER, PROXY_USER, VOLUME, ports::PORTS};

/// Everything that stands against a sidecar in `pod`, which has none.
pub(crate) fn complaints(pod: &Value) -> Vec<String> {
    let spec = &pod["spec"];
    let mut complaints = Vec::new();
    if spec["hostNetwork"] == true {
        complaints.push(String::from(
            "it is on its node's network (hostNetwork), where redirect rules would be those of the node: set the label \
             weft.dev/inject=disabled, or leave hostNetwork out",
        ));
    }
    if spec["os"]["name"].as_str().is_some_and(|name| name != "linux") {
        complaints.push(String::from("it runs on another system than Linux: set the label weft.dev/inject=disabled"));
    }
    let runs_as = |context: &Value| context["runAsUser"] == PROXY_USER;
    let all = || ["initContainers", "containers"].into_iter().flat_map(|list| spec[list].as_array().into_iter().flatten());
    let mut same_user: Vec<&str> = all().filter(|container| runs_as(&container["securityContext"])).filter_map(name).collect();
    if runs_as(&spec["securityContext"]) {
        same_user.push("the pod");
    }
    if !same_user.is_empty() {
        complaints.push(format!(
            "{} runs as user {PROXY_USER}, as the sidecar does: its connections would go past the mesh. Choose another user",
            same_user.join(", ")
        ));
    }
    for container in all() {
        let of = name(container).unwrap_or("a container");
        if [INIT_CONTAINER, PROXY_CONTAINER].contains(&of) {
            complaints.push(format!("it has a container called {of} that is not ours: call it something else"));
        }
        for port in container["ports"].as_array().into_iter().flatten() {
            if let Some(number) = port["containerPort"].as_u64().filter(|number| PORTS.contains(number)) {
                complaints.push(format!("{of} has port {number}, which is the sidecar's: choose another"));
            }
        }
    }
    if spec["volumes"].as_array().into_iter().flatten().any(|volume| volume["name"] == VOLUME) {
        complaints.push(format!("it has a volume called {VOLUME} that is not ours: call it something else"));
    }
    complaints
}

fn name(container: &Value) -> Option<&str> {
    container["name"].as_str()
}
