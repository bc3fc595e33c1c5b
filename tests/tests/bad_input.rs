//! Mistakes are named with file, line and a hint; what was good stays in force; nobody else is hurt.

use std::fs;

use tests::Mesh;

const GOOD: &str = "apiVersion: v1
kind: Service
metadata: {name: cart, namespace: shop}
spec: {selector: {app: cart}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: weft.dev/v1alpha1
kind: Workload
metadata: {name: cart, namespace: shop, labels: {app: cart}}
spec:
  command: [python3, -m, http.server, '8080']
  ports: [{containerPort: 8080}]
  readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 0.1}
";

#[test]
fn every_mistake_of_an_edit_is_reported_and_the_last_good_state_stays_in_force() {
    let mesh = Mesh::up_with(GOOD, &[("page", "still here")]);
    mesh.ready("cart-0");
    let bad = GOOD.replace("  command:", "  replcas: 2\n  comand:").replace("port: 80,", "port: eighty,");
    mesh.edit(&bad);
    mesh.says("replcas");
    let log = mesh.log();
    for part in ["mesh.yaml:4", "did you mean `replicas`?", "did you mean `command`?"] {
        assert!(log.contains(part), "`{part}` is not in\n{log}");
    }
    assert_eq!(mesh.succeed("web", &["curl", "-sS", "--fail", "--max-time", "10", "http://cart/page"]), "still here");
}

#[test]
fn a_program_that_does_not_exist_is_named_and_the_others_run() {
    let missing = "---\napiVersion: weft.dev/v1alpha1\nkind: Workload\nmetadata: {name: ghost, namespace: shop}\nspec: {command: [no-such-program]}\n";
    let mesh = Mesh::up_with(&format!("{GOOD}{missing}"), &[("page", "here")]);
    mesh.ready("cart-0");
    mesh.says("no-such-program");
    assert_eq!(mesh.succeed("web", &["curl", "-sS", "--fail", "--max-time", "10", "http://cart/page"]), "here");
}

#[test]
fn garbage_sent_to_every_port_of_the_mesh_changes_nothing() {
    let mesh = Mesh::up_with(GOOD, &[("page", "unharmed")]);
    mesh.ready("cart-0");
    let throw = "
import os, socket, sys
def throw(host, port, data):
    try:
        c = socket.create_connection((host, port), 2); c.settimeout(0.2); c.sendall(data)
        try: c.recv(100)
        except OSError: pass
        c.close()
    except OSError: pass
pod = socket.gethostbyname('cart')
for data in [b'\\0' * 100, os.urandom(3000), b'GET / HTTP/9.9\\r\\n\\r\\n', b'\\x16\\x03\\x01\\x02\\x00' + os.urandom(512), b'PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n' + os.urandom(200)]:
    for host, port in [('127.0.0.1', 17001), ('127.0.0.1', 17002), ('127.0.0.1', 17003), ('10.77.0.1', 17010), ('10.77.0.1', 17011), ('10.77.0.1', 17013), ('10.77.0.1', 53), (pod, 80)]:
        throw(host, port, data)
print('thrown')
";
    let told = mesh.succeed("vandal", &["python3", "-c", throw]);
    assert_eq!(told, "thrown\n");
    assert_eq!(mesh.succeed("web", &["curl", "-sS", "--fail", "--max-time", "10", "http://cart/page"]), "unharmed");
    assert!(!mesh.log().contains("panicked"), "{}", mesh.log());
}

#[test]
fn nothing_starts_from_manifests_that_were_never_good() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("a.yaml"), "apiVersion: v1\nkind: Service\nmetadata: {}\n").expect("a manifest");
    fs::write(folder.path().join("b.yaml"), "kind: [").expect("a manifest");
    let tests = std::env::current_exe().expect("our own path");
    let weft = tests.ancestors().nth(2).expect("the target folder").join("weft");
    let output = std::process::Command::new(weft).arg("up").arg(folder.path()).output().expect("weft starts");
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("a.yaml:") && told.contains("b.yaml:1"), "{told}");
}
