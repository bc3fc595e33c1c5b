//! By whatever address a pod is called: its service's, its own, loopback, or those that a headless name has.

use serde_json::json;
use tests::{App, Mesh, manifests, service};

use crate::apps::{GREETED, METRICS, NGINX, client, get, greeter, hear, inside, nginx, series, sum};

const REQUESTS: &str = "http_client_request_duration_seconds_count";
const CONNECTIONS: &str = "weft_tcp_connections_opened_total";

fn up(apps: &[App], more: &str) -> Mesh {
    let mesh = Mesh::up_with(&(manifests(apps) + more), &[("nginx.conf", NGINX)]);
    mesh.ready("client-0");
    mesh
}

#[test]
fn a_pod_reaches_itself_through_its_service_and_past_the_sidecar_by_its_own_addresses() {
    let mesh = up(&[client(), nginx("cart").dual_stack(), greeter("mail").dual_stack()], "");
    mesh.ready("cart-0");
    mesh.ready("mail-0");
    let count = |pod: &str, name: &str| sum(&series(&inside(&mesh, pod, &[String::from(METRICS)]), name, &[]));
    // The pod's own name is its own address, as in /etc/hosts of any pod.
    for host in ["cart-0", "127.0.0.1", "localhost"] {
        let told = inside(&mesh, "cart-0", &[get(&format!("-4 http://{host}:8080/")), get("-6 'http://[::1]:8080/'")]);
        assert!(told.starts_with("nginx at ") && told.ends_with("nginx at ::1:8080\n"), "{host}: {told}");
    }
    assert!(count("cart-0", REQUESTS) < 0.1, "loopback went through the sidecar");
    for url in ["-4 http://cart/", "-6 http://cart/", "-4 http://cart:8080/"] {
        let told = inside(&mesh, "cart-0", &[get(url)]);
        assert!(told.starts_with("nginx at "), "{url}: {told}");
    }
    assert!((count("cart-0", REQUESTS) - 3.0).abs() < 0.1, "a pod's calls to its own service go through its sidecar");
    for host in ["mail-0", "127.0.0.1"] {
        assert_eq!(inside(&mesh, "mail-0", &[hear(host, 2525, "4")]), GREETED, "{host}");
    }
    assert_eq!(inside(&mesh, "mail-0", &[hear("::1", 2525, "6")]), GREETED);
    assert!(count("mail-0", CONNECTIONS) < 0.1, "loopback went through the sidecar");
    assert_eq!(inside(&mesh, "mail-0", &[hear("mail", 2525, "4"), hear("mail", 2525, "6")]), GREETED.repeat(2));
    assert!(count("mail-0", CONNECTIONS) > 1.9, "a pod's calls to its own service go through its sidecar");
}

#[test]
fn a_headless_name_has_every_pods_address_and_each_is_called_as_who_it_is() {
    let headless = |name: &str| {
        let ports = json!([{"name": "any", "port": 8080}]);
        service(&format!("{name}-pods"), &json!({"clusterIP": "None", "selector": {"app": name}, "ports": ports}))
    };
    let apps = [
        client(),
        nginx("cart").workload("replicas", json!(2)),
        greeter("mail").workload("replicas", json!(2)),
        nginx("plain").unmeshed(),
    ];
    let mesh = up(&apps, &["cart", "mail", "plain"].map(headless).concat());
    for pod in ["cart-0", "cart-1", "mail-0", "mail-1", "plain-0"] {
        mesh.ready(pod);
    }
    let addresses = |name: &str| {
        let told = inside(&mesh, "client-0", &[format!("getent ahosts {name} | cut -d ' ' -f 1 | sort -u")]);
        told.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    for (name, pods) in [("cart", 2), ("mail", 2), ("plain", 1)] {
        let found = addresses(&format!("{name}-pods"));
        assert_eq!(found.iter().filter(|address| !address.contains(':')).count(), pods, "{name}: {found:?}");
        for address in found {
            let (family, host) = if address.contains(':') { ("6", format!("[{address}]")) } else { ("4", address.clone()) };
            if name == "mail" {
                assert_eq!(inside(&mesh, "client-0", &[hear(&address, 2525, family)]), GREETED, "{address}");
            } else {
                let told = inside(&mesh, "client-0", &[get(&format!("-g -{family} 'http://{host}:8080/'"))]);
                assert_eq!(told, format!("nginx at {address}:8080\n"));
            }
        }
    }
    let one = inside(&mesh, "client-0", &[get("-4 http://cart-1.cart-pods:8080/")]);
    assert_eq!(
        one,
        format!("nginx at {}:8080\n", addresses("cart-1.cart-pods").iter().find(|address| !address.contains(':')).expect("IPv4"))
    );
    let metrics = inside(&mesh, "client-0", &[String::from(METRICS)]);
    for (name, workload, identity, tls) in [
        (REQUESTS, "cart", "spiffe://cluster.local/ns/shop/sa/cart", "mutual"),
        (CONNECTIONS, "mail", "spiffe://cluster.local/ns/shop/sa/mail", "mutual"),
        (REQUESTS, "plain", "", "none"),
    ] {
        // No service was dialled, so none is named.
        let labels = [("server_workload", workload), ("server_identity", identity), ("tls", tls), ("service", "")];
        assert!(sum(&series(&metrics, name, &labels)) > 0.9, "{workload}: {metrics}");
        assert_eq!(series(&metrics, name, &[("server_workload", workload)]), series(&metrics, name, &labels));
    }
}
