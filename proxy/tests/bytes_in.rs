//! Whatever bytes come in, in whatever pieces: no proxy panics, leaks or grows, and the next good request is served.
//!
//! Two proxies stand between a client and an app that speaks HTTP/1 and HTTP/2. Bytes come in at four doors: where the app's
//! calls are captured, undeclared and declared HTTP; where peers dial; and behind mesh TLS, as a peer that has proved itself.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test says what went wrong by panicking, and has a clock")]

use std::{
    fs::{self, File},
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command},
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use certs::{
    issue::Authority,
    name::{SpiffeId, TrustDomain},
    request::Pending,
    store::Identity,
};
use proptest::{
    prelude::*,
    sample::{Index, select},
    test_runner::{Config, TestCaseError, TestRunner},
};
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use socket2::SockRef;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const PATIENCE: Duration = Duration::from_secs(10);

/// Memory a proxy may hold beside what it held after its first requests, in KiB.
const MEMORY_MAX: u64 = 64 << 10;

/// What real clients say, and some that are not so real.
const SAID: [&[u8]; 20] = [
    b"GET / HTTP/1.1\r\nHost: cart\r\n\r\n",
    b"GET / HTTP/1.0\r\n\r\n",
    b"GET http://cart/a?b HTTP/1.1\r\nHost: cart\r\nConnection: close\r\n\r\nGET /2 HTTP/1.1\r\nHost: cart\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: cart\r\nContent-Length: 5\r\n\r\nhello",
    b"POST / HTTP/1.1\r\nHost: cart\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi",
    b"POST / HTTP/1.1\r\nHost: cart\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nX-End: 1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: cart\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\r\n\x81\x02hi",
    b"CONNECT cart:80 HTTP/1.1\r\nHost: cart:80\r\n\r\n\0\x01\x02",
    b"OPTIONS * HTTP/1.1\r\nHost: cart\r\nweft-client-id: spiffe://cluster.local/ns/a/sa/b\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n",
    PREFACE,
    // SETTINGS; then GET / as HEADERS in static fields; POST with DATA; PING; WINDOW_UPDATE; PRIORITY; RST_STREAM; GOAWAY.
    b"\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x64",
    b"\0\0\x07\x01\x05\0\0\0\x01\x82\x86\x84\x41\x02\x63\x61",
    b"\0\0\x07\x01\x04\0\0\0\x03\x83\x86\x84\x41\x02\x63\x61\0\0\x05\0\x01\0\0\0\x03hello",
    b"\0\0\x03\x01\x01\0\0\0\x05\x82\x86\x84\0\0\x04\x09\x04\0\0\0\x05\x41\x02\x63\x61",
    b"\0\0\x08\x06\0\0\0\0\0pingping\0\0\x04\x08\0\0\0\0\0\0\x01\0\0",
    b"\0\0\x05\x02\0\0\0\0\x07\0\0\0\0\x10\0\0\x04\x03\0\0\0\0\x01\0\0\0\x08",
    b"\0\0\x08\x07\0\0\0\0\0\0\0\0\x01\0\0\0\0",
    // CONNECT, which only a peer may ask for: a tunnel, and bytes in it.
    b"\0\0\x15\x01\x04\0\0\0\x09\x02\x07CONNECT\x41\x09127.0.0.1\0\0\x03\0\0\0\0\0\x09abc",
    b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03",
    b"*1\r\n$4\r\nPING\r\n",
];

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Where bytes come in.
#[derive(Clone, Copy, Debug)]
enum Door {
    Undeclared,
    Http,
    Peers,
    MeshTls,
}

/// How a client leaves.
#[derive(Clone, Copy, Debug)]
enum End {
    Close,
    HalfClose,
    Reset,
}

/// One connection: what is said, and in which pieces.
#[derive(Clone, Debug)]
struct Connection {
    door: Door,
    pieces: Vec<Vec<u8>>,
    end: End,
}

