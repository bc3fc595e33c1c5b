//! What is issued, to whom, and where the authority's key is kept.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test says what went wrong by panicking, and has a clock")]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    time::{Duration, SystemTime},
};

use certs::{
    issue::{Authority, AuthorityError, IssueError, Issued, LEAF_MAX},
    name::{SpiffeId, TrustDomain},
    request::Pending,
};
use proptest::prelude::*;
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, SanType};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use x509_parser::prelude::*;

const HOUR: Duration = Duration::from_secs(3600);

fn domain() -> TrustDomain {
    "cluster.local".parse().unwrap()
}

fn cart() -> SpiffeId {
    SpiffeId::new(&domain(), "shop", "cart").unwrap()
}

fn opened(folder: &std::path::Path) -> Result<Authority, AuthorityError> {
    Authority::open_or_create(folder, &domain(), SystemTime::now())
}

fn issued(csr: &str, lifetime: Duration) -> Result<Issued, IssueError> {
    let folder = tempfile::tempdir().unwrap();
    opened(folder.path()).unwrap().issue(csr, &cart(), lifetime, SystemTime::now())
}

fn leaf(issued: &Issued) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(issued.chain_pem[0].as_bytes()).unwrap()
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
}

#[test]
fn a_leaf_is_a_proper_svid() {
    let issued = issued(Pending::new().unwrap().csr_pem(), HOUR).unwrap();
    let der = leaf(&issued);
    let (_, certificate) = X509Certificate::from_der(&der).unwrap();
    let names = certificate.subject_alternative_name().unwrap().unwrap();
    assert!(names.critical, "the subject is empty, so the name is critical");
    assert_eq!(certificate.subject().iter().count(), 0);
    let usage = certificate.key_usage().unwrap().unwrap().value;
    assert!(usage.digital_signature() && !usage.key_cert_sign() && !usage.crl_sign());
    let extended = certificate.extended_key_usage().unwrap().unwrap().value;
    assert!(extended.server_auth && extended.client_auth && !extended.any);
    assert!(certificate.raw_serial().len() >= 16 && certificate.raw_serial()[0] & 0x80 == 0);
    assert_eq!(issued.chain_pem.len(), 2, "the leaf and its root");
}

#[test]
fn no_leaf_outlives_a_day_or_two_serials_are_alike() {
    let csr = Pending::new().unwrap();
    let (one, other) = (issued(csr.csr_pem(), LEAF_MAX * 10).unwrap(), issued(csr.csr_pem(), HOUR).unwrap());
    assert!(one.not_after <= SystemTime::now() + LEAF_MAX);
    assert_ne!(one.serial, other.serial);
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

#[test]
fn the_authority_is_made_once_and_its_key_is_for_its_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let first = opened(folder.path()).unwrap().bundle().to_pem();
    assert_eq!(opened(folder.path()).unwrap().bundle().to_pem(), first);
    let key = folder.path().join("ca-key.pem");
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(opened(folder.path()), Err(AuthorityError::KeyIsOpen { mode: 0o644, .. })));
}

#[test]
fn half_an_authority_is_an_error_that_names_the_missing_half() {
    let folder = tempfile::tempdir().unwrap();
    opened(folder.path()).unwrap();
    fs::remove_file(folder.path().join("ca-key.pem")).unwrap();
    let error = opened(folder.path()).unwrap_err().to_string();
    assert!(error.contains("ca-key.pem is missing"), "{error}");
}

proptest! {
    #[test]
    fn no_bytes_make_issuing_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        use base64::Engine;
        let body = base64::engine::general_purpose::STANDARD.encode(&bytes);
        let pem = format!("-----BEGIN CERTIFICATE REQUEST-----\n{body}\n-----END CERTIFICATE REQUEST-----\n");
        prop_assert!(issued(&pem, HOUR).is_err());
    }
}
