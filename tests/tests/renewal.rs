//! Certificates are renewed long before they end, and no request notices.

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
fn leaves_of_ten_seconds_are_renewed_under_load_without_a_failure() {
    let mesh = Mesh::up_in(SHOP, &[("page", "x")], &[("WEFT_LEAF_LIFETIME_SECONDS", "10")]);
    mesh.ready("cart-0");
    let load = "
serial() { curl -sS http://127.0.0.1:17003/config | python3 -c 'import json, sys; print(json.load(sys.stdin)[\"identity\"][\"serial\"])'; }
serial
h2load -D 16 -c 4 -m 2 http://cart/page
serial
curl -sS --fail --http2-prior-knowledge http://cart/page
";
    let told = mesh.succeed("web", &["sh", "-c", load]);
    let mut lines = told.lines();
    let first = lines.next().expect("a serial number");
    let last = lines.rev().nth(1).expect("another");
    assert_ne!(first, last, "the certificate was renewed");
    let count = told.lines().find(|line| line.starts_with("requests:")).expect("a count");
    assert!(count.contains(" 0 failed, 0 errored, 0 timeout"), "{told}");
    assert!(told.contains(" 0 3xx, 0 4xx, 0 5xx"), "{told}");
}
