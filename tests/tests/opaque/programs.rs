//! Real programs: PostgreSQL, Redis, and a gibibyte whose checksum must match.

use std::fs;

use tests::Mesh;

fn service(name: &str, port: u16) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: shop}}\nspec: {{selector: {{app: {name}}}, ports: [{{port: {port}}}]}}\n---\n"
    )
}

fn workload(name: &str, port: u16, command: &str, more: &str) -> String {
    format!(
        "apiVersion: weft.dev/v1alpha1\nkind: Workload\nmetadata: {{name: {name}, namespace: shop, labels: {{app: {name}}}}}\nspec:\n  command: {command}\n  serviceAccountName: {name}\n  ports: [{{containerPort: {port}}}]\n  readinessProbe: {{tcpSocket: {{port: {port}}}, periodSeconds: 0.2}}\n{more}"
    )
}

/// Whoever runs the tests; root cannot run PostgreSQL, so then its own user does.
fn postgres_user() -> String {
    let passwd = fs::read_to_string("/etc/passwd").expect("users");
    let postgres = passwd.lines().find(|line| line.starts_with("postgres:")).expect("Debian's package makes the user postgres");
    let fields: Vec<&str> = postgres.split(':').collect();
    if rustix::process::geteuid().is_root() {
        format!("  securityContext: {{runAsUser: {}, runAsGroup: {}}}\n", fields[2], fields[3])
    } else {
        String::new()
    }
}

/// Where Debian keeps the server's programs.
fn postgres_bin() -> String {
    let versions = fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL is installed");
    let version = versions.flatten().map(|entry| entry.path()).max().expect("a version");
    version.join("bin").display().to_string()
}

#[test]
fn postgresql_and_redis_work_through_the_mesh() {
    // A server that speaks after its client (both do), and one whose first bytes (SSLRequest) look like nothing else.
    let start = format!(
        "set -e; d=$(mktemp -d /tmp/weft-postgres.XXXXXX); trap 'rm -rf $d' EXIT; {bin}/initdb -D $d -U shop -A trust >/dev/null; echo 'host all all all trust' >> $d/pg_hba.conf; {bin}/postgres -D $d -k '' -h '*' -c ssl=off & trap 'kill -INT $!; wait $!; rm -rf $d' TERM; wait $!",
        bin = postgres_bin()
    );
    let manifests = [
        service("db", 5432),
        workload("db", 5432, &format!("[bash, -c, {}]", serde_json::Value::from(start)), &postgres_user()),
        String::from("---\n"),
        service("cache", 6379),
        workload("cache", 6379, "[redis-server, --save, '', --protected-mode, 'no', --port, '6379', --dir, /tmp]", ""),
    ];
    let mesh = Mesh::up(&manifests.concat());
    mesh.ready("db-0");
    mesh.ready("cache-0");
    let sql = "select 40 + 2 as answer; select count(*) from generate_series(1, 100000) as n";
    let ask = format!("psql -h db -U shop -d postgres -At -c '{sql}' && curl -sS http://127.0.0.1:17003/metrics");
    let told = mesh.succeed("web", &["sh", "-c", &ask]);
    assert!(told.starts_with("42\n100000\n"), "{told}");
    let connections = told.lines().filter(|line| line.starts_with("weft_tcp_connections_opened_total"));
    assert!(
        connections.into_iter().any(|line| line.contains("server_workload=\"db\"") && line.contains("tls=\"mutual\"")),
        "{told}"
    );

    let ask = "redis-cli -h cache set greeting hello; redis-cli -h cache get greeting; redis-cli -h cache -r 3 incr n";
    let told = mesh.succeed("web", &["sh", "-c", ask]);
    assert_eq!(told, "OK\nhello\n1\n2\n3\n");
}

#[test]
fn a_gibibyte_arrives_whole() {
    // Deterministic bytes that do not compress to nothing; both ends count them.
    let bytes = "openssl enc -aes-128-ctr -K 00000000000000000000000000000001 -iv 00000000000000000000000000000000 -in /dev/zero 2>/dev/null | head -c 1073741824";
    let server = format!(
        "import socket, subprocess\ns = socket.create_server(('0.0.0.0', 9000))\nwhile True:\n  c, _ = s.accept()\n  subprocess.Popen(['sh', '-c', '{bytes}'], stdout=c.fileno())\n  c.close()\n"
    );
    let manifests = [
        service("bulk", 9000),
        workload("bulk", 9000, "[python3, -u, bulk.py]", "")
            .replace("readinessProbe", "# no probe: a connection is a transfer\n  #"),
    ];
    let mesh = Mesh::up_with(&manifests.concat(), &[("bulk.py", &server)]);
    let fetch = "import socket, hashlib, time\nfor _ in range(100):\n  try:\n    c = socket.create_connection(('bulk', 9000)); first = c.recv(1)\n    if first: break\n  except OSError: pass\n  time.sleep(0.1)\nh = hashlib.sha256(first); n = len(first)\nwhile True:\n  b = c.recv(1 << 18)\n  if not b: break\n  h.update(b); n += len(b)\nprint(n, h.hexdigest())\n";
    let told = mesh.succeed("web", &["python3", "-c", fetch]);
    let expected = std::process::Command::new("sh").args(["-c", &format!("{bytes} | sha256sum")]).output().expect("sha256sum");
    let expected = String::from_utf8_lossy(&expected.stdout).split_whitespace().next().unwrap_or_default().to_owned();
    assert_eq!(told.trim(), format!("1073741824 {expected}"));
}

#[test]
fn a_server_that_speaks_first_is_heard_at_once_and_by_everybody() {
    let server = "import socketserver\nclass Greeter(socketserver.StreamRequestHandler):\n  def handle(self):\n    self.wfile.write(b'220 welcome\\r\\n')\n    line = self.rfile.readline()\n    self.wfile.write(b'250 ' + line)\nsocketserver.ThreadingTCPServer.allow_reuse_address = True\nsocketserver.ThreadingTCPServer.daemon_threads = True\nsocketserver.ThreadingTCPServer(('0.0.0.0', 2525), Greeter).serve_forever()\n";
    let manifests = [service("mail", 2525), workload("mail", 2525, "[python3, -u, mail.py]", "")];
    let mesh = Mesh::up_with(&manifests.concat(), &[("mail.py", server)]);
    mesh.ready("mail-0");
    let client = "import socket, time\nfor n in range(50):\n  c = socket.create_connection(('mail', 2525)); c.settimeout(5)\n  f = c.makefile('rwb')\n  assert f.readline() == b'220 welcome\\r\\n'\n  f.write(b'hello %d\\r\\n' % n); f.flush()\n  assert f.readline() == b'250 hello %d\\r\\n' % n\n  c.close()\nprint('all greeted')\n";
    assert_eq!(mesh.succeed("web", &["python3", "-c", client]), "all greeted\n");
}
