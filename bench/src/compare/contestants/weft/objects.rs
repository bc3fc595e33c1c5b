//! What control is told: Kubernetes objects.

use serde_json::{Value, json};

use super::{
    super::super::{
        identities::NAMESPACE,
        network::{APP, APP_UNDECLARED, service},
    },
    Contestant, Post, Traffic,
};

fn metadata(name: &str) -> Value {
    json!({ "name": name, "namespace": NAMESPACE })
}

pub(super) fn pod_of(post: &Post, token_hash: &str) -> Value {
    let word = post.word(Contestant::Weft);
    let mut metadata = metadata(&word);
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

pub(super) fn service_of(post: &Post) -> Value {
    let word = post.word(Contestant::Weft);
    let address = service(post.pair);
    let mut metadata = metadata(&word);
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

pub(super) fn slice_of(post: &Post) -> Value {
    let word = post.word(Contestant::Weft);
    let mut metadata = metadata(&word);
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
