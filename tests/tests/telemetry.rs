//! Prometheus reads the mesh, and its numbers are the load generator's.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};

use tests::Mesh;

const SHOP: &str = "
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: shop}
spec: {selector: {app: cart}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: weft.dev/v1alpha1
kind: Workload
metadata: {name: cart, namespace: shop, labels: {app: cart}}
spec:
  command: [nghttpd, --no-tls, -d, ., '8080']
  serviceAccountName: cart
  ports: [{containerPort: 8080}]
  readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 0.1}
";

#[test]
fn promtool_has_nothing_to_complain_about() {
    let mesh = Mesh::up_with(SHOP, &[("page", "x")]);
    mesh.ready("cart-0");
    let both = "curl -sS --http2-prior-knowledge http://cart/page >/dev/null && curl -sS http://127.0.0.1:17003/metrics | promtool check metrics && curl -sS http://10.77.0.1:17013/metrics | promtool check metrics";
    mesh.succeed("web", &["sh", "-c", both]);
}

/// Scrapes the called side's sidecar, waits for the end of the load, and prints the rate over its middle and the count at its end.
const WATCH: &str = r#"
set -e
pod=$(curl -sS --http2-prior-knowledge http://cart/page >/dev/null; curl -sS http://127.0.0.1:17003/config | python3 -c 'import json, sys; print(json.load(sys.stdin)["destinations"][0]["clusters"][0]["endpoints"][0]["address"].split(":")[0])')
cat >prometheus.yml <<END
global: {scrape_interval: 250ms}
scrape_configs:
- job_name: mesh
  static_configs: [{targets: ["$pod:17003"]}]
END
prometheus --config.file prometheus.yml --storage.tsdb.path data --web.listen-address 127.0.0.1:9090 2>prometheus.log &
trap 'kill $!; wait $!' EXIT
ask() { curl -sS --fail --max-time 5 --get http://127.0.0.1:9090/api/v1/query --data-urlencode "query=$1" | python3 -c 'import json, sys; r = json.load(sys.stdin)["data"]["result"]; print(r[0]["value"][1] if r else 0)'; }
until [ "$(ask up 2>/dev/null || echo 0)" = 1 ]; do sleep 0.1; done
echo watching
of_web='{client_identity="spiffe://cluster.local/ns/shop/sa/web"}'
until [ "$(ask "sum(http_server_request_duration_seconds_count$of_web)" 2>/dev/null || echo 0)" -gt 1500 ]; do sleep 0.2; done
ask "sum(rate(http_server_request_duration_seconds_count$of_web[5s]))"
until [ "$(ask "sum(http_server_request_duration_seconds_count$of_web)")" -ge 2400 ]; do sleep 0.2; done
ask "sum(http_server_request_duration_seconds_count$of_web)"
"#;

#[test]
fn a_query_of_prometheus_returns_the_rate_that_the_load_generator_saw() {
    let mesh = Mesh::up_with(SHOP, &[("page", "x")]);
    mesh.ready("cart-0");
    let folder = tempfile::tempdir().expect("a folder for Prometheus");
    let mut watch = mesh.command("prometheus", &["sh", "-c", WATCH]);
    let mut watch = watch.current_dir(folder.path()).stdout(Stdio::piped()).spawn().expect("weft run");
    let mut lines = BufReader::new(watch.stdout.take().expect("its output")).lines().map_while(Result::ok);
    assert_eq!(lines.next().as_deref(), Some("watching"));
    // Eight clients send 25 requests a second each.
    let load = mesh.succeed("web", &["h2load", "-c", "8", "-n", "2400", "--rps", "25", "http://cart/page"]);
    assert!(load.contains("2400 succeeded"), "{load}");
    let rate = number(load.split("finished in").nth(1).and_then(|rest| rest.split(", ").nth(1)));
    let (seen, count) = (number(lines.next().as_deref()), number(lines.next().as_deref()));
    assert!(watch.wait().expect("the watch ends").success());
    assert!((seen - rate).abs() <= rate * 0.01, "Prometheus saw {seen} requests a second, and the load generator {rate}");
    assert!((count - 2400.0).abs() < f64::EPSILON, "Prometheus counted {count} of 2400 requests");
}

/// The number at the beginning of a text.
fn number(text: Option<&str>) -> f64 {
    let word = text.and_then(|text| text.split_whitespace().next()).expect("a number");
    word.trim_end_matches("req/s").parse().unwrap_or_else(|error| panic!("{word}: {error}"))
}
