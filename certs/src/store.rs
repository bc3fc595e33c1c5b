//! A certificate in force, and the TLS configurations made of it.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use arc_swap::ArcSwapOption;
use rustls::{
    ClientConfig, ServerConfig,
    client::Resumption,
    crypto::aws_lc_rs::sign::any_ecdsa_type,
    server::NoServerSessionStorage,
    sign::{CertifiedKey, SingleCertAndKey},
    version::TLS13,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime, pem::PemObject};
use x509_parser::prelude::{FromDer, X509Certificate};
use zeroize::Zeroizing;

use crate::{
    bundle::Bundle,
    known::{Known, Usage},
    name::SpiffeId,
    tls,
    verify::{self, ClientVerifier, VerifyError},
};

/// Client configurations kept per identity; past that they are all forgotten and made anew. One costs about 1 kB.
const CLIENTS_MAX: usize = 4096;

/// A chain larger than this is no chain of ours.
const CHAIN_MAX: usize = 256 << 10;

/// Why a certificate cannot be put in force.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// There is no certificate in the chain.
    #[error("the chain holds no certificate")]
    Empty,
    /// The key cannot be read.
    #[error("the private key cannot be used: {0}")]
    Key(String),
    /// The key is not the certificate's.
    #[error("the private key does not belong to the certificate")]
    ForeignKey,
    /// Nobody who trusts the bundle would believe it.
    #[error("the certificate would not be believed: {0}")]
    NotBelieved(#[from] VerifyError),
}

/// Whether a client must show a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// It must.
    Required,
    /// It may; what it shows is checked.
    Optional,
}

/// A certificate that was checked, its key, and the roots it was checked against.
pub struct Identity {
    id: SpiffeId,
    not_before: SystemTime,
    not_after: SystemTime,
    serial: String,
    bundle: Bundle,
    /// Peers whose chains were found good against `bundle`.
    known: Arc<Known>,
    shown: Arc<SingleCertAndKey>,
    mesh_server: Arc<ServerConfig>,
    clients: Mutex<HashMap<SpiffeId, Arc<ClientConfig>>>,
}

impl Identity {
    /// Puts together a certificate chain and key in PEM form, checked against `bundle` at `now`.
    ///
    /// # Errors
    /// Nobody who trusts `bundle` would believe it, or the parts do not belong together.
    pub fn from_pem(chain: &[u8], key: &[u8], bundle: &Bundle, now: SystemTime) -> Result<Self, IdentityError> {
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| IdentityError::Key(error.to_string()))?;
        let key = Zeroizing::new(key);
        Self::assemble(read_chain(chain)?, &key, bundle, now)
    }

    pub(crate) fn assemble(
        chain: Vec<CertificateDer<'static>>,
        key: &PrivateKeyDer<'_>,
        bundle: &Bundle,
        now: SystemTime,
    ) -> Result<Self, IdentityError> {
        // Peers have the roots already.
        let chain: Vec<_> = chain.into_iter().filter(|certificate| !bundle.contains(certificate)).collect();
        let (leaf, intermediates) = chain.split_first().ok_or(IdentityError::Empty)?;
        let id = believed(leaf, intermediates, bundle, now)?;
        let life = Life::read(leaf)?;
        let shown = Arc::new(SingleCertAndKey::from(certified(chain, key)?));
        let known = Arc::default();
        let mesh_server = server(&shown, bundle, &known, &id, ClientAuth::Required, tls::MESH_ALPN)?;
        let Life { not_before, not_after, serial } = life;
        let (bundle, clients) = (bundle.clone(), Mutex::default());
        Ok(Self { id, not_before, not_after, serial, bundle, known, shown, mesh_server, clients })
    }

    /// Who it proves.
    pub fn id(&self) -> &SpiffeId {
        &self.id
    }

    /// Begin of its life.
    pub fn not_before(&self) -> SystemTime {
        self.not_before
    }

    /// End of its life.
    pub fn not_after(&self) -> SystemTime {
        self.not_after
    }

    /// Serial number, in hexadecimal.
    pub fn serial(&self) -> &str {
        &self.serial
    }

    /// The roots it trusts.
    pub fn bundle(&self) -> &Bundle {
        &self.bundle
    }

    /// The server's side of the mesh hop: any member of the trust domain may come, everybody must prove who he is.
    pub fn mesh_server(&self) -> Arc<ServerConfig> {
        self.mesh_server.clone()
    }

    /// The client's side of the mesh hop, to a server that must prove to be `expected`. Made once per identity.
    pub fn mesh_client(&self, expected: &SpiffeId) -> Arc<ClientConfig> {
        // What is inside stays whole whatever panics around it.
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(expected) {
            return client.clone();
        }
        if clients.len() >= CLIENTS_MAX {
            clients.clear();
        }
        let client = self.client(expected, tls::MESH_ALPN);
        clients.insert(expected.clone(), client.clone());
        client
    }

    /// Who a client of [`mesh_server`](Self::mesh_server) has proved to be with `chain`, which its handshake has found good.
    ///
    /// # Errors
    /// It shows nothing, or not exactly one identity; a handshake does not succeed with that.
    pub fn mesh_peer(&self, chain: &[CertificateDer<'_>], now: SystemTime) -> Result<SpiffeId, VerifyError> {
        let whole: Vec<_> = chain.iter().collect();
        match (self.known.remembered(Usage::Client, &whole, unix(now)), chain.first()) {
            (Some(id), _) => Ok(id),
            (None, Some(leaf)) => verify::peer_id(leaf),
            (None, None) => Err(VerifyError::NotOneName(0)),
        }
    }

    /// A gRPC client to a server that must prove to be `expected`.
    pub fn grpc_client(&self, expected: &SpiffeId) -> Arc<ClientConfig> {
        self.client(expected, tls::GRPC_ALPN)
    }

    /// A gRPC server.
    ///
    /// # Errors
    /// No root of the bundle can be used; since the identity was checked against it, that does not happen.
    pub fn grpc_server(&self, clients: ClientAuth) -> Result<Arc<ServerConfig>, VerifyError> {
        server(&self.shown, &self.bundle, &self.known, &self.id, clients, tls::GRPC_ALPN)
    }

    fn client(&self, expected: &SpiffeId, alpn: &[u8]) -> Arc<ClientConfig> {
        let config = tls::client_builder(&self.bundle, self.known.clone(), expected);
        let mut config = config.with_client_cert_resolver(self.shown.clone());
        config.alpn_protocols = vec![alpn.to_vec()];
        // A resumed session skips the verifier: it would outlive its certificate, and a change of roots.
        config.resumption = Resumption::disabled();
        config.enable_sni = false;
        config.enable_secret_extraction = alpn == tls::MESH_ALPN;
        Arc::new(config)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("id", &self.id).field("serial", &self.serial).finish_non_exhaustive()
    }
}

