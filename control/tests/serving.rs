//! A real `weft-control`, asked by clients that stand where pods stand: every address of 127.0.0.0/8 can be one.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test says what went wrong by panicking, and has a clock")]

use std::{
    fs,
    io::{BufRead, BufReader},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use certs::{bundle::Bundle, name::SpiffeId, request::Pending, store::Identity, tls};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tempfile::TempDir;
use tokio::{net::TcpSocket, sync::mpsc, time::timeout};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::{
    Code, Request, Status, Streaming,
    transport::{Channel, Endpoint, Uri},
};
use wire::{
    envoy::service::discovery::v3::{
        DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest,
        aggregated_discovery_service_client::AggregatedDiscoveryServiceClient,
    },
    istio::v1::auth::{IstioCertificateRequest, istio_certificate_service_client::IstioCertificateServiceClient},
    names,
};

/// Where the pod `web` is, and where `cart` is.
const WEB: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 1, 1));
const CART: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 1, 2));

/// Nothing here takes long; what takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(10);

/// A control of its own for each test.
struct Control {
    program: Child,
    folder: TempDir,
    xds: u16,
    certificates: u16,
    admin: u16,
}

impl Control {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("state")).unwrap();
        let [xds, certificates, admin] = free_ports();
        let program = run(folder.path(), [xds, certificates, admin]);
        let control = Self { program, folder, xds, certificates, admin };
        control.pod("web", WEB, "token-of-web");
        control.pod("cart", CART, "token-of-cart");
        control.service("10.96.0.5");
        control.slice(&[CART]);
        control
    }

    /// Kills it and starts it again on the same ports and files.
    fn restart(&mut self) {
        self.program.kill().unwrap();
        self.program.wait().unwrap();
        self.program = run(self.folder.path(), [self.xds, self.certificates, self.admin]);
    }

    fn write(&self, name: &str, text: &str) {
        let folder = self.folder.path();
        fs::write(folder.join("new"), text).unwrap();
        fs::rename(folder.join("new"), folder.join("state").join(name)).unwrap();
    }

    fn pod(&self, name: &str, address: IpAddr, token: &str) {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, token.as_bytes());
        let hash: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        self.write(
            &format!("pod-{name}.yaml"),
            &format!(
                "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {name}-0\n  namespace: shop\n  uid: uid-{name}\n  labels: {{weft.dev/workload: {name}}}\n  annotations: {{weft.dev/meshed: 'true', weft.dev/token-sha256: {hash}}}\nspec:\n  serviceAccountName: {name}\nstatus:\n  podIP: {address}\n"
            ),
        );
    }

    fn service(&self, address: &str) {
        self.write(
            "service.yaml",
            &format!("apiVersion: v1\nkind: Service\nmetadata: {{name: cart, namespace: shop}}\nspec:\n  clusterIP: {address}\n  ports: [{{port: 80}}]\n"),
        );
    }

    fn slice(&self, addresses: &[IpAddr]) {
        let endpoints: String =
            addresses.iter().map(|address| format!("- addresses: [{address}]\n  conditions: {{ready: true}}\n")).collect();
        self.write(
            "slice.yaml",
            &format!("apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {{name: cart-1, namespace: shop, labels: {{kubernetes.io/service-name: cart}}}}\naddressType: IPv4\nports: [{{port: 8080}}]\nendpoints:\n{endpoints}"),
        );
    }

    fn bundle(&self) -> Bundle {
        Bundle::from_pem(&fs::read(self.folder.path().join("bundle.pem")).unwrap()).unwrap()
    }

    /// Asks for a certificate from `address`, by token or by the certificate `held`.
    async fn certificate(&self, address: IpAddr, proof: Proof<'_>) -> Result<Identity, Status> {
        let control = SpiffeId::control(&"cluster.local".parse().unwrap());
        let tls = match proof {
            Proof::Certificate(held) => held.grpc_client(&control),
            _ => tls::bootstrap_client(&self.bundle(), &control),
        };
        let pending = Pending::new().unwrap();
        let mut request = Request::new(IstioCertificateRequest { csr: pending.csr_pem().to_owned(), ..Default::default() });
        if let Proof::Token(token) = proof {
            request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        }
        let mut service = IstioCertificateServiceClient::new(channel(address, self.certificates, tls).await?);
        let answer = service.create_certificate(request).await?.into_inner();
        Ok(pending.complete(&answer.cert_chain, &self.bundle(), SystemTime::now()).unwrap())
    }

    /// A discovery stream of the pod at `address` that holds `identity`.
    async fn discover(&self, address: IpAddr, identity: &Identity) -> Stream {
        let tls = identity.grpc_client(&SpiffeId::control(&"cluster.local".parse().unwrap()));
        let channel = channel(address, self.xds, tls).await.unwrap();
        let (requests, outgoing) = mpsc::unbounded_channel();
        // The answer's head comes with the first response.
        requests.send(subscribe(names::LISTENER, &[])).unwrap();
        let mut service = AggregatedDiscoveryServiceClient::new(channel);
        let responses = service.delta_aggregated_resources(UnboundedReceiverStream::new(outgoing)).await.unwrap().into_inner();
        Stream { requests, responses }
    }

    fn metric(&self, line: &str) -> bool {
        use std::io::{Read, Write};
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", self.admin)).unwrap();
        write!(stream, "GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text.contains(line)
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

enum Proof<'a> {
    Token(&'a str),
    Certificate(&'a Identity),
    Nothing,
}

struct Stream {
    requests: mpsc::UnboundedSender<DeltaDiscoveryRequest>,
    responses: Streaming<DeltaDiscoveryResponse>,
}

impl Stream {
    fn ask(&self, request: DeltaDiscoveryRequest) {
        self.requests.send(request).unwrap();
    }

    /// The next response about `type_url`.
    async fn next(&mut self, type_url: &str) -> DeltaDiscoveryResponse {
        loop {
            let response = timeout(PATIENCE, self.responses.message()).await.expect("no response came").unwrap().unwrap();
            if response.type_url == type_url {
                return response;
            }
        }
    }

    async fn is_silent(&mut self) -> bool {
        timeout(Duration::from_millis(300), self.responses.message()).await.is_err()
    }
}

fn run(folder: &Path, [xds, certificates, admin]: [u16; 3]) -> Child {
    let mut program = Command::new(env!("CARGO_BIN_EXE_weft-control"))
        .arg("--source")
        .arg(folder.join("state"))
        .arg("--ca-dir")
        .arg(folder.join("ca"))
        .arg("--bundle-out")
        .arg(folder.join("bundle.pem"))
        .args(["--xds-port", &xds.to_string(), "--certs-port", &certificates.to_string(), "--admin-port", &admin.to_string()])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let log = BufReader::new(program.stderr.take().unwrap());
    // Read for ever, so that it never waits for us; shown when a test fails.
    std::thread::spawn(move || log.lines().map_while(Result::ok).for_each(|line| println!("{line}")));
    let begun = Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", admin)).is_err() {
        assert!(begun.elapsed() < PATIENCE, "control does not start");
        std::thread::sleep(Duration::from_millis(10));
    }
    program
}

fn free_ports() -> [u16; 3] {
    let held = [(); 3].map(|()| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    held.map(|listener| listener.local_addr().unwrap().port())
}

async fn channel(from: IpAddr, port: u16, tls: Arc<ClientConfig>) -> Result<Channel, Status> {
    let connector = tower::service_fn(move |_: Uri| {
        let tls = tls.clone();
        async move {
            let socket = TcpSocket::new_v4()?;
            socket.bind(SocketAddr::new(from, 0))?;
            let stream = socket.connect(SocketAddr::from(([127, 0, 0, 1], port))).await?;
            tokio_rustls::TlsConnector::from(tls).connect("127.0.0.1".try_into().unwrap(), stream).await.map(TokioIo::new)
        }
    });
    let connecting = Endpoint::from_static("http://control").connect_with_connector(connector).await;
    connecting.map_err(|error| Status::unavailable(format!("{error:?}")))
}

fn subscribe(type_url: &str, names: &[&str]) -> DeltaDiscoveryRequest {
    let names = names.iter().map(|name| (*name).to_owned()).collect();
    DeltaDiscoveryRequest { type_url: type_url.to_owned(), resource_names_subscribe: names, ..Default::default() }
}

/// Waits until control knows the pod: its manifest was written after it started.
async fn first_certificate(control: &Control, address: IpAddr, token: &str) -> Identity {
    let begun = Instant::now();
    loop {
        match control.certificate(address, Proof::Token(token)).await {
            Ok(identity) => return identity,
            Err(status) if begun.elapsed() > PATIENCE => panic!("{status}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

#[tokio::test]
async fn a_token_buys_one_certificate_and_only_at_its_own_address() {
    let control = Control::start();
    let stolen = async || control.certificate(CART, Proof::Token("token-of-web")).await.unwrap_err();
    let identity = first_certificate(&control, CART, "token-of-cart").await;
    assert_eq!(identity.id().to_string(), "spiffe://cluster.local/ns/shop/sa/cart");
    assert_eq!(stolen().await.code(), Code::PermissionDenied);
    first_certificate(&control, WEB, "token-of-web").await;
    let reused = control.certificate(WEB, Proof::Token("token-of-web")).await.unwrap_err();
    assert!(reused.message().contains("shown before"), "{reused}");
    let invented = control.certificate(WEB, Proof::Token("invented")).await.unwrap_err();
    assert_eq!(invented.code(), Code::Unauthenticated);
    assert_eq!(control.certificate(WEB, Proof::Nothing).await.unwrap_err().code(), Code::Unauthenticated);
    for reason in ["token_stolen", "token_reused", "no_proof"] {
        assert!(control.metric(&format!("weft_control_certificates_refused_total{{reason=\"{reason}\"}} 1")), "{reason}");
    }
}

#[tokio::test]
async fn a_certificate_renews_itself_and_no_other() {
    let control = Control::start();
    let web = first_certificate(&control, WEB, "token-of-web").await;
    let renewed = control.certificate(WEB, Proof::Certificate(&web)).await.unwrap();
    assert_eq!(renewed.id(), web.id());
    assert_ne!(renewed.serial(), web.serial());
    let elsewhere = control.certificate(CART, Proof::Certificate(&web)).await.unwrap_err();
    assert_eq!(elsewhere.code(), Code::PermissionDenied);
}

#[tokio::test]
async fn an_edit_reaches_those_who_subscribed_and_them_alone() {
    let control = Control::start();
    let web = first_certificate(&control, WEB, "token-of-web").await;
    let mut stream = control.discover(WEB, &web).await;
    stream.next(names::LISTENER).await;
    let cart = "cart.shop.svc.cluster.local:80";
    stream.ask(subscribe(names::CLUSTER_LOAD_ASSIGNMENT, &[cart]));
    let first = stream.next(names::CLUSTER_LOAD_ASSIGNMENT).await;
    let edited = Instant::now();
    control.slice(&[CART, WEB]);
    let second = stream.next(names::CLUSTER_LOAD_ASSIGNMENT).await;
    assert!(edited.elapsed() < Duration::from_secs(2), "{:?}", edited.elapsed());
    assert_ne!(first.resources[0].version, second.resources[0].version);
    control.service("10.96.0.5");
    assert!(stream.is_silent().await, "the same again is no news");
}

#[tokio::test]
async fn an_address_that_nobody_has_is_said_to_be_none_and_announced_when_it_is() {
    let control = Control::start();
    let web = first_certificate(&control, WEB, "token-of-web").await;
    let mut stream = control.discover(WEB, &web).await;
    stream.next(names::LISTENER).await;
    stream.ask(subscribe(names::LISTENER, &["address/10.96.0.9:80"]));
    assert_eq!(stream.next(names::LISTENER).await.removed_resources, ["address/10.96.0.9:80"]);
    control.service("10.96.0.9");
    let names: Vec<_> = loop {
        let response = stream.next(names::LISTENER).await;
        let names: Vec<_> = response.resources.into_iter().map(|resource| resource.name).collect();
        if !names.is_empty() {
            break names;
        }
    };
    assert!(names.contains(&String::from("address/10.96.0.9:80")), "{names:?}");
}

#[tokio::test]
async fn a_restart_tells_nobody_anything_new() {
    let mut control = Control::start();
    let web = first_certificate(&control, WEB, "token-of-web").await;
    let cart = "cart.shop.svc.cluster.local:80";
    let mut stream = control.discover(WEB, &web).await;
    stream.ask(subscribe(names::CLUSTER_LOAD_ASSIGNMENT, &[cart]));
    let before = stream.next(names::CLUSTER_LOAD_ASSIGNMENT).await.resources.remove(0);
    control.restart();
    let mut stream = control.discover(WEB, &web).await;
    let held = [(cart.to_owned(), before.version)].into_iter().collect();
    let again = DeltaDiscoveryRequest { initial_resource_versions: held, ..subscribe(names::CLUSTER_LOAD_ASSIGNMENT, &[cart]) };
    stream.ask(again);
    stream.next(names::LISTENER).await;
    assert!(stream.is_silent().await);
}

#[tokio::test]
async fn state_of_the_world_answers_with_everything() {
    let control = Control::start();
    let web = first_certificate(&control, WEB, "token-of-web").await;
    let tls = web.grpc_client(&SpiffeId::control(&"cluster.local".parse().unwrap()));
    let channel = channel(WEB, control.xds, tls).await.unwrap();
    let (requests, outgoing) = mpsc::unbounded_channel();
    requests.send(DiscoveryRequest { type_url: names::CLUSTER.to_owned(), ..Default::default() }).unwrap();
    let mut service = AggregatedDiscoveryServiceClient::new(channel);
    let mut responses = service.stream_aggregated_resources(UnboundedReceiverStream::new(outgoing)).await.unwrap().into_inner();
    let response = timeout(PATIENCE, responses.message()).await.unwrap().unwrap().unwrap();
    assert_eq!(response.resources.len(), 1);
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let control = Control::start();
    let folder = control.folder.path();
    let ports = [control.xds.to_string(), control.certificates.to_string()];
    let output = Command::new(env!("CARGO_BIN_EXE_weft-control"))
        .arg("--source")
        .arg(folder.join("state"))
        .arg("--ca-dir")
        .arg(folder.join("ca"))
        .args(["--xds-port", &ports[0], "--certs-port", &ports[1], "--admin-port", "1"])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && told.contains(&ports[0]) && told.contains("--xds-port"), "{told}");
}
