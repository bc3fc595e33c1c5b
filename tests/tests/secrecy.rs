//! No byte of an application crosses the bridge in plaintext.

use std::{process::Stdio, thread, time::Duration};

use rustix::process::{Pid, Signal, kill_process};
use tests::Mesh;

const SECRET: &str = "attack-at-dawn-4711";

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
  command: [python3, -m, http.server, '8080', --bind, 0.0.0.0]
  serviceAccountName: cart
  ports: [{containerPort: 8080}]
  readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 0.1}
---
apiVersion: v1
kind: Service
metadata: {name: plain, namespace: shop}
spec: {selector: {app: plain}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: weft.dev/v1alpha1
kind: Workload
metadata: {name: plain, namespace: shop, labels: {app: plain, weft.dev/inject: disabled}}
spec:
  command: [python3, -m, http.server, '8080', --bind, 0.0.0.0]
  serviceAccountName: plain
  ports: [{containerPort: 8080}]
  readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 0.1}
";

#[test]
fn a_capture_of_the_bridge_shows_the_secret_only_where_there_is_no_sidecar() {
    let mesh = Mesh::up_with(SHOP, &[("page", SECRET)]);
    mesh.ready("cart-0");
    mesh.ready("plain-0");
    let get = |host: &str| {
        let url = format!("http://{host}/page?q={SECRET}");
        let told = mesh.succeed("web", &["curl", "-sS", "--fail", &url]);
        assert_eq!(told, SECRET);
    };
    get("cart");
    assert!(!captured(&mesh, || get("cart")).contains(SECRET), "between two sidecars the secret is on the wire");
    // The same capture does see plaintext, or it would prove nothing.
    assert!(captured(&mesh, || get("plain")).contains(SECRET), "the capture sees nothing at all");
}

/// Everything that crosses the bridge during `work`, as text.
fn captured(mesh: &Mesh, work: impl FnOnce()) -> String {
    let tcpdump = ["tcpdump", "-i", "weft0", "-s", "0", "-A", "-U", "-n", "--immediate-mode", "tcp"];
    let mut capture = mesh.on_the_bridge(&tcpdump).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("tcpdump");
    let mut said = std::io::BufReader::new(capture.stderr.take().expect("its errors"));
    let mut line = String::new();
    while !line.contains("listening on") {
        line.clear();
        assert!(std::io::BufRead::read_line(&mut said, &mut line).expect("tcpdump speaks") > 0, "tcpdump cannot capture");
    }
    work();
    thread::sleep(Duration::from_millis(300));
    let id = i32::try_from(capture.id()).ok().and_then(Pid::from_raw).expect("a process id");
    kill_process(id, Signal::INT).expect("tcpdump runs");
    let output = capture.wait_with_output().expect("tcpdump ends");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
