//! What gRPC clients rely on beyond calls that go well: deadlines, giving up, errors in detail, big and compressed messages,
//! pings, and being told in gRPC's own words when nobody can answer.

use std::{
    process::{Command, Output},
    thread,
};

use serde_json::json;
use tests::{App, Mesh, manifests, outside, python, script, service};

fn server(name: &str) -> App {
    App::new(name, 50051, &[&python(), &script("grpc_manners_server.py"), "50051"])
}

/// What `grpc_manners_client.py` has to say.
const HELD: [&str; 16] = [
    "a deadline ends a call",
    "its server hears of it",
    "a server knows how much time is left",
    "a cancelled stream is heard of",
    "so is a cancelled call without an answer",
    "an error keeps its code",
    "and its words",
    "and its details, byte for byte",
    "and what else was said",
    "initial metadata comes back whole",
    "trailing metadata comes back whole",
    "8 MiB go there and back",
    "and so they do compressed",
    "pings from both sides disturb no silence",
    "a method that is not there is told",
    "a server that dies is told before it answered",
];

fn all_held(mut client: Command, between: &str) {
    let output = client.output().expect("python");
    let told = String::from_utf8_lossy(&output.stdout);
    let held: Vec<&str> = told.lines().collect();
    assert_eq!(held, HELD, "{between}:\n{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn calls_go_wrong_and_well_as_they_do_without_sidecars() {
    // Each client has a server of its own, since it ends it.
    let six = server("six").service("ipFamilies", json!(["IPv6"]));
    let servers = [server("meshed"), six, server("plain").unmeshed(), server("called"), outside()];
    let mesh = Mesh::up(&manifests(&servers));
    for pod in ["meshed-0", "six-0", "plain-0", "called-0", "outside-0"] {
        mesh.ready(pod);
    }
    let (python, client) = (&python(), &script("grpc_manners_client.py"));
    thread::scope(|scope| {
        for server in ["meshed", "six", "plain"] {
            let command = mesh.command(&format!("to-{server}"), &[python, client, &format!("{server}:50051")]);
            scope.spawn(move || all_held(command, &format!("from a meshed pod to {server}")));
        }
        let command = mesh.inside("outside-0", &[python, client, "called:50051"]);
        scope.spawn(move || all_held(command, "from a pod without a sidecar"));
    });
}

#[test]
fn whoever_calls_where_nobody_answers_is_told_why() {
    // A service without a pod, and one whose pod does not listen where the service says.
    let ghost = service("ghost", &json!({"selector": {"app": "ghost"}, "ports": [{"port": 50051}]}));
    let shut = App::new("shut", 50051, &["sleep", "infinity"]).workload("readinessProbe", json!({"exec": {"command": ["true"]}}));
    let mesh = Mesh::up(&format!("{shut}{ghost}"));
    mesh.ready("shut-0");
    let told = mesh.succeed("web", &[&python(), &script("grpc_refused.py"), "ghost:50051", "shut:50051"]);
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines.len(), 2, "{told}");
    assert!(
        lines[0].starts_with("ghost:50051 UNAVAILABLE no_endpoint weft: ghost.shop.svc.cluster.local:50051 has no"),
        "{told}"
    );
    assert!(lines[1].starts_with("shut:50051 UNAVAILABLE connect_refused weft: "), "{told}");
}

#[test]
fn a_server_that_dies_amid_its_answer_is_not_taken_for_a_client_that_gave_up() {
    let mesh = Mesh::up(&manifests([&server("cart"), &outside()]));
    mesh.ready("cart-0");
    mesh.ready("outside-0");
    let client = [&*python(), &script("grpc_dying.py"), "cart:50051"];
    for told in [mesh.succeed("web", &client), mesh.told(&client, &again(&mesh, &client))] {
        // gRPC makes its code of the reset's, and CANCELLED means that the client itself gave up.
        assert!(told.starts_with("UNAVAILABLE ") || told.starts_with("INTERNAL "), "{told}");
    }
}

/// The same from outside, once the server is back.
fn again(mesh: &Mesh, client: &[&str]) -> Output {
    mesh.says("cart-0 is ready again");
    mesh.inside("outside-0", client).output().expect("python")
}
