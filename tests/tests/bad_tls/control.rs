//! Bad TLS to control's two ports. Who means well is served meanwhile, also a newcomer who has no certificate yet.

use std::{process::Command, thread};

use tests::Mesh;

use crate::{
    authority::{ALIVE, Authority},
    cases::{Case, holds, spoken},
};

const STRANGER: &str = "
apiVersion: weft.dev/v1alpha1
kind: Workload
metadata: {name: stranger, namespace: shop, labels: {app: stranger, weft.dev/inject: disabled}}
spec: {command: [sleep, infinity]}
---
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: shop}
spec: {selector: {app: cart}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: weft.dev/v1alpha1
kind: Workload
metadata: {name: cart, namespace: shop, labels: {app: cart}}
spec:
  command: [nghttpd, --no-tls, -d, ., '8080']
  ports: [{containerPort: 8080}]
  readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 0.1}
";

const DISCOVERY: u16 = 17010;
const CERTIFICATES: u16 = 17011;

/// The same at both ports.
const BOTH: &[Case] = &[
    ("shows foreign", "alert", "certificate=1"),
    ("shows signer", "alert", "certificate=1"),
    ("only tls 1 2", "alert protocol version", "malformed=1"),
    ("only tls 1 0", "alert", "malformed=1"),
    ("downgrade", "alert 70, closed", "malformed=1"),
    ("only a foreign group", "alert handshake failure", "malformed=1"),
    ("no protocol of ours", "alert no application protocol", "malformed=1"),
    ("plain text", "closed", "malformed=1"),
    ("record of no length", "closed", "malformed=1"),
    ("record longer than allowed", "closed", "malformed=1"),
    ("hello of 16 mebibytes", "closed", "malformed=1"),
    ("lengths that lie", "closed", "malformed=1"),
    ("junk after hello", "closed", "malformed=1"),
    ("second hello", "closed", "malformed=1"),
    ("data instead of finished", "closed", "malformed=1"),
    ("half a hello", "closed", "closed=1"),
    ("close after hello", "closed", "closed=1"),
    ("reset after hello", "left", "closed=1"),
];

/// Discovery is for members.
const MEMBERS_ONLY: &[Case] = &[
    ("no certificate", "alert certificate required", "certificate=1"),
    ("hello byte by byte", "alert certificate required", "certificate=1"),
    ("hello in records of one byte", "alert certificate required", "certificate=1"),
];

/// A first certificate is asked for without one: the connection is made, and gRPC has the next word.
const ANYBODY: &[Case] = &[("no certificate", "open h2", ""), ("hello byte by byte", "open h2", "")];

const CROWD: &[Case] = &[("crowd", "6 64", "crowd=6 timeout=64")];

#[test]
fn bad_tls_to_control_is_refused_with_its_reason_and_newcomers_are_served() {
    let mesh = Mesh::up_with(STRANGER, &[("page", "unharmed")]);
    let foreign = Authority::new("foreign");
    foreign.write(mesh.folder(), "foreign", &["spiffe://cluster.local/ns/shop/sa/web"], ALIVE);
    foreign.write_signer(mesh.folder(), "signer", &["spiffe://cluster.local/ns/shop/sa/web"]);
    mesh.ready("cart-0");
    mesh.ready("stranger-0");
    holds(to_control(&mesh, DISCOVERY, &[BOTH, MEMBERS_ONLY].concat()), &[BOTH, MEMBERS_ONLY].concat());
    holds(to_control(&mesh, CERTIFICATES, &[BOTH, ANYBODY].concat()), &[BOTH, ANYBODY].concat());
    thread::scope(|scope| {
        let crowd = to_control(&mesh, CERTIFICATES, CROWD);
        let crowd = scope.spawn(|| holds(crowd, CROWD));
        for name in ["newcomer", "another"] {
            let get = ["curl", "-sS", "--fail", "--max-time", "10", "--http2-prior-knowledge", "http://cart/page"];
            assert_eq!(mesh.succeed(name, &get), "unharmed");
        }
        assert!(!crowd.is_finished(), "the newcomers came while the crowd stood at the door");
    });
    assert!(!mesh.log().contains("panicked"), "{}", mesh.log());
}

fn to_control(mesh: &Mesh, port: u16, cases: &[Case]) -> Command {
    let words = spoken("10.77.0.1", port, "http://10.77.0.1:17013/metrics", cases);
    let mut command = mesh.inside("stranger-0", &words.iter().map(String::as_str).collect::<Vec<_>>());
    command.env("ALPN", "h2");
    command
}
