//! The program under test, the directory it follows, and those who ask it.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use certs::{bundle::Bundle, issue::Authority, name::SpiffeId, request::Pending, store::Identity, tls};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tempfile::TempDir;
use tokio::{net::TcpSocket, sync::mpsc, time::timeout};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::{
    Request, Status, Streaming,
    transport::{Channel, Endpoint, Uri},
};
use wire::{
    envoy::service::discovery::v3::{
        DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse,
        aggregated_discovery_service_client::AggregatedDiscoveryServiceClient,
    },
    istio::v1::auth::{IstioCertificateRequest, istio_certificate_service_client::IstioCertificateServiceClient},
    names,
};

/// Where the pod `web-0` is, where `cart-0` is, and where nobody is.
pub const WEB: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 1, 1));
pub const CART: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 1, 2));
pub const NOBODY: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 1, 3));

/// The cluster of the service `cart`.
pub const CLUSTER: &str = "cart.shop.svc.cluster.local:80";

/// Nothing here takes long; what takes longer has failed.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// A control of its own for each test.
pub struct Control {
    pub program: Child,
    pub folder: TempDir,
    pub xds: u16,
    pub certificates: u16,
    pub admin: u16,
    flags: Vec<String>,
}

/// What a client shows for a certificate.
#[derive(Clone, Copy)]
pub enum Proof<'a> {
    Token(&'a str),
    Certificate(&'a Identity),
    Nothing,
}

impl Control {
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts it with more flags, on a directory with two pods and one service.
    pub fn start_with(flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("state")).unwrap();
        let [xds, certificates, admin] = free_ports();
        let flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
        let stand_in = Command::new("true").spawn().unwrap();
        let mut control = Self { program: stand_in, folder, xds, certificates, admin, flags };
        control.pod("web", WEB, "token-of-web");
        control.pod("cart", CART, "token-of-cart");
        control.service("10.96.0.5");
        control.slice(&[CART]);
        control.restart();
        control
    }

    /// Kills it and starts it again on the same ports and files.
    pub fn restart(&mut self) {
        let _ = self.program.kill();
        self.program.wait().unwrap();
        self.program = self.run();
        wait_until("control to be ready", || self.page("/ready").contains("200 OK"));
    }

    fn run(&self) -> Child {
        let folder = self.folder.path();
        let port = |port: u16| port.to_string();
        let mut program = Command::new(env!("CARGO_BIN_EXE_weft-control"))
            .arg("--source")
            .arg(folder.join("state"))
            .arg("--ca-dir")
            .arg(folder.join("ca"))
            .arg("--bundle-out")
            .arg(folder.join("bundle.pem"))
            .args(["--xds-port", &port(self.xds), "--certs-port", &port(self.certificates), "--admin-port", &port(self.admin)])
            .args(&self.flags)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = BufReader::new(program.stderr.take().unwrap());
        // Read for ever, so that it never waits for us; shown when a test fails.
        std::thread::spawn(move || log.lines().map_while(Result::ok).for_each(|line| println!("{line}")));
        program
    }

    pub fn state(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join("state").join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        let new = self.folder.path().join("new");
        fs::write(&new, text).unwrap();
        fs::rename(new, self.state(name)).unwrap();
    }

    pub fn pod(&self, name: &str, address: IpAddr, token: &str) {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, token.as_bytes());
        let hash: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        self.write(
            &format!("pod-{name}.yaml"),
            &format!(
                "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {name}-0\n  namespace: shop\n  uid: uid-{name}\n  labels: {{weft.dev/workload: {name}}}\n  annotations: {{weft.dev/meshed: 'true', weft.dev/token-sha256: {hash}}}\nspec:\n  serviceAccountName: {name}\nstatus:\n  podIP: {address}\n"
            ),
        );
    }

    pub fn service(&self, address: &str) {
        self.write(
            "service.yaml",
            &format!("apiVersion: v1\nkind: Service\nmetadata: {{name: cart, namespace: shop}}\nspec:\n  clusterIP: {address}\n  ports: [{{port: 80}}]\n"),
        );
    }

    pub fn slice(&self, addresses: &[IpAddr]) {
        let endpoints: String =
            addresses.iter().map(|address| format!("- addresses: [{address}]\n  conditions: {{ready: true}}\n")).collect();
        self.write(
            "slice.yaml",
            &format!("apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {{name: cart-1, namespace: shop, labels: {{kubernetes.io/service-name: cart}}}}\naddressType: IPv4\nports: [{{port: 8080}}]\nendpoints:\n{endpoints}"),
        );
    }

    pub fn bundle(&self) -> Bundle {
        Bundle::from_pem(&fs::read(self.folder.path().join("bundle.pem")).unwrap()).unwrap()
    }

    /// Asks for a certificate from `address`.
    pub async fn certificate(&self, address: IpAddr, proof: Proof<'_>) -> Result<Identity, Status> {
        let pending = Pending::new().unwrap();
        let chain = self.certify(address, proof, pending.csr_pem()).await?;
        Ok(pending.complete(&chain, &self.bundle(), SystemTime::now()).unwrap())
    }

    /// Asks for a certificate with the request `csr`.
    pub async fn certify(&self, address: IpAddr, proof: Proof<'_>, csr: &str) -> Result<Vec<String>, Status> {
        let tls = match proof {
            Proof::Certificate(held) => held.grpc_client(&ourselves()),
            _ => self.strangers_tls(),
        };
        let mut request = Request::new(IstioCertificateRequest { csr: csr.to_owned(), ..Default::default() });
        if let Proof::Token(token) = proof {
            request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        }
        let mut service = IstioCertificateServiceClient::new(channel(address, self.certificates, tls).await?);
        Ok(service.create_certificate(request).await?.into_inner().cert_chain)
    }

    /// TLS of somebody who has no certificate.
    pub fn strangers_tls(&self) -> Arc<ClientConfig> {
        tls::bootstrap_client(&self.bundle(), &ourselves())
    }

    /// Somebody who calls himself as `web` does, by a root of his own; he believes us all the same.
    pub fn foreigner(&self) -> Identity {
        let (folder, now) = (tempfile::tempdir().unwrap(), SystemTime::now());
        let root = Authority::open_or_create(folder.path(), &"cluster.local".parse().unwrap(), now).unwrap();
        let pending = Pending::new().unwrap();
        let name = "spiffe://cluster.local/ns/shop/sa/web".parse().unwrap();
        let issued = root.issue(pending.csr_pem(), &name, Duration::from_secs(600), now).unwrap();
        let both = Bundle::from_pem(format!("{}{}", root.bundle().to_pem(), self.bundle().to_pem()).as_bytes()).unwrap();
        pending.complete(&issued.chain_pem, &both, now).unwrap()
    }

    /// The certificate of the pod `web-0`.
    pub async fn web(&self) -> Identity {
        self.certificate(WEB, Proof::Token("token-of-web")).await.unwrap()
    }

    /// A discovery stream of whoever is at `address` and holds `identity`, with its first question.
    pub async fn discover(&self, address: IpAddr, identity: &Identity, first: DeltaDiscoveryRequest) -> Result<Delta, Status> {
        self.discover_by(address, identity.grpc_client(&ourselves()), first).await
    }

    pub async fn discover_by(
        &self,
        address: IpAddr,
        tls: Arc<ClientConfig>,
        first: DeltaDiscoveryRequest,
    ) -> Result<Delta, Status> {
        let channel = channel(address, self.xds, tls).await?;
        let (requests, outgoing) = mpsc::unbounded_channel();
        requests.send(first).unwrap();
        let mut service = AggregatedDiscoveryServiceClient::new(channel);
        let responses = service.delta_aggregated_resources(UnboundedReceiverStream::new(outgoing)).await?.into_inner();
        Ok(Stream { requests, responses })
    }

    /// The same in the older variant.
    pub async fn discover_world(
        &self,
        address: IpAddr,
        identity: &Identity,
        first: DiscoveryRequest,
    ) -> Result<Stream<DiscoveryRequest, DiscoveryResponse>, Status> {
        let channel = channel(address, self.xds, identity.grpc_client(&ourselves())).await?;
        let (requests, outgoing) = mpsc::unbounded_channel();
        requests.send(first).unwrap();
        let mut service = AggregatedDiscoveryServiceClient::new(channel);
        let responses = service.stream_aggregated_resources(UnboundedReceiverStream::new(outgoing)).await?.into_inner();
        Ok(Stream { requests, responses })
    }

    /// A page of the admin port, with its head; empty when nobody answers.
    pub fn page(&self, path: &str) -> String {
        let mut text = String::new();
        if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.admin)) {
            let _ = write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
            let _ = stream.read_to_string(&mut text);
        }
        text
    }

    /// The value of a sample of `/metrics`, named with its labels.
    pub fn metric(&self, sample: &str) -> Option<f64> {
        let page = self.page("/metrics");
        page.lines().find_map(|line| line.strip_prefix(sample)?.trim().parse().ok())
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

/// A stream of incremental discovery.
pub type Delta = Stream<DeltaDiscoveryRequest, DeltaDiscoveryResponse>;

/// A discovery stream.
pub struct Stream<Q, A> {
    requests: mpsc::UnboundedSender<Q>,
    responses: Streaming<A>,
}

impl<Q: std::fmt::Debug, A> Stream<Q, A> {
    pub fn ask(&self, request: Q) {
        self.requests.send(request).unwrap();
    }

    /// The next response, or how the stream ended.
    pub async fn next(&mut self) -> Result<A, Status> {
        let message = timeout(PATIENCE, self.responses.message()).await.expect("no response came")?;
        message.ok_or_else(|| Status::ok("the stream ended"))
    }

    /// How the stream ends, whatever it says before.
    pub async fn end(&mut self) -> Status {
        loop {
            match self.responses.message().await {
                Ok(Some(_)) => {}
                Ok(None) => return Status::ok("the stream ended"),
                Err(status) => return status,
            }
        }
    }

    pub async fn is_silent(&mut self) -> bool {
        timeout(Duration::from_millis(300), self.responses.message()).await.is_err()
    }
}

pub fn subscribe(type_url: &str, names: &[&str]) -> DeltaDiscoveryRequest {
    let names = names.iter().map(|name| (*name).to_owned()).collect();
    DeltaDiscoveryRequest { type_url: type_url.to_owned(), resource_names_subscribe: names, ..Default::default() }
}

/// What a proxy asks first.
pub fn endpoints() -> DeltaDiscoveryRequest {
    subscribe(names::CLUSTER_LOAD_ASSIGNMENT, &[CLUSTER])
}

/// The identity control must prove.
fn ourselves() -> SpiffeId {
    SpiffeId::control(&"cluster.local".parse().unwrap())
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

pub fn free_ports() -> [u16; 3] {
    let held = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    held.map(|listener| listener.local_addr().unwrap().port())
}

/// Waits until something holds, and lets others work meanwhile.
pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Waits until something holds.
fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Runs the program to its end. Returns whether it succeeded and what it said.
pub fn run_to_its_end(folder: &Path, flags: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_weft-control")).current_dir(folder).args(flags).output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}
