//! Much at once: a gibibyte, and readers who do not read.

use std::process::Command;

use tests::{App, Mesh};

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
