//! Whatever ends a mesh, nothing of it is left.

use std::{collections::BTreeSet, fs, process::Command};

use rustix::process::Signal;
use tests::{Mesh, eventually};

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
  command: [python3, -m, http.server, '8080']
  replicas: 2
  ports: [{containerPort: 8080}]
";

/// What a mesh could leave on the machine: links, addresses, mounts, abstract sockets.
fn traces() -> BTreeSet<String> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let mut traces: BTreeSet<String> =
        read("/proc/net/dev").lines().filter_map(|line| line.split(':').next()).map(str::to_owned).collect();
    traces.extend(read("/proc/self/mountinfo").lines().map(str::to_owned));
    traces.extend(
        read("/proc/net/unix")
            .lines()
            .filter_map(|line| line.split('@').nth(1))
            .filter(|name| name.contains("weft"))
            .map(str::to_owned),
    );
    traces
}

fn ends_without_a_trace(signal: Signal) {
    let mut mesh = Mesh::up(SHOP);
    mesh.ready("cart-0");
    let before = traces();
    assert!(before.iter().any(|trace| trace.contains("weft")), "a running mesh can be met: {before:?}");
    let processes = mesh.processes();
    assert!(processes.len() > 6, "{processes:?}");
    let files: Vec<_> = fs::read_dir(mesh.folder()).expect("the folder").flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(files, ["mesh.yaml"]);
    mesh.end(signal);
    eventually("every process has ended", || {
        let left = processes.iter().filter(|process| fs::metadata(format!("/proc/{process}")).is_ok()).count();
        (left == 0).then_some(())
    });
    let left: Vec<String> = traces().into_iter().filter(|trace| trace.contains("weft")).collect();
    // Other tests of this file may have meshes of their own meanwhile; theirs are named after other directories.
    let folder = mesh.folder().display().to_string();
    assert!(!left.iter().any(|trace| trace.contains(&folder)), "{left:?}");
}

#[test]
fn ctrl_c_leaves_nothing() {
    ends_without_a_trace(Signal::INT);
}

#[test]
fn a_kill_of_the_parent_leaves_nothing() {
    ends_without_a_trace(Signal::KILL);
}

#[test]
fn the_machines_own_network_is_never_touched() {
    let rules = || {
        Command::new("sh")
            .args(["-c", "cat /proc/net/dev | cut -d: -f1; cat /proc/net/route; ls /sys/class/net"])
            .output()
            .expect("sh")
            .stdout
    };
    let before = rules();
    let mesh = Mesh::up(SHOP);
    mesh.ready("cart-0");
    assert_eq!(String::from_utf8_lossy(&rules()), String::from_utf8_lossy(&before));
}
