//! What is in the API server is what control knows, and nothing else.

use serde_json::Value;
use tests::{Cluster, Control, eventually};

use super::{namespace, pod, running};

const SERVICE: &str = "apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: following}\n\
    spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: http}]}\n";

fn service(control: &Control, namespace: &str) -> Option<Value> {
    let config = control.config();
    let services = config["services"].as_array()?;
    services.iter().find(|service| service["namespace"] == namespace && service["name"] == "web").cloned()
}

/// Addresses of the service's endpoints, with the state of each.
fn endpoints(control: &Control) -> Vec<String> {
    let service = service(control, "following").unwrap_or_default();
    let endpoints = service["endpoints"].as_array().into_iter().flatten();
    let told = |endpoint: &Value| format!("{} {}", endpoint["address"].as_str()?, endpoint["state"].as_str()?).into();
    endpoints.filter_map(told).collect()
}

#[test]
fn services_endpoints_and_pods_come_and_go() {
    let cluster = Cluster::shared();
    namespace(cluster, "following");
    let control = cluster.control(&["--ca-secret", "weft-ca-following", "--namespace", "following"]);
    assert_eq!(service(&control, "following"), None);

    cluster.apply(SERVICE);
    pod(cluster, "following", "web-1", "{}");
    running(cluster, "following", "web-1", "10.30.0.5");
    eventually("the endpoint that the cluster's own controller has made", || {
        (endpoints(&control) == ["10.30.0.5 ready"]).then_some(())
    });
    let known = service(&control, "following").expect("the service");
    let virtual_address = cluster.kubectl(&["-n", "following", "get", "service", "web", "-o", "jsonpath={.spec.clusterIP}"]);
    assert_eq!(known["addresses"][0], virtual_address.as_str());

    let generation = control.config()["generation"].clone();
    cluster.kubectl(&["-n", "following", "annotate", "service", "web", "example.com/note=nothing that matters"]);
    cluster.kubectl(&["-n", "following", "label", "pod", "web-1", "note=neither"]);
    // Another edit, which does matter, comes after them.
    pod(cluster, "following", "web-2", "{}");
    running(cluster, "following", "web-2", "10.30.0.6");
    eventually("the second endpoint", || (endpoints(&control).len() == 2).then_some(()));
    let changes = control.config()["generation"].as_u64().expect("a number") - generation.as_u64().expect("a number");
    // Labels are what policies select pods by: they are taken in, and change nothing that is sent.
    assert!(changes <= 5, "{changes} changes for a label, a pod, its address and an endpoint");

    cluster.kubectl(&["-n", "following", "delete", "pod", "web-1", "--grace-period=0", "--force"]);
    eventually("the first endpoint has gone", || (endpoints(&control) == ["10.30.0.6 ready"]).then_some(()));
    cluster.kubectl(&["-n", "following", "delete", "service", "web"]);
    eventually("the service has gone", || service(&control, "following").is_none().then_some(()));
    let left = control.stop();
    assert!(left.status.success(), "{}", String::from_utf8_lossy(&left.stderr));
}

#[test]
fn two_replicas_have_one_root() {
    let cluster = Cluster::shared();
    namespace(cluster, "replicas");
    let flags = ["--ca-secret", "root", "--namespace", "replicas"];
    let controls = std::thread::scope(|scope| {
        let both = [(); 2].map(|()| scope.spawn(|| cluster.control(&flags)));
        both.map(|control| control.join().expect("control starts"))
    });
    let bundles = controls.each_ref().map(|control| std::fs::read_to_string(&control.bundle).expect("a bundle"));
    assert_eq!(bundles[0], bundles[1]);
    let kept = cluster.kubectl(&["-n", "replicas", "get", "secret", "root", "-o", "jsonpath={.type}"]);
    assert_eq!(kept, "kubernetes.io/tls");
}