/// A way to spoil what was said.
#[derive(Clone, Debug)]
enum Spoil {
    Set(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    Repeat(Index, usize),
    Cut(Index),
}

fn connection() -> impl Strategy<Value = Connection> {
    let door = select(vec![Door::Undeclared, Door::Http, Door::Peers, Door::MeshTls]);
    let end = select(vec![End::Close, End::HalfClose, End::Reset]);
    (door, said(), prop::collection::vec(any::<Index>(), 0..6), end).prop_map(|(door, said, cuts, end)| Connection {
        door,
        pieces: pieces(&said, &cuts),
        end,
    })
}

/// Real beginnings one after the other, spoilt here and there; or anything at all.
fn said() -> impl Strategy<Value = Vec<u8>> {
    let hello = select(vec![true, false]).prop_map(hello);
    let real = prop_oneof![8 => select(SAID.to_vec()).prop_map(<[u8]>::to_vec), 1 => hello];
    let http2 =
        prop::collection::vec(select(SAID[10..18].to_vec()), 0..8).prop_map(|frames| [PREFACE, &frames.concat()].concat());
    let mixture = prop_oneof![prop::collection::vec(real, 1..5).prop_map(|said| said.concat()), http2];
    let spoilt = (mixture, prop::collection::vec(spoil(), 0..4))
        .prop_map(|(said, spoils)| spoils.into_iter().fold(said, |said, spoil| spoil.done_to(said)));
    prop_oneof![6 => spoilt, 1 => prop::collection::vec(any::<u8>(), 0..2000)]
}

fn spoil() -> impl Strategy<Value = Spoil> {
    let byte = prop_oneof![any::<u8>(), select(b"\0\xff\r\n :;,\x7f\x80".to_vec())];
    prop_oneof![
        (any::<Index>(), byte).prop_map(|(at, byte)| Spoil::Set(at, byte)),
        (any::<Index>(), prop::collection::vec(any::<u8>(), 1..40)).prop_map(|(at, bytes)| Spoil::Insert(at, bytes)),
        (any::<Index>(), 1..40_usize).prop_map(|(at, length)| Spoil::Remove(at, length)),
        (any::<Index>(), 1..2000_usize).prop_map(|(at, times)| Spoil::Repeat(at, times)),
        any::<Index>().prop_map(Spoil::Cut),
    ]
}

impl Spoil {
    fn done_to(self, mut said: Vec<u8>) -> Vec<u8> {
        if said.is_empty() {
            return said;
        }
        let length = said.len();
        match self {
            Self::Set(at, byte) => said[at.index(length)] = byte,
            Self::Insert(at, bytes) => drop(said.splice(at.index(length)..at.index(length), bytes)),
            Self::Remove(at, count) => drop(said.drain(at.index(length)..length.min(at.index(length) + count))),
            Self::Repeat(at, times) => {
                let byte = said[at.index(length)];
                said.splice(at.index(length)..at.index(length), vec![byte; times]);
            }
            Self::Cut(at) => said.truncate(at.index(length)),
        }
        said
    }
}

/// A real ClientHello: of the mesh, or of an app's own TLS.
fn hello(mesh: bool) -> Vec<u8> {
    let roots = rustls::RootCertStore::empty();
    let builder = ClientConfig::builder_with_provider(certs::tls::provider()).with_protocol_versions(&[&rustls::version::TLS13]);
    let mut config = builder.unwrap().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![if mesh { certs::tls::MESH_ALPN.to_vec() } else { b"h2".to_vec() }];
    let mut client = ClientConnection::new(Arc::new(config), "cart".try_into().unwrap()).unwrap();
    let mut wire = Vec::new();
    client.write_tls(&mut wire).unwrap();
    wire
}

fn pieces(said: &[u8], cuts: &[Index]) -> Vec<Vec<u8>> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(said.len() + 1)).chain([0, said.len()]).collect();
    cuts.sort_unstable();
    cuts.windows(2).map(|ends| said[ends[0]..ends[1]].to_vec()).collect()
}

/// A proxy that ends with the test, and what it cost after its first requests.
struct Proxy {
    program: Child,
    memory: u64,
    descriptors: usize,
}

impl Proxy {
    fn start(folder: &Path, name: &str, config: &str, admin: u16) -> Self {
        let file = folder.join(name);
        fs::write(&file, config).unwrap();
        let log = File::options().create(true).append(true).open(folder.join("log")).unwrap();
        let mut program = Command::new(env!("CARGO_BIN_EXE_weft-proxy"));
        program.arg("--config").arg(file).env("WEFT_ADMIN_PORT", admin.to_string()).env("WEFT_LOG", "error").stderr(log);
        Self { program: program.spawn().unwrap(), memory: 0, descriptors: 0 }
    }

    fn memory_now(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.program.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a process that lives");
        line.split_whitespace().next().unwrap().parse().unwrap()
    }

    fn descriptors_now(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.program.id())).unwrap().count()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

struct World {
    folder: TempDir,
    proxies: Vec<Proxy>,
    undeclared: u16,
    http: u16,
    hop: u16,
    peer: Arc<ClientConfig>,
}

