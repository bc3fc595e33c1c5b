//! gRPC's own interoperability cases, between the client and the server of another implementation than grpc.rs has (gRPC for
//! Go): with sidecars on both sides, on one side only, and over IPv6.

use std::thread;

use serde_json::json;
use tests::{App, Mesh, go_program, manifests, outside};

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

fn server(name: &str) -> App {
    App::new(name, 10000, &[&go_program("grpc-interop-server"), "-port", "10000"])
}

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
    let declared = json!([{"port": 10000, "appProtocol": "grpc"}]);
    let servers = [
        server("meshed"),
        server("declared").ports(declared),
        server("six").service("ipFamilies", json!(["IPv6"])),
        server("plain").unmeshed(),
        outside(),
    ];
    let mesh = Mesh::up(&manifests(&servers));
    for pod in ["meshed-0", "declared-0", "six-0", "plain-0", "outside-0"] {
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
            let output = mesh.inside("outside-0", &["sh", "-c", &every_case("meshed")]).output().expect("sh");
            all_went_well(&String::from_utf8_lossy(&output.stdout), "from a pod without a sidecar");
        });
    });
}
