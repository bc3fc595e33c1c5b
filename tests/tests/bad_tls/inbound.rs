//! A stranger without a sidecar speaks TLS badly to a meshed pod, where mesh TLS may end, in front of an app that speaks
//! plain HTTP and in front of one that speaks TLS itself.

use std::thread;

use tests::Mesh;

use crate::{
    authority::{ALIVE, Authority},
    cases::{Case, holds, spoken},
};

const SHOP: &str = "
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: shop}
spec: {selector: {app: cart}, ports: [{name: plain, port: 80, targetPort: 8080}, {name: secure, port: 443, targetPort: 8443}]}
---
apiVersion: weft.dev/v1alpha1
kind: Workload
metadata: {name: cart, namespace: shop, labels: {app: cart}}
spec:
  command: [sh, -c, 'mkdir -p $HOSTNAME && exec nginx -c $PWD/nginx.conf -p $PWD/$HOSTNAME']
  replicas: 3
  serviceAccountName: cart
  ports: [{containerPort: 8080}, {containerPort: 8443}]
  readinessProbe: {tcpSocket: {port: 8443}, periodSeconds: 0.1}
---
apiVersion: v1
kind: Service
metadata: {name: mail, namespace: shop}
spec: {selector: {app: mail}, ports: [{port: 2525}]}
---
apiVersion: weft.dev/v1alpha1
kind: Workload
metadata: {name: mail, namespace: shop, labels: {app: mail}}
spec:
  command: [python3, mail.py]
  ports: [{containerPort: 2525}]
---
apiVersion: weft.dev/v1alpha1
kind: Workload
metadata: {name: stranger, namespace: shop, labels: {app: stranger, weft.dev/inject: disabled}}
spec: {command: [sleep, infinity]}
";

/// Offers the mesh's ALPN, and fails: at the proxy, whatever the app speaks.
const MESH: &[Case] = &[
    ("no certificate", "alert certificate required", "client_certificate=1"),
    ("hello byte by byte", "alert certificate required", "client_certificate=1"),
    ("hello with a pause", "alert certificate required", "client_certificate=1"),
    ("hello in records of one byte", "alert certificate required", "client_certificate=1"),
    ("mesh beside h2", "alert certificate required", "client_certificate=1"),
    ("shows foreign", "alert", "client_certificate=1"),
    ("junk after hello", "closed", "malformed_tls=1"),
    ("second hello", "closed", "malformed_tls=1"),
    ("data instead of finished", "closed", "malformed_tls=1"),
    ("empty record after hello", "closed", "malformed_tls=1"),
    ("record too long after hello", "closed", "malformed_tls=1"),
    ("record of no kind after hello", "closed", "malformed_tls=1"),
    ("only tls 1 2", "alert protocol version", "malformed_tls=1"),
    ("downgrade", "alert 70, closed", "malformed_tls=1"),
    ("only a foreign group", "alert handshake failure", "malformed_tls=1"),
    ("close after hello", "closed", "malformed_tls=1"),
    ("reset after hello", "left", "malformed_tls=1"),
];

/// Not the mesh's: nginx itself answers, in plain HTTP.
const CARRIED_TO_PLAIN: &[Case] = &[
    ("half a hello", "http 400, closed", ""),
    ("record of no length", "http 400, closed", ""),
    ("record longer than allowed", "http 400, closed", ""),
    ("hello of 16 mebibytes", "http 400, closed", ""),
    ("lengths that lie", "http 400, closed", ""),
    ("only tls 1 0", "wrong version number", ""),
    ("hello for h2", "wrong version number", ""),
    ("plain text", "http 200, closed", ""),
];

/// Not the mesh's: nginx ends the TLS, or refuses it in its own words.
const CARRIED_TO_SECURE: &[Case] = &[
    ("hello for h2", "open h2", ""),
    ("hello for nothing", "open None HTTP/1.1 200", ""),
    ("hello for nothing in tls 1 2", "open None HTTP/1.1 200", ""),
    ("half a hello", "closed", ""),
    ("record longer than allowed", "closed", ""),
    ("lengths that lie", "alert 50, closed", ""),
    ("only tls 1 0", "alert", ""),
    ("plain text", "http 400, closed", ""),
];

/// A server that speaks first must not be heard by a peer whose hello has begun.
const BEFORE_A_GREETING: &[Case] = &[
    ("no certificate", "alert certificate required", "client_certificate=1"),
    ("hello with a pause", "alert certificate required", "client_certificate=1"),
];

const MAIL: &str = "
import socketserver
class Greeter(socketserver.StreamRequestHandler):
  def handle(self):
    self.wfile.write(b'220 welcome\\r\\n')
    self.rfile.readline()
socketserver.ThreadingTCPServer(('0.0.0.0', 2525), Greeter).serve_forever()
";

/// Held for as long as a handshake may last.
const PATIENCE: &[Case] = &[("never finishes", "closed closed closed", "malformed_tls=1 client_slow=2")];

#[test]
fn bad_tls_to_a_meshed_pod_is_refused_with_its_reason_and_the_apps_own_is_carried() {
    let mesh = Mesh::up_with(SHOP, &[("nginx.conf", include_str!("nginx.conf")), ("mail.py", MAIL)]);
    let foreign = Authority::new("foreign");
    foreign.write(mesh.folder(), "foreign", &["spiffe://cluster.local/ns/shop/sa/web"], ALIVE);
    foreign.write(mesh.folder(), "app", &["https://cart/"], ALIVE);
    (0..3).for_each(|replica| mesh.ready(&format!("cart-{replica}")));
    mesh.ready("mail-0");
    // One pod for each group, so that each has counters of its own.
    let [plain, secure, patient] = pods(&mesh, "cart").try_into().expect("three pods");
    let [mail] = pods(&mesh, "mail").try_into().expect("a pod");
    let groups = [
        (plain, 8080, [MESH, CARRIED_TO_PLAIN].concat()),
        (secure, 8443, [MESH, CARRIED_TO_SECURE].concat()),
        (patient, 8080, PATIENCE.to_vec()),
        (mail, 2525, BEFORE_A_GREETING.to_vec()),
    ];
    let mut load = mesh.start("steady", &["h2load", "--h1", "-D", "8", "-c", "6", "--rps", "10", "http://cart/"]);
    thread::scope(|scope| {
        for (host, port, cases) in &groups {
            let words = spoken(host, *port, &format!("http://{host}:17003/metrics"), cases);
            let command = mesh.inside("stranger-0", &words.iter().map(String::as_str).collect::<Vec<_>>());
            scope.spawn(move || holds(command, cases));
        }
    });
    let told = load.output();
    let told = String::from_utf8_lossy(&told.stdout);
    assert!(told.contains(" 0 failed, 0 errored, 0 timeout") && told.contains(" 0 3xx, 0 4xx, 0 5xx"), "{told}");
    for url in ["http://cart/", "https://cart/"] {
        assert_eq!(mesh.succeed("web", &["curl", "-sSk", "--fail", "--max-time", "10", url]), "unharmed\n");
    }
    assert!(!mesh.log().contains("panicked"), "{}", mesh.log());
}

/// Addresses of the pods behind `service`, as one sees them who has no sidecar.
fn pods(mesh: &Mesh, service: &str) -> Vec<String> {
    let ask = "import socket, sys; print(*sorted(socket.gethostbyname_ex(sys.argv[1])[2]))";
    let output = mesh.inside("stranger-0", &["python3", "-c", ask, service]).output().expect("python3");
    String::from_utf8_lossy(&output.stdout).split_whitespace().map(str::to_owned).collect()
}
