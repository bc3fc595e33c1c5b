//! gRPC's own interoperability cases, between the client and the server of another implementation than grpc.rs has (gRPC for
//! Go): with sidecars on both sides, on one side only, and over IPv6.

use std::thread;

use tests::{Mesh, go_program};

/// Those of gRPC's documented cases that need neither TLS nor credentials. The client knows what to expect of each.
const CASES: [&str; 18] = [
    "empty_unary",
    "large_unary",
    "client_streaming",
    "server_streaming",
    "ping_pong",
    "empty_stream",
    "timeout_on_sleeping_server",
    "cancel_after_begin",
    "cancel_after_first_response",
    "status_code_and_message",
    "special_status_message",
    "custom_metadata",
    "unimplemented_method",
    "unimplemented_service",
    "orca_per_rpc",
    "orca_oob",
    "rpc_soak",
    "channel_soak",
];

/// A server behind a service of its own.
fn server(name: &str, families: &str, protocol: &str, inject: bool) -> String {
    format!(
        "
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: shop}}
spec: {{selector: {{app: {name}}}, {families} ports: [{{port: 10000 {protocol}}}]}}
---
apiVersion: weft.dev/v1alpha1
kind: Workload
metadata: {{name: {name}, namespace: shop, labels: {{app: {name}}}}}
spec:
  command: [{}, -port, '10000']
  inject: {inject}
  serviceAccountName: {name}
  ports: [{{containerPort: 10000 {protocol}}}]
  readinessProbe: {{tcpSocket: {{port: 10000}}, periodSeconds: 0.1}}
---
",
        go_program("grpc-interop-server")
    )
}

const STRANGER: &str = "
apiVersion: weft.dev/v1alpha1
kind: Workload
metadata: {name: stranger, namespace: shop}
spec: {inject: false, command: [sleep, infinity]}
";

/// The cases about load reports need a balancer that looks at them.
const CONFIG: &str = r#"{"loadBalancingConfig":[{"test_backend_metrics_load_balancer":{}}]}"#;

/// Every case against the server of that name; says which went well.
fn every_case(server: &str) -> String {
    let client = go_program("grpc-interop-client");
    let cases = CASES.join(" ");
    format!(
        "for case in {cases}; do \
           told=$(timeout 20 {client} --server_host={server} --server_port=10000 --service_config_json='{CONFIG}' --test_case=$case 2>&1) && \
           echo $case went well || echo $case failed: \"$told\"; \
         done"
    )
}

fn all_went_well(told: &str, between: &str) {
    let well: Vec<&str> = told.lines().filter_map(|line| line.strip_suffix(" went well")).collect();
    assert_eq!(well, CASES, "{between}:\n{told}");
}

#[test]
fn every_interoperability_case_goes_well_whoever_has_a_sidecar() {
    let manifests = [
        server("meshed", "", "", true),
        server("declared", "", ", appProtocol: grpc", true),
        server("six", "ipFamilies: [IPv6],", "", true),
        server("plain", "", "", false),
        String::from(STRANGER),
    ];
    let mesh = Mesh::up(&manifests.concat());
    for pod in ["meshed-0", "declared-0", "six-0", "plain-0", "stranger-0"] {
        mesh.ready(pod);
    }
    thread::scope(|scope| {
        for server in ["meshed", "declared", "six", "plain"] {
            let (mesh, caller) = (&mesh, format!("to-{server}"));
            scope.spawn(move || {
                let told = mesh.succeed(&caller, &["sh", "-c", &every_case(server)]);
                all_went_well(&told, &format!("from a meshed pod to {server}"));
            });
        }
        scope.spawn(|| {
            let output = mesh.inside("stranger-0", &["sh", "-c", &every_case("meshed")]).output().expect("sh");
            all_went_well(&String::from_utf8_lossy(&output.stdout), "from a pod without a sidecar");
        });
    });
}
