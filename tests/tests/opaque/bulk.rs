//! Much at once: a gibibyte, and readers who do not read.

use std::{process::Command, thread, time::Duration};

use tests::{App, Mesh, Process, WORLDS, World, both, manifests, outside, script};

use crate::asker::Asker;

/// Deterministic bytes that do not compress to nothing.
const GIBIBYTE: &str = "openssl enc -aes-128-ctr -K 00000000000000000000000000000001 -iv 00000000000000000000000000000000 \
                        -in /dev/zero 2>/dev/null | head -c 1073741824";

#[test]
fn a_gibibyte_arrives_whole() {
    let server = format!(
        "import socket, subprocess\ns = socket.create_server(('0.0.0.0', 9000))\nwhile True:\n  c, _ = s.accept()\n  subprocess.Popen(['sh', '-c', '{GIBIBYTE}'], stdout=c.fileno())\n  c.close()\n"
    );
    let mesh = Mesh::up_with(&App::new("bulk", 9000, &["python3", "-u", "bulk.py"]).to_string(), &[("bulk.py", &server)]);
    mesh.ready("bulk-0");
    let fetch = "import socket, hashlib\nc = socket.create_connection(('bulk', 9000)); h = hashlib.sha256(); n = 0\nwhile True:\n  b = c.recv(1 << 18)\n  if not b: break\n  h.update(b); n += len(b)\nprint(n, h.hexdigest())\n";
    let told = mesh.succeed("web", &["python3", "-c", fetch]);
    let expected = Command::new("sh").args(["-c", &format!("{GIBIBYTE} | sha256sum")]).output().expect("sha256sum");
    let expected = String::from_utf8_lossy(&expected.stdout).split_whitespace().next().unwrap_or_default().to_owned();
    assert_eq!(told.trim(), format!("1073741824 {expected}"));
}

/// KiB by which a sidecar may grow while nobody reads.
const GROWTH_MAX: u64 = 24 << 10;

#[test]
fn a_reader_who_does_not_read_stops_the_writer_and_fills_no_sidecar() {
    let mesh = flooded();
    for world in WORLDS {
        let mut reader = stalled(world, &mesh, "1");
        let sidecars: Vec<Process> =
            ["web", "flood-0"].into_iter().filter(|pod| world.meshes(pod)).map(|pod| mesh.sidecar(pod)).collect();
        // What is under way fills all the windows first.
        thread::sleep(Duration::from_millis(500));
        let before: Vec<u64> = sidecars.iter().map(|sidecar| sidecar.memory().expect("it runs")).collect();
        let first = reader.ask_number();
        thread::sleep(Duration::from_secs(1));
        let second = reader.ask_number();
        assert!(second - first < 1e6, "{world}: the server goes on, from {first} bytes to {second}");
        for (sidecar, before) in sidecars.iter().zip(before) {
            let growth = sidecar.memory().expect("it runs").saturating_sub(before);
            assert!(growth < GROWTH_MAX, "{world}: a sidecar has grown by {growth} KiB");
        }
    }
}

#[test]
fn readers_who_do_not_read_hold_up_nobody_else() {
    let mesh = flooded();
    for world in WORLDS {
        let mut readers = stalled(world, &mesh, "40");
        thread::sleep(Duration::from_secs(1));
        let answer = readers.ask();
        assert!(answer.parse::<u64>().is_ok(), "{world}: {answer}");
    }
}

/// A mesh with servers that flood whoever asks for it.
fn flooded() -> Mesh {
    let flood = script("flood.py");
    let apps = both("flood", |name| App::new(name, 9100, &["python3", "-u", &flood]));
    let mesh = Mesh::up(&manifests(apps.iter().chain([&outside()])));
    for pod in ["flood-0", "plain-flood-0", "outside-0"] {
        mesh.ready(pod);
    }
    mesh
}

/// A client that does not read on so many connections.
fn stalled(world: World, mesh: &Mesh, connections: &str) -> Asker {
    let call = ["python3", &script("stalled.py"), &world.host("flood"), connections];
    let mut reader = Asker::new(world.command(mesh, "web", &call));
    assert_eq!(reader.hear(), "stalled", "{world}");
    reader
}
