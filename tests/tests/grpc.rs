//! gRPC's own client and server through two sidecars: unary, errors, streams both ways, trailers.

use tests::{Mesh, python, script};

#[test]
fn calls_streams_errors_and_trailers_arrive_whole() {
    let manifests = format!(
        "
apiVersion: v1
kind: Service
metadata: {{name: cart, namespace: shop}}
spec: {{selector: {{app: cart}}, ports: [{{port: 50051}}]}}
---
apiVersion: weft.dev/v1alpha1
kind: Workload
metadata: {{name: cart, namespace: shop, labels: {{app: cart}}}}
spec:
  command: [{}, {}, '50051']
  serviceAccountName: cart
  ports: [{{containerPort: 50051}}]
  readinessProbe: {{tcpSocket: {{port: 50051}}, periodSeconds: 0.1}}
",
        python(),
        script("grpc_server.py")
    );
    let mesh = Mesh::up(&manifests);
    mesh.ready("cart-0");
    let told = mesh.succeed(
        "web",
        &[
            "sh",
            "-c",
            &format!("{} {} cart:50051 && curl -sS http://127.0.0.1:17003/metrics", python(), script("grpc_client.py")),
        ],
    );
    for line in
        ["unary hello world unary", "error FAILED_PRECONDITION told to fail unary", "stream 5 4 3 2 1 countdown", "chat A B C"]
    {
        assert!(told.lines().any(|told| told == line), "`{line}` is not in\n{told}");
    }
    let counted = told.lines().filter(|line| line.starts_with("http_client_request_duration_seconds_count"));
    assert!(
        counted.into_iter().all(|line| line.contains("network_protocol_version=\"2\"") && line.contains("tls=\"mutual\"")),
        "{told}"
    );
}
