//! Ports: declared or not, the same or another behind the service, open to all or to the pod alone.

use serde_json::{Value, json};
use tests::{App, Mesh, WORLDS, both, eventually, manifests, outside, script, service};

use crate::apps::{GREETED, METRICS, NGINX, client, get, greeter, hear, inside, nginx, series};

#[test]
fn services_lead_to_their_ports_and_to_no_others() {
    let named = nginx("cart").workload("ports", json!([{"containerPort": 8080}, {"name": "web", "containerPort": 8080}]));
    let lead = |name: &str, app: &str, ports: Value| service(name, &json!({"selector": {"app": app}, "ports": ports}));
    let services = [
        // Three services on one port, two of them before one app; and one service with two ports.
        lead("by-number", "cart", json!([{"port": 80, "targetPort": 8080}])),
        lead("by-name", "cart", json!([{"port": 80, "targetPort": "web"}])),
        lead("bytes", "mail", json!([{"port": 80, "targetPort": 2525}])),
        lead(
            "two",
            "cart",
            json!([{"name": "a", "port": 1000, "targetPort": "web"}, {"name": "b", "port": 1001, "targetPort": 9999}]),
        ),
    ];
    let mesh = Mesh::up_with(&(manifests(&[client(), named, greeter("mail")]) + &services.concat()), &[("nginx.conf", NGINX)]);
    for pod in ["client-0", "cart-0", "mail-0"] {
        mesh.ready(pod);
    }
    for (url, port) in [("by-number", 8080), ("by-name", 8080), ("two:1000", 8080), ("two:1001", 9999)] {
        let told = inside(&mesh, "client-0", &[get(&format!("http://{url}/"))]);
        assert!(told.ends_with(&format!(":{port}\n")), "{url}: {told}");
    }
    assert_eq!(inside(&mesh, "client-0", &[hear("bytes", 80, "4")]), GREETED);
    // A port that only the pod knows: not behind the service's address, and there at the pod's own.
    let undeclared = mesh.inside("client-0", &["curl", "-sS", "--max-time", "8", "http://cart:9999/"]).output().expect("curl");
    assert!(!undeclared.status.success(), "{}", String::from_utf8_lossy(&undeclared.stdout));
    assert_ne!(undeclared.status.code(), Some(28), "curl was not left waiting");
    let address = inside(&mesh, "cart-0", &[String::from("getent ahostsv4 cart-0 | head -n 1 | cut -d ' ' -f 1")]);
    let address = address.trim();
    let told = inside(&mesh, "client-0", &[get(&format!("http://{address}:9999/")), String::from(METRICS)]);
    assert!(told.starts_with(&format!("nginx at {address}:9999\n")), "{told}");
    let labels = [("service", ""), ("server_workload", "cart"), ("tls", "mutual")];
    assert_eq!(series(&told, "http_client_request_duration_seconds_count", &labels).len(), 1, "{told}");
}

#[test]
fn what_listens_on_loopback_alone_is_reached_by_its_own_pod_alone() {
    // Nobody but the pod could ask whether they are there.
    let ready = |app: App, port: u16| {
        let ask = format!("import socket; socket.create_connection(('127.0.0.1', {port}))");
        app.workload("readinessProbe", json!({"exec": {"command": ["python3", "-c", ask]}, "periodSeconds": 1}))
    };
    let cart = |name: &str| ready(App::new(name, 8080, &["python3", "-m", "http.server", "--bind", "127.0.0.1", "8080"]), 8080);
    let mail = |name: &str| ready(App::new(name, 2525, &["python3", "-u", &script("greeter.py"), "127.0.0.1"]), 2525);
    let apps = [both("cart", cart), both("mail", mail)].concat();
    let mesh = Mesh::up(&manifests(apps.iter().chain([&outside()])));
    for pod in ["cart-0", "plain-cart-0", "mail-0", "plain-mail-0", "outside-0"] {
        mesh.ready(pod);
    }
    for pod in ["cart-0", "plain-cart-0"] {
        let told = inside(&mesh, pod, &[get("-o /dev/null -w '%{http_code}' http://127.0.0.1:8080/")]);
        assert_eq!(told, "200", "{pod}");
    }
    for world in WORLDS {
        let page =
            get(&format!("-4 -o /dev/null -w '%{{http_code}} %header{{weft-reason}}' http://{}:8080/", world.host("cart")));
        let ask = format!("{page}; echo; {}", hear(&world.host("mail"), 2525, "4"));
        let told = world.call(&mesh, &["sh", "-c", &ask]);
        if world.meshes("web") || world.meshes("cart") {
            // A sidecar has taken the connection before it can know. It tells those who speak HTTP why it cannot go on.
            assert!(told.starts_with("503 connect_refused\n") && !told.contains("220"), "{world}: {told}");
        } else {
            assert_eq!(told, "000 \nECONNREFUSED\n");
        }
    }
}

#[test]
fn what_listens_on_ipv6_alone_is_reached_by_ipv6() {
    let mail = greeter("mail").service("ipFamilies", json!(["IPv6"]));
    let mesh = Mesh::up(&manifests(&[client(), mail, greeter("plain").service("ipFamilies", json!(["IPv6"])).unmeshed()]));
    for pod in ["client-0", "mail-0", "plain-0"] {
        mesh.ready(pod);
    }
    for host in ["mail", "plain"] {
        assert_eq!(inside(&mesh, "client-0", &[hear(host, 2525, "6")]), GREETED, "{host}");
    }
}

#[test]
fn a_connection_that_cannot_be_made_breaks_instead_of_ending_well() {
    // A server that is not there, where the sidecars have taken the connection already. An end without a byte is an answer to some.
    let apps = [greeter("mail"), greeter("plain").unmeshed()].map(|app| {
        app.ports(json!([
            {"name": "mail", "port": 2525, "targetPort": 2526},
            {"name": "declared", "port": 2626, "targetPort": 2627, "appProtocol": "tcp"},
        ]))
    });
    let mesh = Mesh::up(&manifests(apps.iter().chain([&client(), &outside()])));
    for pod in ["client-0", "outside-0", "mail-0", "plain-0"] {
        mesh.ready(pod);
    }
    let mut wrong = Vec::new();
    let undeclared = [("client-0", "mail", 2525), ("client-0", "plain", 2525), ("outside-0", "mail", 2526)];
    let declared = [("client-0", "mail", 2626), ("client-0", "plain", 2626), ("outside-0", "mail", 2627)];
    for (client, host, port) in undeclared.into_iter().chain(declared) {
        let told = inside(&mesh, client, &[hear(host, port, "4")]);
        if !["ECONNRESET\n", "ECONNREFUSED\n"].contains(&told.as_str()) {
            wrong.push(format!("{client} to {host}:{port}: {told}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn who_calls_by_one_family_is_taken_to_that_family() {
    // As kube-proxy does: nginx tells the address at which it was called.
    let mesh = Mesh::up_with(&manifests(&[client(), nginx("cart").dual_stack()]), &[("nginx.conf", NGINX)]);
    mesh.ready("client-0");
    mesh.ready("cart-0");
    // That it is ready has to reach the client's sidecar.
    eventually("cart answers", || inside(&mesh, "client-0", &[get("http://cart/")]).starts_with("nginx").then_some(()));
    for (family, start) in [("-4", "nginx at 10.77."), ("-6", "nginx at fd77:")] {
        for _ in 0..10 {
            let told = inside(&mesh, "client-0", &[get(&format!("{family} http://cart/"))]);
            assert!(told.starts_with(start), "{family}: {told}");
        }
    }
}
