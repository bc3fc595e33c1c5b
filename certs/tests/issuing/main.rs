//! What is issued, and to whom.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test says what went wrong by panicking, and has a clock")]

mod files;

use std::{
    path::Path,
    time::{Duration, SystemTime},
};

use certs::{
    issue::{Authority, AuthorityError, IssueError, Issued, LEAF_MAX},
    name::{SpiffeId, TrustDomain},
    request::Pending,
    verify::SKEW,
};
use rcgen::{
    BasicConstraints, CertificateParams, IsCa, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519,
    PublicKeyData, SanType,
};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use x509_parser::{certification_request::X509CertificationRequest, prelude::*};

const HOUR: Duration = Duration::from_secs(3600);

fn domain() -> TrustDomain {
    "cluster.local".parse().unwrap()
}

fn cart() -> SpiffeId {
    SpiffeId::new(&domain(), "shop", "cart").unwrap()
}

fn opened(folder: &Path) -> Result<Authority, AuthorityError> {
    Authority::open_or_create(folder, &domain(), SystemTime::now())
}

fn issued(csr: &str, lifetime: Duration) -> Result<Issued, IssueError> {
    let folder = tempfile::tempdir().unwrap();
    opened(folder.path()).unwrap().issue(csr, &cart(), lifetime, SystemTime::now())
}

fn leaf(issued: &Issued) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(issued.chain_pem[0].as_bytes()).unwrap()
}

fn unix(time: SystemTime) -> i64 {
    i64::try_from(time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

#[test]
fn nothing_of_the_request_but_its_key_is_believed() {
    let key = KeyPair::generate().unwrap();
    let mut greedy = CertificateParams::new(vec![String::from("control.weft-system")]).unwrap();
    greedy.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    greedy.subject_alt_names.push(SanType::URI("spiffe://cluster.local/ns/weft-system/sa/weft-control".try_into().unwrap()));
    let csr = greedy.serialize_request(&key).unwrap().pem().unwrap();
    let issued = issued(&csr, HOUR).unwrap();
    let der = leaf(&issued);
    let (_, certificate) = X509Certificate::from_der(&der).unwrap();
    assert!(!certificate.is_ca());
    assert_eq!(certs::verify::peer_id(&der).unwrap(), cart());
    assert_eq!(certificate.subject_alternative_name().unwrap().unwrap().value.general_names.len(), 1);
    assert_eq!(certificate.subject().iter().count(), 0);
    assert_eq!(certificate.public_key().raw, key.subject_public_key_info());
}

#[test]
fn extensions_that_nobody_knows_are_ignored_with_all_the_others() {
    let issued = issued(include_str!("requests/strange-extension.pem"), HOUR).unwrap();
    let der = leaf(&issued);
    let (_, certificate) = X509Certificate::from_der(&der).unwrap();
    assert!(certificate.name_constraints().unwrap().is_none());
    assert!(!certificate.extensions().iter().any(|extension| extension.oid.to_id_string().starts_with("1.3.6.1.4.1")));
}

#[test]
fn a_leaf_is_a_proper_svid() {
    let issued = issued(Pending::new().unwrap().csr_pem(), HOUR).unwrap();
    let der = leaf(&issued);
    let (_, certificate) = X509Certificate::from_der(&der).unwrap();
    let names = certificate.subject_alternative_name().unwrap().unwrap();
    assert!(names.critical, "the subject is empty, so the name is critical");
    assert_eq!(certificate.subject().iter().count(), 0);
    let basic = certificate.basic_constraints().unwrap().expect("it says that it is no CA");
    assert!(!basic.value.ca);
    let usage = certificate.key_usage().unwrap().unwrap().value;
    assert!(usage.digital_signature() && !usage.key_cert_sign() && !usage.crl_sign());
    let extended = certificate.extended_key_usage().unwrap().unwrap().value;
    assert!(extended.server_auth && extended.client_auth && !extended.any);
    let serial = certificate.raw_serial();
    assert!((16..=20).contains(&serial.len()) && (1..0x80).contains(&serial[0]), "positive, 128 bits, at most 20 bytes");
    assert_eq!(issued.chain_pem.len(), 2, "the leaf and its root");
}

#[test]
fn a_life_begins_a_little_before_now_and_ends_when_it_says() {
    let now = SystemTime::now();
    let issued = issued(Pending::new().unwrap().csr_pem(), HOUR).unwrap();
    let der = leaf(&issued);
    let (_, certificate) = X509Certificate::from_der(&der).unwrap();
    let since = certificate.validity().not_before.timestamp();
    assert!((unix(now - SKEW)..=unix(SystemTime::now() - SKEW)).contains(&since));
    let end = certificate.validity().not_after.timestamp();
    assert!((unix(now + HOUR)..=unix(SystemTime::now() + HOUR)).contains(&end));
    assert_eq!(issued.not_after, SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(end).unwrap()));
}

#[test]
fn no_leaf_outlives_a_day_or_two_serials_are_alike() {
    let csr = Pending::new().unwrap();
    let (one, other) = (issued(csr.csr_pem(), LEAF_MAX * 10).unwrap(), issued(csr.csr_pem(), HOUR).unwrap());
    assert!(one.not_after <= SystemTime::now() + LEAF_MAX);
    assert_ne!(one.serial, other.serial);
}

#[test]
fn no_leaf_outlives_its_authority_and_none_is_issued_after_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let authority = opened(folder.path()).unwrap();
    let root = CertificateDer::from_pem_slice(authority.bundle().to_pem().as_bytes()).unwrap();
    let (_, parsed) = X509Certificate::from_der(&root).unwrap();
    let end = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(parsed.validity().not_after.timestamp()).unwrap());
    let csr = Pending::new().unwrap();
    let last = authority.issue(csr.csr_pem(), &cart(), HOUR, end - HOUR / 2).unwrap();
    assert_eq!(last.not_after, end);
    let error = authority.issue(csr.csr_pem(), &cart(), HOUR, end + HOUR).unwrap_err();
    assert!(matches!(&error, IssueError::Signing(why) if why.contains("ended")), "{error}");
}

