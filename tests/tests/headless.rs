//! Traffic policies of headless services: they count where pods are called by that name, and by their own addresses.

use std::{path::Path, thread, time::Duration};

use serde_json::json;
use tests::{App, Mesh, eventually, manifests, script, service};

/// An app that takes half a second, behind a service of each kind. Requests to the headless one may take so long.
fn text(request: &str) -> String {
    let app = App::new("cart", 8080, &["python3", &script("moody.py"), "8080", "cart"]);
    let pods = json!({"clusterIP": "None", "selector": {"app": "cart"}, "ports": [{"port": 8080}]});
    let spec = json!({"targetRefs": [{"group": "", "kind": "Service", "name": "pods"}], "timeouts": {"request": request}});
    let metadata = json!({"name": "pods", "namespace": "shop"});
    let policy = json!({"apiVersion": "weft.dev/v1alpha1", "kind": "TrafficPolicy", "metadata": metadata, "spec": spec});
    format!("{}{}---\n{policy}\n", manifests([&app]), service("pods", &pods))
}

/// A shell's words for a call, and what it comes to.
fn call(host: &str) -> String {
    format!("curl -4 -s -m 20 -o /dev/null -w '%{{http_code}} %header{{weft-reason}}\n' http://{host}:8080/slow")
}

const ADDRESS: &str = "$(getent ahostsv4 pods | head -n 1 | cut -d ' ' -f 1)";

fn wait_for(file: &Path) {
    eventually("the client has called", || file.exists().then_some(()));
}

#[test]
fn a_policy_of_a_headless_service_counts_by_its_name_and_by_its_pods_addresses() {
    let mesh = Mesh::up(&text("200ms"));
    mesh.ready("cart-0");
    for host in ["pods", "cart-0.pods", ADDRESS] {
        assert_eq!(mesh.succeed("client", &["sh", "-c", &call(host)]), "504 request_timeout\n", "{host}");
    }
    assert_eq!(mesh.succeed("client", &["sh", "-c", &call("cart")]), "200 \n", "nothing is said of the other service");
}

#[test]
fn a_change_of_it_reaches_whoever_is_calling() {
    let mesh = Mesh::up(&text("200ms"));
    mesh.ready("cart-0");
    let called = mesh.folder().join("called");
    let (file, call) = (called.display(), call(ADDRESS));
    let until_answered =
        format!("while sleep 0.1; do said=$({call}); echo $said; touch {file}; [ \"$said\" != '200 ' ] || break; done");
    let said = thread::scope(|scope| {
        let calling = scope.spawn(|| mesh.succeed("client", &["timeout", "60", "sh", "-c", &until_answered]));
        wait_for(&called);
        thread::sleep(Duration::from_millis(500));
        mesh.edit(&text("10s"));
        calling.join().expect("calls")
    });
    let said: Vec<&str> = said.lines().collect();
    assert!(said.len() > 1 && said[..said.len() - 1].iter().all(|said| *said == "504 request_timeout"), "{said:?}");
}