/// Where the identity in force is found. Readers never wait.
#[derive(Debug, Default)]
pub struct IdentityStore(ArcSwapOption<Identity>);

impl IdentityStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// The identity in force, if there is one.
    pub fn current(&self) -> Option<Arc<Identity>> {
        self.0.load_full()
    }

    /// Puts `identity` in force. Handshakes under way end with the one they began with.
    pub fn publish(&self, identity: Identity) {
        self.0.store(Some(Arc::new(identity)));
    }
}

/// A certificate's life and number.
struct Life {
    not_before: SystemTime,
    not_after: SystemTime,
    serial: String,
}

impl Life {
    fn read(certificate: &CertificateDer<'_>) -> Result<Self, VerifyError> {
        let (_, parsed) = X509Certificate::from_der(certificate).map_err(|error| VerifyError::Malformed(error.to_string()))?;
        let time = |seconds: i64| SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
        Ok(Self {
            not_before: time(parsed.validity().not_before.timestamp()),
            not_after: time(parsed.validity().not_after.timestamp()),
            serial: parsed.raw_serial().iter().map(|byte| format!("{byte:02x}")).collect(),
        })
    }
}

/// The certificates of `pem`, in their order.
pub(crate) fn read_chain(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
    if pem.len() > CHAIN_MAX {
        return Err(VerifyError::Malformed(String::from("the chain is larger than 256 KiB")).into());
    }
    let chain = CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>();
    chain.map_err(|error| VerifyError::Malformed(error.to_string()).into())
}

/// Checks a certificate as its peers will.
fn believed(
    leaf: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    bundle: &Bundle,
    now: SystemTime,
) -> Result<SpiffeId, VerifyError> {
    verify::check_chain(leaf, intermediates, &bundle.store(), &tls::provider(), unix(now))
        .map_err(|error| verify::explain(&error).unwrap_or_else(|| VerifyError::Malformed(error.to_string())))?;
    verify::peer_id(leaf)
}

fn unix(time: SystemTime) -> UnixTime {
    UnixTime::since_unix_epoch(time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO))
}

/// A chain with its key.
fn certified(chain: Vec<CertificateDer<'static>>, key: &PrivateKeyDer<'_>) -> Result<CertifiedKey, IdentityError> {
    let signer = any_ecdsa_type(key).map_err(|error| IdentityError::Key(error.to_string()))?;
    let certified = CertifiedKey::new(chain, signer);
    certified.keys_match().map_err(|_| IdentityError::ForeignKey)?;
    Ok(certified)
}

/// A server that is known by the DNS names in its certificate, to those who know no SPIFFE ID: the API server of a cluster.
pub(crate) fn named_server(
    chain: Vec<CertificateDer<'static>>,
    key: &PrivateKeyDer<'_>,
) -> Result<Arc<ServerConfig>, IdentityError> {
    let mut config = ServerConfig::builder_with_provider(tls::provider())
        .with_protocol_versions(&[&TLS13])
        .expect("the provider has TLS 1.3 cipher suites")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified(chain, key)?)));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn server(
    shown: &Arc<SingleCertAndKey>,
    bundle: &Bundle,
    known: &Arc<Known>,
    id: &SpiffeId,
    clients: ClientAuth,
    alpn: &[u8],
) -> Result<Arc<ServerConfig>, VerifyError> {
    let is_required = clients == ClientAuth::Required;
    let verifier = ClientVerifier::new(bundle, known.clone(), id.trust_domain().clone(), is_required)?;
    let mut config = ServerConfig::builder_with_provider(tls::provider())
        .with_protocol_versions(&[&TLS13])
        .expect("the provider has TLS 1.3 cipher suites")
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(shown.clone());
    config.alpn_protocols = vec![alpn.to_vec()];
    // No tickets: see `Identity::client`.
    config.send_tls13_tickets = 0;
    // Records of the mesh are made by the proxy itself: it asks for the keys, which stay in its process.
    config.enable_secret_extraction = alpn == tls::MESH_ALPN;
    // Nothing would be kept in the memory that rustls sets aside for sessions: 31 kB per configuration.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(Arc::new(config))
}