impl World {
    fn up() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let domain: TrustDomain = "cluster.local".parse().unwrap();
        let authority = Authority::open_or_create(&path.join("ca"), &domain, SystemTime::now()).unwrap();
        fs::write(path.join("bundle.pem"), authority.bundle().to_pem()).unwrap();
        let cart = SpiffeId::new(&domain, "shop", "cart").unwrap();
        issue(&authority, path, &cart);
        let peer = joined(&authority, &SpiffeId::new(&domain, "shop", "web").unwrap()).mesh_client(&cart);
        let [undeclared, http, hop, admin, other] = free_ports();
        let app = app();
        let identity = "identity: {certificate: cart.pem, key: cart-key.pem, bundle: bundle.pem}\n";
        let inbound =
            format!("listeners: [{{address: '127.0.0.1:{hop}', direction: inbound, destination: '127.0.0.1:{app}'}}]\n");
        let listener = |port: u16, to: u16| {
            format!("- {{address: '127.0.0.1:{port}', direction: outbound, destination: '10.96.0.5:{to}'}}\n")
        };
        let service = |port: u16, protocol: &str| {
            format!(
                "- {{name: cart, address: '10.96.0.5:{port}', protocol: {protocol}, endpoints: [{{address: '127.0.0.1:{hop}', identity: '{cart}'}}]}}\n"
            )
        };
        let outbound = [
            "listeners:\n",
            &listener(undeclared, 80),
            &listener(http, 81),
            "services:\n",
            &service(80, "auto"),
            &service(81, "http"),
        ];
        let proxies = vec![
            Proxy::start(path, "in.yaml", &[identity, &inbound].concat(), admin),
            Proxy::start(path, "out.yaml", &[identity, &outbound.concat()].concat(), other),
        ];
        for port in [undeclared, http, hop] {
            let begun = Instant::now();
            while TcpStream::connect(("127.0.0.1", port)).is_err() {
                assert!(begun.elapsed() < PATIENCE, "nothing listens on {port}");
                thread::sleep(Duration::from_millis(10));
            }
        }
        let mut world = Self { folder, proxies, undeclared, http, hop, peer };
        world.serves();
        for proxy in &mut world.proxies {
            (proxy.memory, proxy.descriptors) = (proxy.memory_now(), proxy.descriptors_now());
        }
        world
    }

    /// A good request at each door of the outbound proxy, in both versions.
    fn serves(&self) {
        for version in ["--http1.1", "--http2-prior-knowledge"] {
            let urls = [self.undeclared, self.http].map(|port| format!("http://127.0.0.1:{port}/"));
            let output = Command::new("curl").args(["-sS", "--fail", "--max-time", "10", version]).args(&urls).output().unwrap();
            let told = String::from_utf8_lossy(&output.stdout);
            assert_eq!(told, "served\nserved\n", "{version}: {}", String::from_utf8_lossy(&output.stderr));
        }
    }

    /// Says everything on all connections at once, piece by piece, and leaves.
    fn hears(&self, connections: Vec<Connection>) -> Result<(), TestCaseError> {
        let mut open: Vec<_> = connections.iter().map(|connection| self.dial(connection.door)).collect();
        let most = connections.iter().map(|connection| connection.pieces.len()).max().unwrap_or(0);
        for turn in 0..most {
            for (line, connection) in open.iter_mut().zip(&connections) {
                // Whoever is thrown out has been heard.
                let _ = connection.pieces.get(turn).map_or(Ok(()), |piece| line.say(piece));
            }
            thread::yield_now();
        }
        open.into_iter().zip(connections).for_each(|(line, connection)| line.leave(connection.end));
        let good = b"GET / HTTP/1.1\r\nHost: cart\r\nConnection: close\r\n\r\n";
        let mut line = self.dial(Door::Undeclared);
        let served = line.say(good).map(|()| line.rest(PATIENCE)).unwrap_or_default();
        prop_assert!(served.starts_with(b"HTTP/1.1 200") && served.ends_with(b"served\n"), "{}", served.escape_ascii());
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap();
        prop_assert!(!log.contains("panicked"), "{log}");
        for proxy in &self.proxies {
            let (before, now) = (proxy.memory, proxy.memory_now());
            prop_assert!(now < before + MEMORY_MAX, "{now} KiB are held, and {before} KiB were at first");
        }
        Ok(())
    }

    fn dial(&self, door: Door) -> Line {
        let port = match door {
            Door::Undeclared => self.undeclared,
            Door::Http => self.http,
            Door::Peers | Door::MeshTls => self.hop,
        };
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
        match door {
            Door::MeshTls => {
                let client = ClientConnection::new(self.peer.clone(), "127.0.0.1".try_into().unwrap()).unwrap();
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                let mut stream = StreamOwned::new(client, stream);
                stream.conn.complete_io(&mut stream.sock).unwrap();
                stream.sock.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
                Line::Tls(Box::new(stream))
            }
            _ => Line::Tcp(stream),
        }
    }

    /// What is left of it all some seconds later.
    fn is_released(&self) {
        for proxy in &self.proxies {
            let begun = Instant::now();
            while proxy.descriptors_now() > proxy.descriptors {
                let (before, now) = (proxy.descriptors, proxy.descriptors_now());
                assert!(begun.elapsed() < PATIENCE, "{now} descriptors are open, and {before} were at first");
                thread::sleep(Duration::from_millis(50));
            }
        }
    }
}

