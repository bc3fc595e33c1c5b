//! What is declared is believed; what was learned is forgotten when it does not hold any more.

use serde_json::json;
use tests::{App, Mesh, eventually, manifests, outside, service};

use crate::apps::{GREETED, METRICS, NGINX, client, get, greeter, hear, inside, nginx, series, sum};

const REQUESTS: &str = "http_client_request_duration_seconds_count";
const CONNECTIONS: &str = "weft_tcp_connections_opened_total";

#[test]
fn http_on_a_port_declared_for_bytes_is_carried_as_bytes() {
    let declared = [
        json!({"port": 8080, "appProtocol": "tcp"}),
        json!({"port": 8080, "name": "tcp-pages"}),
        json!({"port": 8080, "name": "redis"}),
        json!({"port": 8080, "appProtocol": "http"}),
    ];
    let names = ["by-protocol", "by-name", "by-redis", "by-annotation"];
    let mut carts: Vec<App> = names.iter().zip(declared).map(|(name, port)| nginx(name).ports(json!([port]))).collect();
    // It has the last word.
    let annotated = carts.pop().map(|cart| cart.annotated("weft.dev/opaque-ports", "8080, 9000-9010"));
    carts.extend(annotated);
    let mesh = Mesh::up_with(&manifests(carts.iter().chain([&client()])), &[("nginx.conf", NGINX)]);
    mesh.ready("client-0");
    for name in names {
        mesh.ready(&format!("{name}-0"));
        let told = inside(&mesh, "client-0", &[get(&format!("http://{name}:8080/ http://{name}:8080/"))]);
        assert_eq!(told.matches("nginx at ").count(), 2, "{told}");
        for (pod, workload) in [("client-0".to_owned(), "server_workload"), (format!("{name}-0"), "client_workload")] {
            let metrics = inside(&mesh, &pod, &[String::from(METRICS)]);
            let other = if workload == "server_workload" { name } else { "client" };
            let labels = [(workload, other), ("tls", "mutual")];
            assert!((sum(&series(&metrics, CONNECTIONS, &labels)) - 1.0).abs() < 0.1, "{pod}: {metrics}");
            let requests =
                [series(&metrics, REQUESTS, &labels), series(&metrics, "http_server_request_duration_seconds_count", &labels)];
            assert!(requests.concat().is_empty(), "{pod}: {metrics}");
        }
    }
}

#[test]
fn bytes_on_a_port_declared_for_http_are_a_bad_request() {
    are_a_bad_request("EHLO me\\r\\n\\r\\n");
}

#[test]
fn a_first_line_that_is_none_of_http_is_a_bad_request_at_once() {
    // Its sender waits for an answer to it, and would wait for 30 s.
    are_a_bad_request("EHLO me\\r\\n");
}

/// Says `words` to ports declared for HTTP.
fn are_a_bad_request(words: &str) {
    let mail = |name: &str| greeter(name).ports(json!([{"port": 2525, "appProtocol": "http"}]));
    let apps = [client(), outside(), mail("mail"), mail("plain").unmeshed()];
    let mesh = Mesh::up(&manifests(&apps));
    for pod in ["client-0", "outside-0", "mail-0", "plain-0"] {
        mesh.ready(pod);
    }
    let say = |host: &str| {
        let dial = format!("import socket; c = socket.create_connection(('{host}', 2525), 8)");
        format!("python3 -c \"{dial}; c.sendall(b'{words}'); print(c.recv(12).decode())\"")
    };
    for (client, host) in [("client-0", "mail"), ("client-0", "plain"), ("outside-0", "mail")] {
        assert_eq!(inside(&mesh, client, &[say(host)]), "HTTP/1.1 400\n", "{client} to {host}");
    }
    // Where no sidecar is, nobody reads declarations.
    assert_eq!(inside(&mesh, "outside-0", &[hear("plain", 2525, "4")]), GREETED);
}

#[test]
fn what_a_port_spoke_is_forgotten_when_another_app_takes_it_over() {
    let mail = App::new("mail", 8080, &["python3", "-u", &tests::script("greeter.py"), "::", "8080"]);
    let apps = manifests(&[client(), nginx("cart"), mail]);
    let shifty = |app: &str| apps.clone() + &service("shifty", &json!({"selector": {"app": app}, "ports": [{"port": 8080}]}));
    let mesh = Mesh::up_with(&shifty("cart"), &[("nginx.conf", NGINX)]);
    for pod in ["client-0", "cart-0", "mail-0"] {
        mesh.ready(pod);
    }
    let page = || inside(&mesh, "client-0", &[format!("{} || true", get("http://shifty:8080/"))]);
    let greeting = || inside(&mesh, "client-0", &[hear("shifty", 8080, "4")]);
    for _ in 0..3 {
        assert!(page().starts_with("nginx at "));
    }
    mesh.edit(&shifty("mail"));
    eventually("bytes where requests were", || (greeting() == GREETED).then_some(()));
    for _ in 0..3 {
        assert_eq!(greeting(), GREETED);
    }
    mesh.edit(&shifty("cart"));
    eventually("requests where bytes were", || page().starts_with("nginx at ").then_some(()));
    for _ in 0..3 {
        assert!(page().starts_with("nginx at "));
    }
}
