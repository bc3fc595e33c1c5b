//! Certificates of the right root that are wrong all the same, shown to a proxy by clients and by servers. The proxies are
//! given files instead of control, so that somebody other than control can be their root.

use std::{
    fs,
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
};

use tests::{eventually, free_port, program, script};

use crate::{
    authority::{ALIVE, Authority},
    cases::{Case, holds, spoken},
};

const WEB: &str = "spiffe://cluster.local/ns/shop/sa/web";
const CART: &str = "spiffe://cluster.local/ns/shop/sa/cart";

/// What clients show to an inbound proxy.
const CLIENTS: &[Case] = &[
    ("shows web", "open weft/1", ""),
    ("shows expired", "alert certificate expired", "client_certificate=1"),
    ("shows early", "alert", "client_certificate=1"),
    ("shows two", "alert", "client_certificate=1"),
    ("shows none", "alert", "client_certificate=1"),
    ("shows nonsense", "alert", "client_certificate=1"),
    ("shows elsewhere", "alert", "client_certificate=1"),
    ("shows foreign", "alert", "client_certificate=1"),
    ("shows signer", "alert", "client_certificate=1"),
    ("no certificate", "alert certificate required", "client_certificate=1"),
    ("another protocol inside", "", "bad_request=1"),
];

/// What stands at the address of `cart`, and what its callers are told.
const SERVERS: &[(&str, &str)] = &[
    ("web", "502 server_identity"),
    ("expired", "502 server_certificate"),
    ("early", "502 server_certificate"),
    ("two", "502 server_certificate"),
    ("none", "502 server_certificate"),
    ("nonsense", "502 server_certificate"),
    ("elsewhere", "502 server_identity"),
    ("foreign", "502 server_certificate"),
    ("signer", "502 server_certificate"),
    ("only-tls-1-2", "502 server_certificate"),
    ("no-alpn", "502 server_certificate"),
    ("plain", "502 server_certificate"),
    ("junk", "502 server_certificate"),
    ("alert", "502 server_certificate"),
    ("long-record", "502 server_certificate"),
    ("closes", "502 server_certificate"),
    ("silent", "504 connect_timeout"),
];

/// A program that ends with the test.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn clients_with_wrong_certificates_are_refused_and_the_next_good_one_is_served() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    certificates(path);
    let [app, hop, port, admin, other] = free_ports();
    fs::write(path.join("page"), "unharmed").expect("a page");
    let _app = start(Command::new("python3").args(["-m", "http.server", &app.to_string()]).current_dir(path));
    let listener = format!("listeners: [{{address: '127.0.0.1:{hop}', direction: inbound, destination: '127.0.0.1:{app}'}}]\n");
    let _inbound = proxy(path, "in", &[identity("cart"), listener].concat(), admin);
    let _outbound = proxy(path, "out", &[identity("web"), towards(&[(port, hop)])].concat(), other);
    [app, hop, port, admin].into_iter().for_each(listens);

    let words = spoken("127.0.0.1", hop, &format!("http://127.0.0.1:{admin}/metrics"), CLIENTS);
    let mut speak = Command::new(&words[0]);
    speak.args(&words[1..]).current_dir(path);
    holds(speak, CLIENTS);
    assert!(asked(port).ends_with("unharmed"), "{}", asked(port));
}

