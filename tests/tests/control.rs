//! Control may come and go: traffic goes on, and what changes afterwards is heard.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};
use tests::{Mesh, eventually};

fn shop(more: &str) -> String {
    format!(
        "apiVersion: v1
kind: Service
metadata: {{name: cart, namespace: shop}}
spec: {{selector: {{app: cart}}, ports: [{{port: 80, targetPort: 8080}}]}}
---
apiVersion: weft.dev/v1alpha1
kind: Workload
metadata: {{name: cart, namespace: shop, labels: {{app: cart}}}}
spec:
  command: [nghttpd, --no-tls, -d, ., '8080']
  replicas: 2
  ports: [{{containerPort: 8080}}]
  readinessProbe: {{tcpSocket: {{port: 8080}}, periodSeconds: 0.1}}
{more}"
    )
}

/// Process id of control in `mesh`.
fn control(mesh: &Mesh) -> Option<i32> {
    let named = |process: &u32| {
        let command = fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
        command.split(|byte| *byte == 0).next().is_some_and(|name| name.ends_with(b"weft-control"))
    };
    mesh.processes().into_iter().find(named).and_then(|process| i32::try_from(process).ok())
}

#[test]
fn killing_control_costs_no_request_and_its_successor_is_obeyed() {
    let mesh = Mesh::up_with(&shop(""), &[("page", "x")]);
    mesh.ready("cart-0");
    mesh.ready("cart-1");
    let mut load = mesh.start("web", &["h2load", "-D", "6", "-c", "4", "-m", "2", "http://cart/page"]);
    mesh.says("shop/web is ready");
    let first = control(&mesh).expect("control runs");
    kill_process(Pid::from_raw(first).expect("a process id"), Signal::KILL).expect("control runs");
    eventually("control runs again", || control(&mesh).filter(|process| *process != first));
    mesh.edit(&shop(
        "---
apiVersion: v1
kind: Service
metadata: {name: late, namespace: shop}
spec: {selector: {app: cart}, ports: [{port: 80, targetPort: 8080}]}
",
    ));
    mesh.succeed(
        "late-comer",
        &[
            "curl",
            "-sS",
            "--fail",
            "--max-time",
            "20",
            "--retry",
            "10",
            "--retry-all-errors",
            "--http2-prior-knowledge",
            "http://late/page",
        ],
    );
    let told = load.output();
    let told = String::from_utf8_lossy(&told.stdout);
    let line = told.lines().find(|line| line.starts_with("requests:")).unwrap_or_else(|| panic!("no count in:\n{told}"));
    assert!(line.contains(" 0 failed, 0 errored, 0 timeout"), "{told}");
    assert!(told.contains(" 0 3xx, 0 4xx, 0 5xx"), "{told}");
}