#[test]
fn keys_of_three_kinds_are_certified_as_what_they_are() {
    for kind in [&PKCS_ECDSA_P256_SHA256, &PKCS_ECDSA_P384_SHA384, &PKCS_ED25519] {
        let key = KeyPair::generate_for(kind).unwrap();
        let csr = CertificateParams::default().serialize_request(&key).unwrap().pem().unwrap();
        let der = leaf(&issued(&csr, HOUR).unwrap());
        let (_, certificate) = X509Certificate::from_der(&der).unwrap();
        assert_eq!(certificate.public_key().raw, key.subject_public_key_info());
    }
}

/// A request may be signed with another hash than is usual for its key; the key's kind is what the key says.
#[test]
fn the_kind_of_a_key_is_not_read_from_the_requests_signature() {
    for csr in [include_str!("requests/p384-signed-with-sha256.pem"), include_str!("requests/p256-signed-with-sha384.pem")] {
        let der = leaf(&issued(csr, HOUR).unwrap());
        let (_, certificate) = X509Certificate::from_der(&der).unwrap();
        let request = Pem::iter_from_buffer(csr.as_bytes()).next().unwrap().unwrap().contents;
        let (_, request) = X509CertificationRequest::from_der(&request).unwrap();
        assert_eq!(certificate.public_key().raw, request.certification_request_info.subject_pki.raw);
    }
}

#[test]
fn keys_of_other_kinds_are_refused() {
    for csr in [include_str!("requests/rsa-2048.pem"), include_str!("requests/p521.pem")] {
        let refused = issued(csr, HOUR);
        assert!(matches!(refused, Err(IssueError::KeyKind)), "{refused:?}");
    }
}

#[test]
fn requests_that_cannot_be_used_are_told_apart() {
    assert!(matches!(issued("nonsense", HOUR), Err(IssueError::Malformed(_))));
    assert!(matches!(issued(&"A".repeat(20_000), HOUR), Err(IssueError::TooLarge)));
    // One letter of the signed part changed: the signature is wrong.
    let csr = Pending::new().unwrap().csr_pem().to_owned();
    let at = csr.find('\n').unwrap() + 60;
    let other = if &csr[at..=at] == "A" { "B" } else { "A" };
    let forged = format!("{}{other}{}", &csr[..at], &csr[at + 1..]);
    assert!(matches!(issued(&forged, HOUR), Err(IssueError::Malformed(_))));
}
