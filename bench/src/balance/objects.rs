//! What is balanced over.

use serde_json::{Value, json};
use tests::script;

/// Endpoints, of which the first is slow.
pub(super) const ENDPOINTS: u8 = 5;

/// Ways to balance, as a policy names them.
pub(super) const BALANCERS: [&str; 4] = ["PeakEwma", "LeastRequest", "RoundRobin", "Random"];

/// The service that is balanced so.
pub(super) fn service_of(balancer: &str) -> String {
    balancer.to_lowercase()
}

/// All manifests.
pub(super) fn all() -> String {
    let services = BALANCERS.iter().flat_map(|balancer| [service(balancer), policy(balancer)]);
    (0..ENDPOINTS).map(endpoint).chain(services).map(|object| format!("---\n{object}\n")).collect()
}

fn metadata(name: &str) -> Value {
    json!({ "name": name, "namespace": "shop", "labels": { "app": "cart" } })
}

fn endpoint(number: u8) -> Value {
    let name = format!("cart-{number}");
    let command = ["python3", &script("moody/app.py"), &name, "8080", &format!("mood-{name}")];
    json!({
        "apiVersion": "weft.dev/v1alpha1",
        "kind": "Workload",
        "metadata": metadata(&name),
        "spec": { "command": command, "serviceAccountName": "cart", "ports": [{ "containerPort": 8080 }] },
    })
}

fn service(balancer: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(&service_of(balancer)),
        "spec": { "selector": { "app": "cart" }, "ports": [{ "port": 80, "targetPort": 8080 }] },
    })
}

fn policy(balancer: &str) -> Value {
    json!({
        "apiVersion": "weft.dev/v1alpha1",
        "kind": "TrafficPolicy",
        "metadata": metadata(&service_of(balancer)),
        "spec": {
            "targetRefs": [{ "group": "", "kind": "Service", "name": service_of(balancer) }],
            "balancer": { "type": balancer },
        },
    })
}
