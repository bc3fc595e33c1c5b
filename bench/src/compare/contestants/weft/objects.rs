//! What control is told: Kubernetes objects.

use serde_json::{Value, json};

use super::{
    super::super::{
        identities::NAMESPACE,
        network::{APP, APP_UNDECLARED, service},
    },
    End, Post, Traffic,
};

fn metadata(name: &str) -> Value {
    json!({ "name": name, "namespace": NAMESPACE })
}

pub(super) fn pod_of(word: &str, post: &Post, token_hash: &str) -> Value {
    let mut metadata = metadata(word);
    metadata["uid"] = json!(word);
    metadata["labels"] = json!({ "app": word, "weft.dev/workload": word });
    metadata["annotations"] = json!({ "weft.dev/meshed": "true", "weft.dev/token-sha256": token_hash });
    if post.traffic == Traffic::Opaque {
        metadata["annotations"]["weft.dev/opaque-ports"] = json!(APP.to_string());
    }
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {
            "serviceAccountName": post.end.word(),
            "containers": [{ "name": "app", "ports": [{ "containerPort": APP }] }],
        },
        "status": { "podIP": post.own, "podIPs": [{ "ip": post.own }] },
    })
}

pub(super) fn service_of(word: &str, post: &Post) -> Value {
    let address = service(post.pair);
    let mut metadata = metadata(word);
    if post.traffic == Traffic::Opaque {
        metadata["annotations"] = json!({ "weft.dev/opaque-ports": APP.to_string() });
    }
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {
            "clusterIP": address,
            "clusterIPs": [address],
            "selector": { "app": word },
            "ports": ports(post.traffic),
        },
    })
}

/// Protocols are declared, as people do who know them. Opaque is declared by annotation, and of one port.
fn ports(traffic: Traffic) -> Value {
    match traffic {
        Traffic::Http1 => json!([{ "name": "app", "port": APP, "appProtocol": "http" }]),
        Traffic::Http2 => json!([{ "name": "app", "port": APP, "appProtocol": "kubernetes.io/h2c" }]),
        Traffic::Grpc => json!([{ "name": "app", "port": APP, "appProtocol": "grpc" }]),
        Traffic::Opaque => json!([{ "name": "app", "port": APP }, { "name": "undeclared", "port": APP_UNDECLARED }]),
    }
}

pub(super) fn slice_of(word: &str, post: &Post) -> Value {
    let mut metadata = metadata(word);
    metadata["labels"] = json!({ "kubernetes.io/service-name": word });
    json!({
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": metadata,
        "addressType": "IPv4",
        "endpoints": [{
            "addresses": [post.own],
            "conditions": { "ready": true, "serving": true, "terminating": false },
            "targetRef": { "kind": "Pod", "name": word, "namespace": NAMESPACE },
        }],
        "ports": ports(post.traffic),
    })
}

/// Three routes, of which the last is for what is asked here.
pub(super) fn route_of(word: &str) -> Value {
    let backend = json!([{ "name": word, "port": APP }]);
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": metadata(word),
        "spec": {
            "parentRefs": [{ "group": "", "kind": "Service", "name": word }],
            "rules": [
                { "matches": [{ "path": { "type": "Exact", "value": "/status" } }], "backendRefs": backend },
                { "matches": [{ "headers": [{ "name": "x-trial", "value": "yes" }] }], "backendRefs": backend },
                { "backendRefs": backend },
            ],
        },
    })
}

/// A policy that has something to say of each kind but faults, and is never in the way.
pub(super) fn policy_of(word: &str) -> Value {
    json!({
        "apiVersion": "weft.dev/v1alpha1",
        "kind": "TrafficPolicy",
        "metadata": metadata(word),
        "spec": {
            "targetRefs": [{ "group": "", "kind": "Service", "name": word }],
            "outliers": { "consecutiveFailures": 5, "failureShare": { "percent": 50, "requests": 20 } },
            "limits": { "connections": 10_000, "requests": 10_000 },
            "retryBudget": { "percent": 20 },
            "timeouts": { "request": "60s", "attempt": "30s", "idle": "60s" },
            "retries": { "attempts": 2, "retryOn": ["connect-failure", "refused-stream", "gateway-error"] },
        },
    })
}

/// Ten policies of who may do what: five that are against others than the client, and five that are for somebody, the last for the client.
/// Of opaque ports they ask only what a connection tells.
pub(super) fn authorizations_of(word: &str, post: &Post) -> Vec<Value> {
    // Of an opaque connection nobody knows what is asked.
    let at = |paths: &[&str]| match post.traffic {
        Traffic::Opaque => json!([{ "operation": { "ports": [APP.to_string(), APP_UNDECLARED.to_string()] } }]),
        Traffic::Http1 | Traffic::Http2 | Traffic::Grpc => json!([{ "operation": { "paths": paths } }]),
    };
    let from = |source: Value| json!([{ "source": source }]);
    let others = from(json!({ "namespaces": ["elsewhere"] }));
    let specs = [
        ("DENY", json!({ "from": others, "to": at(&["/*"]) })),
        ("DENY", json!({ "from": from(json!({ "ipBlocks": ["203.0.113.0/24", "2001:db8::/32"] })) })),
        ("DENY", json!({ "from": from(json!({ "principals": ["*/sa/intruder"] })), "to": at(&["/admin/*", "/cart/{*}/items"]) })),
        ("DENY", json!({ "from": from(json!({ "notNamespaces": [NAMESPACE] })) })),
        ("AUDIT", json!({ "from": others })),
        ("ALLOW", json!({ "from": from(json!({ "serviceAccounts": ["till"] })), "to": at(&["/cart", "/cart/*"]) })),
        ("ALLOW", json!({ "from": from(json!({ "serviceAccounts": ["stock"] })), "to": at(&["/shelf/{*}", "/shelf/{*}/{**}"]) })),
        ("ALLOW", json!({ "from": from(json!({ "principals": ["*/sa/admin"] })) })),
        ("ALLOW", json!({ "from": others })),
        ("ALLOW", json!({ "from": from(json!({ "serviceAccounts": [End::Client.word()] })), "to": at(&["/*"]) })),
    ];
    let policy = |(number, (action, rule)): (usize, (&str, Value))| {
        json!({
            "apiVersion": "weft.dev/v1alpha1",
            "kind": "AuthorizationPolicy",
            "metadata": metadata(&format!("{word}-{number}")),
            "spec": { "selector": { "matchLabels": { "app": word } }, "action": action, "rules": [rule] },
        })
    };
    specs.into_iter().enumerate().map(policy).collect()
}

/// A service that nobody calls.
pub(super) fn unused(number: u32) -> Value {
    let [_, _, high, low] = number.to_be_bytes();
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(&format!("unused-{number}")),
        "spec": {
            "clusterIP": format!("10.97.{high}.{low}"),
            "selector": { "app": format!("unused-{number}") },
            "ports": ports(Traffic::Http1),
        },
    })
}

pub(super) fn unused_slice(number: u32) -> Value {
    let [_, _, high, low] = number.to_be_bytes();
    let name = format!("unused-{number}");
    let mut metadata = metadata(&name);
    metadata["labels"] = json!({ "kubernetes.io/service-name": name });
    json!({
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": metadata,
        "addressType": "IPv4",
        "endpoints": [{ "addresses": [format!("10.79.{high}.{low}")], "conditions": { "ready": true } }],
        "ports": ports(Traffic::Http1),
    })
}
