//! HTTP/2 with prior knowledge between real programs: h2load calls nghttpd through two sidecars.

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
  replicas: 2
  serviceAccountName: cart
  ports: [{containerPort: 8080}]
  readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 0.1}
";

#[test]
fn every_stream_of_every_connection_is_answered() {
    let mesh = Mesh::up_with(SHOP, &[("page", &"x".repeat(3000))]);
    mesh.ready("cart-0");
    mesh.ready("cart-1");
    let load = "h2load -n 2000 -c 4 -m 8 http://cart/page && curl -sS http://127.0.0.1:17003/metrics";
    let told = mesh.succeed("web", &["sh", "-c", load]);
    assert!(told.contains("2000 succeeded, 0 failed, 0 errored, 0 timeout"), "{told}");
    assert!(told.contains("2000 2xx"), "{told}");
    let counted: Vec<&str> = told.lines().filter(|line| line.starts_with("http_client_request_duration_seconds_count")).collect();
    assert!(
        counted.iter().all(|line| line.contains("network_protocol_version=\"2\"") && line.contains("tls=\"mutual\"")),
        "{counted:?}"
    );
}
