//! TCPRoute and TLSRoute.

use std::collections::BTreeMap;

use serde_json::json;
use tests::{App, Mesh, eventually, manifests, script, service};

use crate::{
    case::{Case, case},
    certificate::certificate,
};

/// Says its name at once.
fn named(name: &str) -> App {
    App::new(name, 7000, &["python3", &script("named.py"), "7000", name])
}

/// A route of the service `names`, whose own endpoints are `one`'s.
fn tcp_route(backends: &str) -> String {
    format!(
        "---\napiVersion: gateway.networking.k8s.io/v1alpha2\nkind: TCPRoute\nmetadata: {{name: names, namespace: shop}}\nspec:\n  \
         parentRefs: [{{group: '', kind: Service, name: names}}]\n  rules: [{{backendRefs: [{backends}]}}]\n"
    )
}

fn names(declared: Option<&str>) -> String {
    let port = json!({"port": 7000, "appProtocol": declared});
    manifests([&named("one"), &named("two")]) + &service("names", &json!({"selector": {"app": "one"}, "ports": [port]}))
}

/// Who said his name how often, to a client that connects so many times.
fn heard(mesh: &Mesh, times: u32) -> BTreeMap<String, u32> {
    let said = mesh.succeed("client", &["python3", &script("whose_names.py"), "names", "7000", &times.to_string()]);
    let pairs = said.split_whitespace().filter_map(|pair| pair.split_once('='));
    pairs.map(|(who, count)| (who.to_owned(), count.parse().expect("a number"))).collect()
}

fn up(manifests: &str) -> Mesh {
    let mesh = Mesh::up(manifests);
    mesh.ready("one-0");
    mesh.ready("two-0");
    mesh
}

const ONE: &str = "{name: one, port: 7000}";
const TWO: &str = "{name: two, port: 7000}";

#[test]
fn connections_are_shared_as_weights_say() {
    let mesh = up(&(names(None) + &tcp_route("{name: one, port: 7000, weight: 9}, {name: two, port: 7000, weight: 1}")));
    let shared = heard(&mesh, 2000);
    assert!(shared["two"].abs_diff(200) < 60 && shared.len() == 2, "{shared:?}");
    mesh.edit(&(names(None) + &tcp_route(TWO)));
    eventually("a route is followed", || (heard(&mesh, 20) == [("two".to_owned(), 20)].into()).then_some(()));
    mesh.edit(&names(None));
    eventually("without a route all go to its endpoints", || (heard(&mesh, 20) == [("one".to_owned(), 20)].into()).then_some(()));
}

#[test]
fn the_share_of_an_invalid_backend_is_broken_off() {
    let mesh = up(&(names(None) + &tcp_route(&format!("{ONE}, {{name: nobody, port: 7000}}"))));
    let partly = heard(&mesh, 600);
    let lost: u32 = partly.iter().filter(|(who, _)| *who != "one").map(|(_, count)| count).sum();
    assert!(lost.abs_diff(300) < 80 && !partly.contains_key("two"), "{partly:?}");
    let told = mesh.succeed(
        "counting",
        &["sh", "-c", &format!("python3 {} names 7000 50; curl -s http://127.0.0.1:17003/metrics", script("whose_names.py"))],
    );
    let counted = |line: &str| line.starts_with("weft_refusals_total") && line.contains("no_backend") && !line.ends_with(" 0");
    assert!(told.lines().any(counted), "{told}");
}

/// On a port that is declared to speak HTTP a TCPRoute counts for nothing, and control says so.
#[test]
fn a_tcp_route_leaves_a_port_of_http_alone() {
    let mesh = up(&(names(Some("http")) + &tcp_route(TWO)));
    // What the port speaks is believed: a server's first word is not waited for, and the client of these says nothing.
    let answered =
        mesh.succeed("web", &["curl", "-s", "-m", "10", "-o", "/dev/null", "-w", "%header{weft-reason}", "http://names:7000/"]);
    assert_eq!(answered, "bad_response", "a request goes to the Service's own endpoints, and these speak no HTTP");
}

/// A route of the service `vault` for `hostnames`.
fn tls_route(name: &str, hostnames: &str, backend: &str) -> String {
    format!(
        "---\napiVersion: gateway.networking.k8s.io/v1\nkind: TLSRoute\nmetadata: {{name: {name}, namespace: shop}}\nspec:\n  \
         parentRefs: [{{group: '', kind: Service, name: vault, port: 4433}}]\n  hostnames: {hostnames}\n  \
         rules: [{{backendRefs: [{{name: {backend}, port: 4433}}]}}]\n"
    )
}

/// A call is the name that TLS asks for, and what is told whose certificate it is shown.
pub const CASES: [Case; 8] = [
    case("TLSRoute", "an exact name", "a.shop.example", "one.example"),
    case("TLSRoute", "in any letters", "A.Shop.Example", "one.example"),
    case("TLSRoute", "a wildcard", "b.shop.example", "two.example"),
    case("TLSRoute", "of several labels", "c.b.shop.example", "two.example"),
    case("TLSRoute", "one of several names", "other.example", "two.example"),
    case("TLSRoute", "a wildcard is not for what it is under", "shop.example", "nobody"),
    case("TLSRoute", "a name that nobody has", "third.example", "nobody"),
    case("TLSRoute", "no name at all", "", "nobody"),
];

/// Shows a certificate for `name.example`.
fn vault(name: &str) -> App {
    let file = format!("{name}.pem");
    App::new(name, 4433, &["openssl", "s_server", "-quiet", "-accept", "4433", "-rev", "-cert", &file])
}

/// Whose certificate a client is shown that asks for `server`.
fn shown(mesh: &Mesh, server: &str) -> String {
    let name = if server.is_empty() { String::from("-noservername") } else { format!("-servername {server}") };
    let call = format!(
        "printf 'CLOSE\\n' | timeout 10 openssl s_client -connect vault:4433 {name} -ign_eof 2>&1 | grep -m1 ^subject= || echo nobody"
    );
    mesh.succeed("client", &["sh", "-c", &call]).trim().replace("subject=CN = ", "")
}

#[test]
fn connections_go_where_the_name_leads_that_tls_asks_for() {
    let routes = tls_route("exact", "[a.shop.example]", "one") + &tls_route("under", "['*.shop.example', other.example]", "two");
    let service = service("vault", &json!({"selector": {"app": "one"}, "ports": [{"port": 4433}]}));
    let text = manifests([&vault("one"), &vault("two")]) + &service;
    let files = [("one.pem", &*certificate(&["one.example"])), ("two.pem", &*certificate(&["two.example"]))];
    let mesh = Mesh::up_with(&(text.clone() + &routes), &files);
    mesh.ready("one-0");
    mesh.ready("two-0");
    let wrong: Vec<String> = CASES.iter().filter_map(|case| case.wrong(&shown(&mesh, case.call))).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let told = mesh.succeed("counting", &["sh", "-c", "curl -s -m 5 http://vault:4433/; curl -s http://127.0.0.1:17003/metrics"]);
    let counted = |line: &str| line.starts_with("weft_refusals_total") && line.contains("no_route") && !line.ends_with(" 0");
    assert!(told.lines().any(counted), "what is no TLS is broken off: {told}");
    mesh.edit(&text);
    eventually("without a route all go to its endpoints", || (shown(&mesh, "third.example") == "one.example").then_some(()));
}
