//! One of five endpoints fails, hangs, refuses, or is slow, and those who call them hardly notice.

use std::fs;

use serde_json::{Value, json};
use tests::{Mesh, script};

/// What a service may say of itself, and does here.
const POLICY: &str = r#"
---
apiVersion: weft.dev/v1alpha1
kind: TrafficPolicy
metadata: {name: cart, namespace: shop}
spec:
  targetRefs: [{group: "", kind: Service, name: cart}]
  outliers: {consecutiveFailures: 5, ejection: 1s, ejectionMax: 2s}
  timeouts: {request: 4s, attempt: 400ms}
  retries: {attempts: 2, retryOn: [5xx, reset, connect-failure]}
"#;

/// Requests per second: each endpoint gets some forty.
const RATE: &str = "200";

/// Of a hundred requests no more fail while an endpoint is bad: those that met it before it was put out, and for whom the budget of
/// retries did not suffice.
const FAILED_PERCENT: f64 = 2.0;

/// Milliseconds within which 95 of 100 requests are answered, half a load after an endpoint went bad. A sick endpoint of this
/// test takes 400 or more, and would get 20 of 100; each time that it is let in again it gets a few until it is out again.
const P95_MS: f64 = 300.0;

fn mood(mesh: &Mesh, mood: &str) {
    fs::write(mesh.folder().join("mood-cart-0"), mood).expect("a mood");
}

fn load(mesh: &Mesh, seconds: &str) -> Value {
    let said = mesh.succeed("client", &["python3", &script("moody/load.py"), "cart", "/", RATE, seconds]);
    serde_json::from_str(said.lines().last().unwrap_or_default()).expect("a line of JSON")
}

fn number(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

#[test]
fn one_bad_endpoint_of_five_is_left_and_comes_back() {
    let cart = |number: u32| {
        let name = format!("cart-{number}");
        let command = ["python3", &script("moody/app.py"), &name, "8080", &format!("mood-{name}")];
        let metadata = json!({"name": name, "namespace": "shop", "labels": {"app": "cart"}});
        // Probes would take a bad endpoint away, and the question is what the mesh does before they do.
        let probe = json!({"tcpSocket": {"port": 8080}, "periodSeconds": 600});
        let spec = json!({"command": command, "serviceAccountName": "cart", "ports": [{"containerPort": 8080}], "readinessProbe": probe});
        format!("---\n{}\n", json!({"apiVersion": "weft.dev/v1alpha1", "kind": "Workload", "metadata": metadata, "spec": spec}))
    };
    let service = tests::service("cart", &json!({"selector": {"app": "cart"}, "ports": [{"port": 80, "targetPort": 8080}]}));
    let mesh = Mesh::up(&((0..5).map(cart).collect::<String>() + &service + POLICY));
    (0..5).for_each(|number| mesh.ready(&format!("cart-{number}-0")));

    let well = load(&mesh, "2");
    assert_eq!((number(&well["failed"]), well["by"].as_object().map(serde_json::Map::len)), (0.0, Some(5)), "{well}");
    let mut wrong = Vec::new();
    for bad in ["failing", "hanging", "refusing", "slow 1000"] {
        mood(&mesh, bad);
        let sick = load(&mesh, "6");
        println!("{bad}: {sick}");
        let failed = 100.0 * number(&sick["failed"]) / number(&sick["sent"]);
        if failed > FAILED_PERCENT || number(&sick["late"]["p95"]) > P95_MS {
            wrong.push(format!("{bad}: {failed} % failed: {sick}"));
        }
        mood(&mesh, "ok");
        let again = (0..20).map(|_| load(&mesh, "1")).find(|load| load["by"]["cart-0"].is_number());
        match again {
            Some(load) if number(&load["failed"]) == 0.0 => {}
            other => wrong.push(format!("after {bad}: {other:?}")),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
