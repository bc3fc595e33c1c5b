//! A pair of proxies with mutual TLS between them, both counted.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    time::Duration,
};

use anyhow::{Context as _, ensure};
use certs::{
    issue::Authority,
    name::{SpiffeId, TrustDomain},
};
use rcgen::{CertificateParams, KeyPair};

use super::{callgrind::Counted, recorded::Proxy};
use crate::clock;

/// A proxy takes about 3 s to start under valgrind.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the proxies must have patience with: code is slowest where valgrind meets it for the first time.
const TIMEOUTS: [&str; 3] = ["WEFT_CONNECT_TIMEOUT_MS", "WEFT_HANDSHAKE_TIMEOUT_MS", "WEFT_DISCOVERY_TIMEOUT_MS"];

/// Both proxies, and where they take what.
pub struct Pair {
    pub outbound: Counted,
    pub inbound: Counted,
}

/// A way through the pair.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    /// Where the client connects: the outbound proxy.
    pub entrance: SocketAddr,
    /// The mesh hop: the inbound proxy.
    pub hop: SocketAddr,
    /// Where the app listens.
    pub app: SocketAddr,
}

impl Way {
    /// A way to `app`, with addresses that are free.
    ///
    /// # Errors
    /// No port is free.
    pub fn to(app: SocketAddr) -> anyhow::Result<Self> {
        Ok(Self { entrance: free_address()?, hop: free_address()?, app })
    }
}

impl Pair {
    /// Starts both in `folder` on either side of `way`, and returns when they listen.
    ///
    /// # Errors
    /// What went wrong.
    pub fn start(program: &Path, folder: &Path, way: Way) -> anyhow::Result<Self> {
        let domain: TrustDomain = "cluster.local".parse()?;
        let authority = Authority::open_or_create(&folder.join("ca"), &domain, clock::wall())?;
        fs::write(folder.join("bundle.pem"), authority.bundle().to_pem())?;
        for account in ["storefront", "catalogue"] {
            certify(&authority, &SpiffeId::new(&domain, "shop", account)?, folder)?;
        }
        fs::write(folder.join("outbound.yaml"), outbound(way))?;
        fs::write(folder.join("inbound.yaml"), inbound(way))?;
        let start = |proxy: Proxy| {
            let name = proxy.word();
            let admin = free_address()?.port().to_string();
            Counted::start(name, folder, program, |command| {
                let command = command.arg("--config").arg(folder.join(format!("{name}.yaml")));
                command.env("WEFT_LOG", "warn,h2=error").env("WEFT_ADMIN_PORT", admin).env("WEFT_NAMESPACE", "shop");
                TIMEOUTS.iter().fold(command, |command, name| command.env(name, PATIENCE.as_millis().to_string()))
            })
        };
        let mut pair = Self { outbound: start(Proxy::Outbound)?, inbound: start(Proxy::Inbound)? };
        let begun = clock::now();
        for address in [way.hop, way.entrance] {
            while TcpStream::connect(address).is_err() {
                pair.outbound.runs()?;
                pair.inbound.runs()?;
                ensure!(begun.elapsed() < PATIENCE, "no proxy listens on {address} after {PATIENCE:?}");
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        Ok(pair)
    }
}

/// A port of loopback that is free, below those that the kernel gives to whoever dials.
fn free_address() -> anyhow::Result<SocketAddr> {
    use std::sync::atomic::{AtomicU16, Ordering};
    static NEXT: AtomicU16 = AtomicU16::new(0);
    loop {
        let start = 20_000 + u16::try_from(std::process::id() % 100)? * 100;
        let port = start + NEXT.fetch_add(1, Ordering::Relaxed);
        ensure!(port < 32_000, "no port of loopback is free");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() {
            return Ok(address);
        }
    }
}

/// Writes `id`'s certificate and key to `folder`, under the name of its account.
fn certify(authority: &Authority, id: &SpiffeId, folder: &Path) -> anyhow::Result<()> {
    let account = id.service_account();
    let key = KeyPair::generate()?;
    let request = CertificateParams::default().serialize_request(&key)?.pem()?;
    let issued = authority.issue(&request, id, Duration::from_secs(3600), clock::wall())?;
    fs::write(folder.join(format!("{account}.pem")), issued.chain_pem.concat()).context("cannot write a certificate")?;
    fs::write(folder.join(format!("{account}-key.pem")), key.serialize_pem()).context("cannot write a key")
}

fn identity(account: &str) -> String {
    format!("identity: {{certificate: {account}.pem, key: {account}-key.pem, bundle: bundle.pem}}\n")
}

fn outbound(way: Way) -> String {
    let Way { entrance, hop, .. } = way;
    format!(
        "{}\
         listeners:\n- {{address: '{entrance}', direction: outbound, destination: '10.96.0.5:80'}}\n\
         services:\n- name: catalogue\n  namespace: shop\n  address: 10.96.0.5:80\n  endpoints:\n  \
         - {{address: '{hop}', identity: spiffe://cluster.local/ns/shop/sa/catalogue, workload: catalogue}}\n",
        identity("storefront")
    )
}

fn inbound(way: Way) -> String {
    let Way { hop, app, .. } = way;
    let listener = format!("listeners:\n- {{address: '{hop}', direction: inbound, destination: '{app}'}}\n");
    identity("catalogue") + &listener
}
