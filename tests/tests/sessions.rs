//! Session persistence of the Gateway API (GEP-1619), through sidecars.

use std::collections::BTreeSet;

use serde_json::json;
use tests::{App, ECHO_FILE, Mesh, echo_as, eventually, manifests, service};

/// Three that tell who they are: what they are called, and a number of its own each.
fn echo(name: &str) -> App {
    echo_as(name, &format!("{name}-$(cat /proc/sys/kernel/random/uuid)")).workload("replicas", json!(3))
}

/// A route of the service `echo` that keeps sessions as `said`, with so much weight for `v1` and `v2`.
fn manifest(said: &str, weights: (u32, u32)) -> String {
    let service = service("echo", &json!({"selector": {"app": "v1"}, "ports": [{"port": 80, "targetPort": 8080}]}));
    let (v1, v2) = weights;
    manifests([&echo("v1"), &echo("v2")])
        + &service
        + &format!(
            "---\napiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {{name: echo, namespace: shop}}\nspec:\n  \
             parentRefs: [{{group: '', kind: Service, name: echo}}]\n  rules:\n  - sessionPersistence: {said}\n    \
             backendRefs: [{{name: v1, port: 80, weight: {v1}}}, {{name: v2, port: 80, weight: {v2}}}]\n"
        )
}

fn up(said: &str) -> Mesh {
    let mesh = Mesh::up_with(&manifest(said, (1, 1)), &[ECHO_FILE]);
    for pod in ["v1-0", "v1-1", "v1-2", "v2-0", "v2-1", "v2-2"] {
        mesh.ready(pod);
    }
    mesh
}

/// Who answers so many calls, with curl's arguments.
fn answered(mesh: &Mesh, calls: u32, more: &[&str]) -> BTreeSet<String> {
    let url = format!("http://echo/?[1-{calls}]");
    let said = mesh.succeed("client", &[&["curl", "-sS", "-m", "20", &url][..], more].concat());
    said.lines().map(name).collect()
}

/// Whoever said a line.
fn name(line: &str) -> String {
    line.split(' ').next().unwrap_or_default().to_owned()
}

#[test]
fn a_client_stays_with_its_endpoint_by_a_cookie() {
    let mesh = up("{sessionName: stay, idleTimeout: 1h}");
    assert_eq!(answered(&mesh, 60, &[]).len(), 6, "who tells no session is balanced");
    let jar = mesh.folder().join("jar").display().to_string();
    let first = answered(&mesh, 30, &["-c", &jar, "-b", &jar]);
    assert_eq!(first.len(), 1, "{first:?}");
    assert_eq!(answered(&mesh, 30, &["-b", &jar]), first, "from another sidecar, and with every line anew");
    let (stays, goes) = if first.iter().any(|name| name.starts_with("v1")) { ((0, 1), "v2") } else { ((1, 0), "v1") };
    mesh.edit(&manifest("{sessionName: stay, idleTimeout: 1h}", stays));
    eventually("new clients go where the weight is", || {
        answered(&mesh, 20, &[]).iter().all(|name| name.starts_with(goes)).then_some(())
    });
    assert_eq!(answered(&mesh, 30, &["-b", &jar]), first, "sessions outlive the weight of their backend");
    // The metadata service of clouds, in the token that Envoy would have made.
    let forged = answered(&mesh, 10, &["-H", "cookie: stay=MTY5LjI1NC4xNjkuMjU0Ojgw"]);
    assert!(forged.iter().all(|name| name.starts_with(goes)), "{forged:?}");
}

#[test]
fn a_client_stays_with_its_endpoint_by_a_header() {
    let mesh = up("{type: Header, sessionName: x-stay, absoluteTimeout: 3s}");
    let told = mesh.succeed("client", &["curl", "-sS", "-m", "20", "-w", "%header{x-stay}", "http://echo/"]);
    let (name, token) = told.split_once('\n').expect("a name and a token");
    let header = format!("x-stay: {token}");
    let same: BTreeSet<String> = [self::name(name)].into();
    assert_eq!(answered(&mesh, 20, &["-H", &header]), same);
    eventually("a session ends", || (answered(&mesh, 20, &["-H", &header]).len() > 1).then_some(()));
}

#[test]
fn a_permanent_cookie_says_how_long_it_lasts() {
    let mesh = up("{absoluteTimeout: 1h, cookieConfig: {lifetimeType: Permanent}}");
    let told = mesh.succeed("client", &["curl", "-sS", "-m", "20", "-o", "/dev/null", "-D", "-", "http://echo/"]);
    let cookie =
        told.lines().find(|line| line.to_ascii_lowercase().starts_with("set-cookie:")).unwrap_or_else(|| panic!("{told}"));
    assert!(cookie.contains("weft-session-") && cookie.contains("; Max-Age=3600") && cookie.contains("; HttpOnly"), "{cookie}");
}
