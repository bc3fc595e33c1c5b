//! Connections and streams that become something else: WebSocket over HTTP/1.1 and HTTP/2, other upgrades, CONNECT.

use tests::{Mesh, python, script};

/// Two services before the same program, one on each version of IP; a pod with a sidecar behind `meshed`, one without behind
/// `plain`.
fn manifests(program: &str) -> String {
    let command = format!("[{}, -u, {}]", python(), script(&format!("websocket/{program}")));
    let pod = |name: &str, inject: bool| {
        format!(
            "
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: shop}}
spec: {{selector: {{app: {name}}}, ports: [{{port: 80, targetPort: 9000}}]}}
---
apiVersion: v1
kind: Service
metadata: {{name: {name}6, namespace: shop}}
spec: {{selector: {{app: {name}}}, ipFamilies: [IPv6], ports: [{{port: 80, targetPort: 9000}}]}}
---
apiVersion: weft.dev/v1alpha1
kind: Workload
metadata: {{name: {name}, namespace: shop}}
spec:
  command: {command}
  serviceAccountName: {name}
  inject: {inject}
  ports: [{{containerPort: 9000}}]
  readinessProbe: {{tcpSocket: {{port: 9000}}, periodSeconds: 0.1}}
---"
        )
    };
    [pod("meshed", true), pod("plain", false)].concat()
}

fn up(program: &str) -> Mesh {
    let mesh = Mesh::up(&manifests(program));
    mesh.ready("meshed-0");
    mesh.ready("plain-0");
    mesh
}

/// From a pod with a sidecar to each service, by each version of IP.
const SERVICES: [&str; 4] = ["meshed", "meshed6", "plain", "plain6"];

#[test]
fn websockets_carry_messages_of_every_shape() {
    let mesh = up("echo.py");
    for service in SERVICES {
        let url = format!("ws://{service}/chat");
        let told = mesh.succeed("web", &[&python(), &script("websocket/cases.py"), &url]);
        assert_eq!(told, "126 cases\n", "{service}");
    }
}

#[test]
fn websockets_over_http2_reach_apps_of_either_version() {
    for (program, version) in [("echo.py", "1.1"), ("http2_echo.py", "2")] {
        let mesh = up(program);
        for service in SERVICES {
            let told = mesh.succeed("web", &[&python(), &script("websocket/http2_client.py"), service, "80"]);
            assert_eq!(told, format!("5 sockets over {version}\n"), "{program} behind {service}");
        }
    }
}

#[test]
fn other_upgrades_and_connect_switch_too() {
    let mesh = up("other.py");
    for service in SERVICES {
        let told = mesh.succeed("web", &[&python(), &script("websocket/other.py"), service, "80"]);
        assert_eq!(told, "7 switches\n", "{service}");
    }
}
