//! HTTP/1.1 and HTTP/2 on one port that declares nothing: HAProxy tells them apart, and so do sidecars.

use std::process::Command;

use tests::{App, Mesh, manifests, outside};

/// Says which version it was spoken to in.
const HAPROXY: &str = r#"
defaults
  mode http
  timeout client 30s
  timeout server 30s
  timeout connect 5s
frontend cart
  bind :::8080 v4v6
  http-request return status 200 content-type text/plain lf-string "%[req.ver] %[path]\n"
"#;

/// Asks in turn and at once, three connections at a time.
const ASK: &str = "for n in $(seq 10); do \
  curl -sS --max-time 10 --http1.1 $1/one/$n & \
  curl -sS --max-time 10 --http2-prior-knowledge $1/two/$n & \
  curl -sS --max-time 10 --http1.0 $1/zero/$n & \
  wait; \
done";

fn each_in_its_own_version(mut ask: Command) {
    let output = ask.output().expect("sh");
    let told = String::from_utf8_lossy(&output.stdout);
    let mut lines: Vec<&str> = told.lines().collect();
    lines.sort_unstable();
    let numbers = |version: &'static str, path: &'static str| (1..=10).map(move |n| format!("{version} {path}/{n}"));
    let mut expected: Vec<String> = numbers("1.0", "/zero").chain(numbers("1.1", "/one")).chain(numbers("2.0", "/two")).collect();
    expected.sort_unstable();
    assert_eq!(lines, expected, "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn every_client_is_served_in_its_own_version_on_one_port() {
    let cart = App::new("cart", 8080, &["haproxy", "-db", "-f", "haproxy.cfg"]);
    let mesh = Mesh::up_with(&manifests([&cart, &outside()]), &[("haproxy.cfg", HAPROXY)]);
    mesh.ready("cart-0");
    mesh.ready("outside-0");
    each_in_its_own_version(mesh.command("web", &["sh", "-c", ASK, "sh", "http://cart:8080"]));
    each_in_its_own_version(mesh.inside("outside-0", &["sh", "-c", ASK, "sh", "http://cart:8080"]));
}
