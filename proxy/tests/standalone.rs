//! Two proxies from files alone, without control: curl on one side, Python's HTTP server on the other, mutual TLS between.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test says what went wrong by panicking, and has a clock")]

use std::{
    fs,
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU16, Ordering},
    thread,
    time::{Duration, Instant, SystemTime},
};

use certs::{
    issue::Authority,
    name::{SpiffeId, TrustDomain},
};
use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(10);

/// A program that ends with the test.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An app behind an inbound proxy, and an outbound proxy whose first port leads to it.
struct Pair {
    _folder: TempDir,
    _programs: Vec<Program>,
    port: u16,
    admin: u16,
}

impl Pair {
    /// `expected` is whom the outbound proxy expects behind the hop, `serving` who is there.
    fn start(expected: &str, serving: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        fs::write(path.join("page"), "hello").unwrap();
        let authority = Authority::open_or_create(&path.join("ca"), &domain(), SystemTime::now()).unwrap();
        fs::write(path.join("bundle.pem"), authority.bundle().to_pem()).unwrap();
        identity(&authority, path, "web");
        identity(&authority, path, serving);
        let [app, hop, port, admin, other] = free_ports();
        let files =
            |account: &str| format!("identity: {{certificate: {account}.pem, key: {account}-key.pem, bundle: bundle.pem}}\n");
        let inbound =
            format!("listeners: [{{address: '127.0.0.1:{hop}', direction: inbound, destination: '127.0.0.1:{app}'}}]\n");
        fs::write(path.join("in.yaml"), files(serving) + &inbound).unwrap();
        let outbound = format!(
            "listeners: [{{address: '127.0.0.1:{port}', direction: outbound, destination: '10.96.0.5:80'}}]\nservices:\n- name: cart\n  namespace: shop\n  address: 10.96.0.5:80\n  endpoints: [{{address: '127.0.0.1:{hop}', identity: '{}', workload: cart}}]\n",
            id(expected)
        );
        fs::write(path.join("out.yaml"), files("web") + &outbound).unwrap();
        let server = Command::new("python3")
            .args(["-m", "http.server", &app.to_string(), "--bind", "127.0.0.1"])
            .current_dir(path)
            .stderr(Stdio::null())
            .spawn();
        let programs = vec![Program(server.unwrap()), proxy(path, "in.yaml", other), proxy(path, "out.yaml", admin)];
        for port in [app, hop, port] {
            let begun = Instant::now();
            while TcpStream::connect(("127.0.0.1", port)).is_err() {
                assert!(begun.elapsed() < PATIENCE, "nothing listens on {port}");
                thread::sleep(Duration::from_millis(10));
            }
        }
        Self { _folder: folder, _programs: programs, port, admin }
    }

    fn curl(&self, arguments: &[&str], path: &str) -> String {
        let url = format!("http://127.0.0.1:{}{path}", self.port);
        let output = Command::new("curl").args(["-sS", "--max-time", "10"]).args(arguments).arg(url).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn metrics(&self) -> String {
        let url = format!("http://127.0.0.1:{}/metrics", self.admin);
        String::from_utf8(Command::new("curl").args(["-sS", &url]).output().unwrap().stdout).unwrap()
    }
}

fn domain() -> TrustDomain {
    "cluster.local".parse().unwrap()
}

fn id(account: &str) -> SpiffeId {
    SpiffeId::new(&domain(), "shop", account).unwrap()
}

/// Writes a certificate and its key, as a user of files has them from wherever.
fn identity(authority: &Authority, folder: &Path, account: &str) {
    let key = KeyPair::generate().unwrap();
    let csr = CertificateParams::default().serialize_request(&key).unwrap().pem().unwrap();
    let issued = authority.issue(&csr, &id(account), Duration::from_secs(3600), SystemTime::now()).unwrap();
    fs::write(folder.join(format!("{account}.pem")), issued.chain_pem.concat()).unwrap();
    fs::write(folder.join(format!("{account}-key.pem")), key.serialize_pem()).unwrap();
}

fn proxy(folder: &Path, config: &str, admin: u16) -> Program {
    let mut program = Command::new(env!("CARGO_BIN_EXE_weft-proxy"));
    program.arg("--config").arg(folder.join(config)).env("WEFT_ADMIN_PORT", admin.to_string()).env("WEFT_LOG", "warn");
    Program(program.spawn().unwrap())
}

/// Where the next ports are looked for.
static NEXT_PORT: AtomicU16 = AtomicU16::new(0);

fn free_ports() -> [u16; 5] {
    // Below the ports that the kernel gives to whoever calls, so that nobody takes one before it is listened on.
    let free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    let start = 20_000 + u16::try_from(std::process::id() % 100).unwrap_or(0) * 100 + NEXT_PORT.fetch_add(10, Ordering::Relaxed);
    let ports: Vec<u16> = (start..32_000).filter(free).take(5).collect();
    ports.try_into().expect("free ports")
}

#[test]
fn requests_cross_the_hop_with_both_identities_proved() {
    let pair = Pair::start("cart", "cart");
    assert_eq!(pair.curl(&[], "/page"), "hello");
    let metrics = pair.metrics();
    let counted = metrics.lines().find(|line| line.starts_with("http_client_request_duration_seconds_count")).unwrap();
    for label in [
        "client_identity=\"spiffe://cluster.local/ns/shop/sa/web\"",
        "server_identity=\"spiffe://cluster.local/ns/shop/sa/cart\"",
        "tls=\"mutual\"",
    ] {
        assert!(counted.contains(label), "{counted}");
    }
}

#[test]
fn somebody_else_behind_the_address_gets_no_request() {
    let pair = Pair::start("cart", "rogue");
    let told = pair.curl(&["-i"], "/page");
    assert!(told.starts_with("HTTP/1.1 502") && told.contains("weft-reason: server_identity"), "{told}");
    assert!(
        told.contains(
            "it proves spiffe://cluster.local/ns/shop/sa/rogue, and spiffe://cluster.local/ns/shop/sa/cart was expected"
        ),
        "{told}"
    );
    // Those who looked whether the port is open were refused as well.
    let none = "{direction=\"outbound\",room=\"connect\",fault=\"server\",reason=\"server_identity\"} 0";
    assert!(!pair.metrics().contains(none));
}

#[test]
fn garbage_is_answered_or_carried_and_harms_nobody() {
    use std::io::{Read, Write};
    let pair = Pair::start("cart", "cart");
    for garbage in [
        &b"\x16\x03\x01\xff\xff\x01\x00"[..],
        b"\0\0\0\0",
        b"GET / HTTP/1.1\r\nbad header\r\n\r\n",
        &[0xff; 5000],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff",
    ] {
        let mut stream = TcpStream::connect(("127.0.0.1", pair.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        let _ = stream.write_all(garbage);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let _ = stream.read(&mut [0; 1000]);
    }
    assert_eq!(pair.curl(&[], "/page"), "hello");
}