/// A client's end of a connection.
enum Line {
    Tcp(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Line {
    fn say(&mut self, piece: &[u8]) -> std::io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.write_all(piece),
            Self::Tls(stream) => stream.write_all(piece).and_then(|()| stream.flush()),
        }
    }

    fn stream(&self) -> &TcpStream {
        match self {
            Self::Tcp(stream) => stream,
            Self::Tls(stream) => &stream.sock,
        }
    }

    /// What comes until the end, or until nothing has come for `patience`.
    fn rest(&mut self, patience: Duration) -> Vec<u8> {
        self.stream().set_read_timeout(Some(patience)).unwrap();
        let mut heard = Vec::new();
        let _ = match self {
            Self::Tcp(stream) => stream.read_to_end(&mut heard),
            Self::Tls(stream) => stream.read_to_end(&mut heard),
        };
        heard
    }

    fn leave(mut self, end: End) {
        match end {
            End::Close => {}
            // Those who half-close still listen for a moment.
            End::HalfClose => {
                let _ = self.stream().shutdown(Shutdown::Write);
                self.rest(Duration::from_millis(5));
            }
            End::Reset => SockRef::from(self.stream()).set_linger(Some(Duration::ZERO)).unwrap(),
        }
    }
}

fn joined(authority: &Authority, id: &SpiffeId) -> Identity {
    let pending = Pending::new().unwrap();
    let issued = authority.issue(pending.csr_pem(), id, Duration::from_secs(3600), SystemTime::now()).unwrap();
    pending.complete(&issued.chain_pem, authority.bundle(), SystemTime::now()).unwrap()
}

/// Writes cart's certificate and key.
fn issue(authority: &Authority, folder: &Path, id: &SpiffeId) {
    let key = rcgen::KeyPair::generate().unwrap();
    let csr = rcgen::CertificateParams::default().serialize_request(&key).unwrap().pem().unwrap();
    let issued = authority.issue(&csr, id, Duration::from_secs(3600), SystemTime::now()).unwrap();
    fs::write(folder.join("cart.pem"), issued.chain_pem.concat()).unwrap();
    fs::write(folder.join("cart-key.pem"), key.serialize_pem()).unwrap();
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

/// An app that answers every request in the version it came in, on a port of its own.
fn app() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    listener.set_nonblocking(true).unwrap();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(attend(stream));
            }
        });
    });
    port
}

async fn attend(mut stream: tokio::net::TcpStream) -> Option<()> {
    // Too little to be recognised may be all that ever comes: who sent it is not waited for.
    let mut first = [0; 4];
    for _ in 0..100 {
        if stream.peek(&mut first).await.ok().filter(|seen| *seen > 0)? == first.len() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    if first == *b"PRI " {
        let mut connection = h2::server::handshake(stream).await.ok()?;
        while let Some(Ok((_, mut respond))) = connection.accept().await {
            let mut send = respond.send_response(http::Response::new(()), false).ok()?;
            let _ = send.send_data(Bytes::from_static(b"served\n"), true);
        }
        return None;
    }
    let mut heard = Vec::new();
    while !heard.windows(4).any(|end| end == b"\r\n\r\n") {
        stream.read_buf(&mut heard).await.ok().filter(|length| *length > 0)?;
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\nserved\n").await.ok()?;
    stream.shutdown().await.ok()?;
    while stream.read_buf(&mut heard).await.ok()? > 0 {}
    None
}

#[test]
fn no_bytes_hurt_a_proxy_or_the_next_request() {
    let world = World::up();
    let config = Config { cases: 1000, max_shrink_iters: 0, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new(config);
    runner.run(&prop::collection::vec(connection(), 1..6), |connections| world.hears(connections)).unwrap();
    world.serves();
    world.is_released();
}
