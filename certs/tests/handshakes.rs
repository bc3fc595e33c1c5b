//! Who is believed and who is refused, in real TLS handshakes in memory.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test says what went wrong by panicking, and has a clock")]

use std::{
    io::{Read, Write},
    sync::Arc,
    time::{Duration, SystemTime},
};

use certs::{
    bundle::Bundle,
    issue::Authority,
    name::{SpiffeId, TrustDomain},
    request::Pending,
    store::{ClientAuth, Identity, IdentityError},
    tls,
    verify::{VerifyError, explain},
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair, SanType};
use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection};
use time::OffsetDateTime;

const HOUR: Duration = Duration::from_secs(3600);

fn domain() -> TrustDomain {
    "cluster.local".parse().unwrap()
}

fn id(account: &str) -> SpiffeId {
    SpiffeId::new(&domain(), "shop", account).unwrap()
}

fn authority() -> Authority {
    let folder = tempfile::tempdir().unwrap();
    Authority::open_or_create(folder.path(), &domain(), SystemTime::now()).unwrap()
}

fn identity(authority: &Authority, account: &str) -> Identity {
    let now = SystemTime::now();
    let pending = Pending::new().unwrap();
    let issued = authority.issue(pending.csr_pem(), &id(account), HOUR, now).unwrap();
    pending.complete(&issued.chain_pem, authority.bundle(), now).unwrap()
}

/// Shakes hands in memory. Returns both ends, or the first error and whether it was the client's.
fn shake(
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
) -> Result<(ClientConnection, ServerConnection), (bool, rustls::Error)> {
    let mut client = ClientConnection::new(client, "10.0.0.1".try_into().unwrap()).unwrap();
    let mut server = ServerConnection::new(server).unwrap();
    for _ in 0..10 {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        feed(&wire, |bytes| server.read_tls(bytes));
        server.process_new_packets().map_err(|error| (false, error))?;
        let mut wire = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        feed(&wire, |bytes| client.read_tls(bytes));
        client.process_new_packets().map_err(|error| (true, error))?;
    }
    assert!(!client.is_handshaking() && !server.is_handshaking());
    Ok((client, server))
}

fn feed(mut wire: &[u8], mut read: impl FnMut(&mut dyn Read) -> std::io::Result<usize>) {
    while !wire.is_empty() {
        read(&mut wire).unwrap();
    }
}

/// Why the client refused a server that shows `server`.
fn refusal_of_server(server: Arc<ServerConfig>, client: &Identity, expected: &SpiffeId) -> VerifyError {
    match shake(client.mesh_client(expected), server) {
        Err((true, error)) => explain(&error).unwrap_or_else(|| panic!("not about the certificate: {error}")),
        Err((false, error)) => panic!("the server refused: {error}"),
        Ok(_) => panic!("nobody refused"),
    }
}

/// A certificate made by hand, with whatever is wrong with it.
struct Handmade {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Handmade {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self { issuer: CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap() }
    }

    fn bundle(&self) -> Bundle {
        Bundle::from_pem(self.issuer.pem().as_bytes()).unwrap()
    }