#[test]
fn servers_with_wrong_certificates_or_bad_tls_get_no_request_and_the_good_one_does() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    certificates(path);
    let [app, hop, port, admin, other] = free_ports();
    fs::write(path.join("page"), "unharmed").expect("a page");
    let _app = start(Command::new("python3").args(["-m", "http.server", &app.to_string()]).current_dir(path));
    let listener = format!("listeners: [{{address: '127.0.0.1:{hop}', direction: inbound, destination: '127.0.0.1:{app}'}}]\n");
    let _inbound = proxy(path, "in", &[identity("cart"), listener].concat(), other);
    let (ports, hops): ([u16; SERVERS.len()], [u16; SERVERS.len()]) = (free_ports(), free_ports());
    let kinds = hops.iter().zip(SERVERS).map(|(hop, (kind, _))| format!("{hop}={kind}"));
    let _servers = start(Command::new("python3").arg(script("bad_tls_servers.py")).args(kinds).current_dir(path));
    let pairs: Vec<(u16, u16)> = ports.into_iter().zip(hops).chain([(port, hop)]).collect();
    let _outbound = proxy(path, "out", &[identity("web"), towards(&pairs)].concat(), admin);
    [app, hop, port, admin].into_iter().chain(ports).chain(hops).for_each(listens);

    let mut wrong = Vec::new();
    for (port, (kind, expected)) in ports.into_iter().zip(SERVERS) {
        let told = asked(port);
        let reason = told.lines().find_map(|line| line.strip_prefix("weft-reason: ")).unwrap_or_default();
        let told = format!("{} {reason}", told.split(' ').nth(1).unwrap_or_default());
        if told != *expected {
            wrong.push(format!("{kind}: {told}, expected {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(asked(port).ends_with("unharmed"), "{}", asked(port));
    let metrics = curl(&[&format!("http://127.0.0.1:{admin}/metrics")]);
    for reason in ["server_identity", "server_certificate", "connect_timeout"] {
        let times = SERVERS.iter().filter(|(_, told)| told.ends_with(reason)).count();
        let counted = metrics.lines().find(|line| line.contains("outbound") && line.contains(&format!("reason=\"{reason}\"")));
        assert!(counted.is_some_and(|line| line.ends_with(&format!(" {times}"))), "{times} of {counted:?}");
    }
}

/// Everybody's certificates: of members, and of those who are almost members.
fn certificates(folder: &Path) {
    let ours = Authority::new("ours");
    fs::write(folder.join("bundle.pem"), ours.bundle()).expect("a bundle");
    ours.write(folder, "web", &[WEB], ALIVE);
    ours.write(folder, "cart", &[CART], ALIVE);
    ours.write(folder, "expired", &[CART], -2..-1);
    ours.write(folder, "early", &[CART], 1..2);
    ours.write(folder, "two", &[CART, WEB], ALIVE);
    ours.write(folder, "none", &[], ALIVE);
    ours.write(folder, "nonsense", &["https://cart/"], ALIVE);
    ours.write(folder, "elsewhere", &["spiffe://elsewhere/ns/shop/sa/cart"], ALIVE);
    ours.write_signer(folder, "signer", &[CART]);
    Authority::new("ours").write(folder, "foreign", &[CART], ALIVE);
}

fn identity(name: &str) -> String {
    format!("identity: {{certificate: {name}.pem, key: {name}-key.pem, bundle: bundle.pem}}\n")
}

/// An outbound proxy with a port for each of the services that stand behind `hops`, all of which should prove to be `cart`.
fn towards(pairs: &[(u16, u16)]) -> String {
    let listener = |(n, (port, _)): (usize, &(u16, u16))| {
        format!("- {{address: '127.0.0.1:{port}', direction: outbound, destination: '10.96.0.1:{}'}}\n", n + 1)
    };
    let service = |(n, (_, hop)): (usize, &(u16, u16))| {
        format!(
            "- {{name: cart, namespace: shop, protocol: http, address: '10.96.0.1:{}', endpoints: [{{address: '127.0.0.1:{hop}', identity: '{CART}', workload: cart}}]}}\n",
            n + 1
        )
    };
    let listeners: String = pairs.iter().enumerate().map(listener).collect();
    let services: String = pairs.iter().enumerate().map(service).collect();
    format!("listeners:\n{listeners}services:\n{services}")
}

fn proxy(folder: &Path, name: &str, config: &str, admin: u16) -> Program {
    let file = folder.join(name).with_extension("yaml");
    fs::write(&file, config).expect("a configuration");
    let mut proxy = program("weft-proxy");
    proxy.arg("--config").arg(file).env("WEFT_ADMIN_PORT", admin.to_string());
    start(proxy.env("WEFT_LOG", "warn").env("WEFT_CONNECT_TIMEOUT_MS", "500"))
}

fn start(command: &mut Command) -> Program {
    Program(command.stdout(Stdio::null()).spawn().expect("it starts"))
}

fn listens(port: u16) {
    eventually(&format!("something listens on {port}"), || TcpStream::connect(("127.0.0.1", port)).ok());
}

/// The whole answer to a request for the page.
fn asked(port: u16) -> String {
    curl(&["-i", &format!("http://127.0.0.1:{port}/page")])
}

fn curl(arguments: &[&str]) -> String {
    let output = Command::new("curl").args(["-sS", "--max-time", "10"]).args(arguments).output().expect("curl");
    String::from_utf8_lossy(&output.stdout).replace("\r\n", "\n")
}

fn free_ports<const COUNT: usize>() -> [u16; COUNT] {
    std::array::from_fn(|_| free_port())
}
