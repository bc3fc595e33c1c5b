//! The kubelet's questions to the app, which the sidecar asks in its place.
//!
//! A kubelet proves no identity, so an app that takes calls of the mesh alone would fail its probes. The kubelet is sent to the sidecar,
//! which asks the app what the kubelet would have asked, each time anew, and answers as the app did. Nobody else gets at the app by it:
//! what can be asked is written down here. Commands (`exec`) run inside the container and are left as they are.

use serde_json::{Map, Value, json};

use crate::ports::ADMIN_PORT;

/// What a container can be asked: where, and under which name.
const QUESTIONS: [(&str, &str); 5] = [
    ("/startupProbe", "startup"),
    ("/livenessProbe", "liveness"),
    ("/readinessProbe", "readiness"),
    ("/lifecycle/postStart", "post-start"),
    ("/lifecycle/preStop", "pre-stop"),
];

/// Ways of asking that need the network.
const WAYS: [&str; 3] = ["httpGet", "tcpSocket", "grpc"];

/// Original questions by the path at which the sidecar is asked for them.
pub(crate) type Probes = Map<String, Value>;

/// Sends the kubelet to the sidecar. Returns what it would have asked.
pub(crate) fn take_over(pod: &mut Value) -> Probes {
    let mut probes = Probes::new();
    for list in ["/spec/initContainers", "/spec/containers"] {
        for container in pod.pointer_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            let name = container["name"].as_str().unwrap_or_default().to_owned();
            let ports = container["ports"].clone();
            for (place, word) in QUESTIONS {
                let Some(question) = container.pointer_mut(place) else { continue };
                let path = format!("/probe/{name}/{word}");
                if let Some(original) = replace(question, &ports, &path) {
                    probes.insert(path, original);
                }
            }
        }
    }
    probes
}

/// Asks `question` at `path` of the sidecar. Returns what it was; `None` if it needs no network.
fn replace(question: &mut Value, ports: &Value, path: &str) -> Option<Value> {
    let fields = question.as_object_mut()?;
    let way = WAYS.into_iter().find(|way| fields.contains_key(*way))?;
    let mut asked = fields.remove(way)?;
    let original = asked.clone();
    if let Some(port) = asked.get_mut("port")
        && let Some(number) = port.as_str().and_then(|name| numbered(ports, name))
    {
        *port = json!(number);
    }
    let seconds = fields.get("timeoutSeconds").and_then(Value::as_u64).unwrap_or(1);
    fields.insert(String::from("httpGet"), json!({ "path": path, "port": ADMIN_PORT, "scheme": "HTTP" }));
    Some(json!({ way: asked, "timeoutSeconds": seconds, "original": original }))
}

/// The number of a port that is named.
fn numbered(ports: &Value, name: &str) -> Option<u64> {
    let mut ports = ports.as_array().into_iter().flatten();
    ports.find(|port| port["name"] == name)?["containerPort"].as_u64()
}

/// Sends the kubelet to the app again.
pub(crate) fn give_back(pod: &mut Value, probes: &Probes) {
    for list in ["/spec/initContainers", "/spec/containers"] {
        for container in pod.pointer_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            for (place, _) in QUESTIONS {
                let Some(fields) = container.pointer_mut(place).and_then(Value::as_object_mut) else { continue };
                let Some(known) = fields.get("httpGet").and_then(|get| probes.get(get["path"].as_str()?)) else { continue };
                if let Some(way) = WAYS.into_iter().find(|way| known.get(way).is_some()) {
                    fields.remove("httpGet");
                    fields.insert(way.to_owned(), known["original"].clone());
                }
            }
        }
    }
}