    fn leaf(&self, names: Vec<SanType>, life: std::ops::Range<i64>) -> (String, String) {
        let mut params = CertificateParams::default();
        params.subject_alt_names = names;
        params.not_before = OffsetDateTime::now_utc() + time::Duration::hours(life.start);
        params.not_after = OffsetDateTime::now_utc() + time::Duration::hours(life.end);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    /// Why nobody would believe such a certificate.
    fn refusal(&self, names: Vec<SanType>, life: std::ops::Range<i64>) -> VerifyError {
        let (certificate, key) = self.leaf(names, life);
        match Identity::from_pem(certificate.as_bytes(), key.as_bytes(), &self.bundle(), SystemTime::now()) {
            Err(IdentityError::NotBelieved(why)) => why,
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("it was believed"),
        }
    }
}

fn uri(text: &str) -> SanType {
    SanType::URI(text.try_into().unwrap())
}

#[test]
fn two_members_prove_themselves_with_post_quantum_keys_and_our_alpn() {
    let authority = authority();
    let (web, cart) = (identity(&authority, "web"), identity(&authority, "cart"));
    let (mut client, mut server) = shake(web.mesh_client(cart.id()), cart.mesh_server()).unwrap();
    assert_eq!(client.negotiated_key_exchange_group().unwrap().name(), rustls::NamedGroup::X25519MLKEM768);
    assert_eq!(server.alpn_protocol(), Some(tls::MESH_ALPN));
    assert_eq!(certs::verify::peer_id(&server.peer_certificates().unwrap()[0]).unwrap(), id("web"));
    client.writer().write_all(b"x").unwrap();
    let mut wire = Vec::new();
    client.write_tls(&mut wire).unwrap();
    feed(&wire, |bytes| server.read_tls(bytes));
    server.process_new_packets().unwrap();
    let mut byte = [0];
    server.reader().read_exact(&mut byte).unwrap();
    assert_eq!(&byte, b"x");
}

#[test]
fn another_identity_than_expected_is_refused_and_both_are_named() {
    let authority = authority();
    let (web, cart) = (identity(&authority, "web"), identity(&authority, "cart"));
    let refusal = refusal_of_server(cart.mesh_server(), &web, &id("stock"));
    assert_eq!(refusal, VerifyError::WrongIdentity { expected: id("stock"), presented: id("cart") });
}

#[test]
fn a_foreign_root_is_refused_by_both_sides() {
    let (ours, theirs) = (authority(), authority());
    let (web, rogue) = (identity(&ours, "web"), identity(&theirs, "cart"));
    assert_eq!(refusal_of_server(rogue.mesh_server(), &web, &id("cart")), VerifyError::UnknownIssuer);
    // A client that trusts us and is not trusted.
    let (certificate, key) = Handmade::new().leaf(vec![uri("spiffe://cluster.local/ns/shop/sa/web")], -1..1);
    let client = client_showing(&certificate, &key, ours.bundle(), &id("web"));
    let (by_client, error) = shake(client, web.mesh_server()).unwrap_err();
    assert!(!by_client);
    assert_eq!(explain(&error), Some(VerifyError::UnknownIssuer));
}

/// A client that shows a certificate without asking itself whether it is any good.
fn client_showing(certificate: &str, key: &str, trusts: &Bundle, expected: &SpiffeId) -> Arc<ClientConfig> {
    use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
    let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let shown = rustls::sign::CertifiedKey::from_der(chain, key, &tls::provider()).unwrap();
    let mut config = (*tls::bootstrap_client(trusts, expected)).clone();
    config.client_auth_cert_resolver = Arc::new(rustls::sign::SingleCertAndKey::from(shown));
    config.alpn_protocols = vec![tls::MESH_ALPN.to_vec()];
    Arc::new(config)
}

#[test]
fn a_client_without_a_certificate_is_refused_where_one_is_required_and_served_where_not() {
    let authority = authority();
    let cart = identity(&authority, "cart");
    let anonymous = || {
        let mut config = (*tls::bootstrap_client(authority.bundle(), &id("cart"))).clone();
        config.alpn_protocols = vec![tls::MESH_ALPN.to_vec(), b"h2".to_vec()];
        Arc::new(config)
    };
    let (by_client, error) = shake(anonymous(), cart.mesh_server()).unwrap_err();
    assert!(!by_client);
    assert!(matches!(error, rustls::Error::NoCertificatesPresented), "{error}");
    shake(anonymous(), cart.grpc_server(ClientAuth::Optional).unwrap()).unwrap();
}

#[test]
fn a_client_of_another_trust_domain_is_refused() {
    let hand = Handmade::new();
    let (ours, our_key) = hand.leaf(vec![uri("spiffe://cluster.local/ns/shop/sa/cart")], -1..1);
    let cart = Identity::from_pem(ours.as_bytes(), our_key.as_bytes(), &hand.bundle(), SystemTime::now()).unwrap();
    let (theirs, key) = hand.leaf(vec![uri("spiffe://elsewhere/ns/shop/sa/web")], -1..1);
    let client = client_showing(&theirs, &key, &hand.bundle(), &id("cart"));
    let (_, error) = shake(client, cart.mesh_server()).unwrap_err();
    let (expected, presented) = (domain(), "elsewhere".parse().unwrap());
    assert_eq!(explain(&error), Some(VerifyError::WrongTrustDomain { expected, presented }));
}

#[test]
fn a_certificate_outside_of_its_time_is_refused_with_both_clocks() {
    let hand = Handmade::new();
    let name = || vec![uri("spiffe://cluster.local/ns/shop/sa/cart")];
    assert!(matches!(hand.refusal(name(), -2..-1), VerifyError::Expired { not_after, now } if not_after < now));
    assert!(matches!(hand.refusal(name(), 1..2), VerifyError::NotYetValid { not_before, now } if not_before > now));
}

#[test]
fn a_certificate_must_have_exactly_one_uri_and_it_must_be_ours() {
    let hand = Handmade::new();
    let cart = "spiffe://cluster.local/ns/shop/sa/cart";
    let two = vec![uri(cart), uri("spiffe://cluster.local/ns/shop/sa/web")];
    assert_eq!(hand.refusal(two, -1..1), VerifyError::NotOneName(2));
    let dns = vec![SanType::DnsName("cart.shop".try_into().unwrap())];
    assert_eq!(hand.refusal(dns, -1..1), VerifyError::NotOneName(0));
    assert!(matches!(hand.refusal(vec![uri("https://cluster.local/cart")], -1..1), VerifyError::Name(_)));
}

#[test]
fn a_key_that_is_not_the_certificates_is_refused() {
    let hand = Handmade::new();
    let name = || vec![uri("spiffe://cluster.local/ns/shop/sa/cart")];
    let ((certificate, _), (_, key)) = (hand.leaf(name(), -1..1), hand.leaf(name(), -1..1));
    let joined = Identity::from_pem(certificate.as_bytes(), key.as_bytes(), &hand.bundle(), SystemTime::now());
    assert!(matches!(joined, Err(IdentityError::ForeignKey)));
}

#[test]
fn a_client_that_knows_only_tls_1_2_gets_no_connection() {
    let authority = authority();
    let cart = identity(&authority, "cart");
    let old = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let (by_client, error) = shake(Arc::new(old), cart.mesh_server()).unwrap_err();
    assert!(!by_client && matches!(error, rustls::Error::PeerIncompatible(_)), "{error}");
}

#[test]
fn configurations_are_made_once_per_expected_identity() {
    let authority = authority();
    let web = identity(&authority, "web");
    assert!(Arc::ptr_eq(&web.mesh_client(&id("cart")), &web.mesh_client(&id("cart"))));
    assert!(!Arc::ptr_eq(&web.mesh_client(&id("cart")), &web.mesh_client(&id("stock"))));
}
