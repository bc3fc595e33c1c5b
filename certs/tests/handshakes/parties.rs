//! Who takes part in the handshakes, and the wire between them, which is memory.

use std::{
    io::Read,
    ops::Range,
    sync::Arc,
    time::{Duration, SystemTime},
};

use certs::{
    bundle::Bundle,
    issue::Authority,
    name::{SpiffeId, TrustDomain},
    request::Pending,
    store::{Identity, IdentityError},
    tls,
};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    SanType,
};
use rustls::{
    ClientConfig, ClientConnection, ServerConfig, ServerConnection,
    sign::{CertifiedKey, SingleCertAndKey},
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use time::OffsetDateTime;

/// A life in hours from now: begun, and not over.
pub(crate) const ALIVE: Range<i64> = -1..1;

pub(crate) fn domain() -> TrustDomain {
    "cluster.local".parse().unwrap()
}

pub(crate) fn id(account: &str) -> SpiffeId {
    SpiffeId::new(&domain(), "shop", account).unwrap()
}

pub(crate) fn authority() -> Authority {
    let folder = tempfile::tempdir().unwrap();
    Authority::open_or_create(folder.path(), &domain(), SystemTime::now()).unwrap()
}

pub(crate) fn identity(authority: &Authority, account: &str) -> Identity {
    let now = SystemTime::now();
    let pending = Pending::new().unwrap();
    let issued = authority.issue(pending.csr_pem(), &id(account), Duration::from_secs(3600), now).unwrap();
    pending.complete(&issued.chain_pem, authority.bundle(), now).unwrap()
}

/// Who refused, and with what.
#[derive(Debug)]
pub(crate) enum Refused {
    ByClient(rustls::Error),
    ByServer(rustls::Error),
}

/// Shakes hands in memory. Returns both ends, or the first refusal.
pub(crate) fn shake(
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
) -> Result<(ClientConnection, ServerConnection), Refused> {
    let mut client = ClientConnection::new(client, "10.0.0.1".try_into().unwrap()).unwrap();
    let mut server = ServerConnection::new(server).unwrap();
    for _ in 0..10 {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        feed(&wire, |bytes| server.read_tls(bytes));
        server.process_new_packets().map_err(Refused::ByServer)?;
        let mut wire = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        feed(&wire, |bytes| client.read_tls(bytes));
        client.process_new_packets().map_err(Refused::ByClient)?;
    }
    assert!(!client.is_handshaking() && !server.is_handshaking());
    Ok((client, server))
}

pub(crate) fn feed(mut wire: &[u8], mut read: impl FnMut(&mut dyn Read) -> std::io::Result<usize>) {
    while !wire.is_empty() {
        read(&mut wire).unwrap();
    }
}

/// A root that signs whatever it is told to.
pub(crate) struct Handmade {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate and its key, in PEM form.
pub(crate) struct Made {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Handmade {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self { issuer: CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap() }
    }

    pub(crate) fn bundle(&self) -> Bundle {
        Bundle::from_pem(self.issuer.pem().as_bytes()).unwrap()
    }

    pub(crate) fn leaf(&self, names: Vec<SanType>, life: Range<i64>) -> Made {
        self.sign(names, life, Vec::new())
    }

    /// A leaf whose names are `names` as they stand, which need not be text.
    pub(crate) fn leaf_of_raw_uris(&self, names: &[&[u8]]) -> Made {
        let names: Vec<u8> = names.iter().flat_map(|name| tagged(0x86, name)).collect();
        let extension = CustomExtension::from_oid_content(&[2, 5, 29, 17], tagged(0x30, &names));
        self.sign(Vec::new(), ALIVE, vec![extension])
    }

    fn sign(&self, names: Vec<SanType>, life: Range<i64>, extensions: Vec<CustomExtension>) -> Made {
        let mut params = CertificateParams::default();
        params.subject_alt_names = names;
        params.custom_extensions = extensions;
        params.not_before = OffsetDateTime::now_utc() + time::Duration::hours(life.start);
        params.not_after = OffsetDateTime::now_utc() + time::Duration::hours(life.end);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().unwrap();
        Made { certificate: params.signed_by(&key, &self.issuer).unwrap().pem(), key: key.serialize_pem() }
    }

    /// A member of this root's mesh that is as it should be.
    pub(crate) fn member(&self, account: &str) -> Identity {
        self.joined(&self.leaf(vec![uri(&id(account).to_string())], ALIVE)).unwrap()
    }

    pub(crate) fn joined(&self, made: &Made) -> Result<Identity, IdentityError> {
        Identity::from_pem(made.certificate.as_bytes(), made.key.as_bytes(), &self.bundle(), SystemTime::now())
    }
}

impl Made {
    /// Shown as it is, without a look at whether it is any good.
    fn shown(&self) -> Arc<SingleCertAndKey> {
        let chain = vec![CertificateDer::from_pem_slice(self.certificate.as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).unwrap();
        Arc::new(CertifiedKey::from_der(chain, key, &tls::provider()).unwrap().into())
    }

    /// A client that shows this certificate, and believes whom it should.
    pub(crate) fn client(&self, trusts: &Bundle, expected: &SpiffeId) -> Arc<ClientConfig> {
        let mut config = (*tls::bootstrap_client(trusts, expected)).clone();
        config.client_auth_cert_resolver = self.shown();
        config.alpn_protocols = vec![tls::MESH_ALPN.to_vec()];
        Arc::new(config)
    }

    /// A server that shows this certificate to whoever comes.
    pub(crate) fn server(&self) -> Arc<ServerConfig> {
        let mut config = ServerConfig::builder_with_provider(tls::provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(self.shown());
        config.alpn_protocols = vec![tls::MESH_ALPN.to_vec()];
        Arc::new(config)
    }
}

pub(crate) fn uri(text: &str) -> SanType {
    SanType::URI(text.try_into().unwrap())
}

/// DER of `contents` under `tag`.
fn tagged(tag: u8, contents: &[u8]) -> Vec<u8> {
    let length = u8::try_from(contents.len()).unwrap();
    assert!(length < 0x80, "the short form of a length");
    [&[tag, length], contents].concat()
}
