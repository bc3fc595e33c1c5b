//! What is in the API server is what control knows, and nothing else.

use serde_json::Value;
use tests::{Cluster, Control, eventually};

use super::{namespace, pod, running, running_at};

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

    pod(cluster, "following", "web-2", "{}");
    running(cluster, "following", "web-2", "10.30.0.6");
    eventually("the second endpoint", || (endpoints(&control).len() == 2).then_some(()));

    cluster.kubectl(&["-n", "following", "delete", "pod", "web-1", "--grace-period=0", "--force"]);
    eventually("the first endpoint has gone", || (endpoints(&control) == ["10.30.0.6 ready"]).then_some(()));
    cluster.kubectl(&["-n", "following", "delete", "service", "web"]);
    eventually("the service has gone", || service(&control, "following").is_none().then_some(()));
    let left = control.stop();
    assert!(left.status.success(), "{}", String::from_utf8_lossy(&left.stderr));
}

#[test]
fn a_service_of_both_families_is_known_by_both() {
    let cluster = Cluster::shared();
    namespace(cluster, "families");
    let control = cluster.control(&["--ca-secret", "weft-ca-families", "--namespace", "families"]);
    cluster.apply(&SERVICE.replace("following", "families").replace("spec: {", "spec: {ipFamilyPolicy: RequireDualStack, "));
    pod(cluster, "families", "web-1", "{}");
    running_at(cluster, "families", "web-1", &["10.30.1.5", "fd30::1:5"]);
    let known = eventually("endpoints of both families", || {
        service(&control, "families").filter(|service| service["endpoints"].as_array().is_some_and(|known| known.len() == 2))
    });
    let texts = |list: &Value, field: Option<&str>| -> Vec<String> {
        let items = list.as_array().into_iter().flatten().map(|item| field.map_or(item, |field| &item[field]));
        items.filter_map(|item| item.as_str().map(str::to_owned)).collect()
    };
    let addresses = texts(&known["addresses"], None);
    assert!(addresses.len() == 2 && addresses.iter().any(|address| address.starts_with("fd31:")), "{addresses:?}");
    let mut endpoints = texts(&known["endpoints"], Some("address"));
    endpoints.sort();
    assert_eq!(endpoints, ["10.30.1.5", "fd30::1:5"]);
}
