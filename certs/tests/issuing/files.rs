//! Where the authority's key is kept, and what is made of files that are not as they should be.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use certs::issue::{Authority, AuthorityError};
use rcgen::{CertificateParams, KeyPair, KeyUsagePurpose};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use x509_parser::{oid_registry::OID_EC_P256, prelude::*};

use crate::opened;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn the_authority_is_made_once_and_its_key_is_for_its_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let first = opened(folder.path()).unwrap().bundle().to_pem();
    assert_eq!(opened(folder.path()).unwrap().bundle().to_pem(), first);
    let key = folder.path().join("ca-key.pem");
    assert_eq!(mode(&key), 0o600);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing else is left behind");
    for loose in [0o644, 0o640, 0o602] {
        chmod(&key, loose);
        let error = opened(folder.path()).unwrap_err();
        assert!(matches!(error, AuthorityError::KeyIsOpen { mode, .. } if mode == loose), "{error}");
        assert!(error.to_string().contains("chmod 600"), "{error}");
    }
}

#[test]
fn what_a_crash_left_behind_is_not_written_into() {
    let folder = tempfile::tempdir().unwrap();
    let half = folder.path().join("ca-key.new");
    fs::write(&half, "half a key").unwrap();
    chmod(&half, 0o644);
    opened(folder.path()).unwrap();
    assert_eq!(mode(&folder.path().join("ca-key.pem")), 0o600);
    assert!(!half.exists());
}

#[test]
fn half_an_authority_is_an_error_that_names_the_missing_half() {
    for half in ["ca-key.pem", "ca.pem"] {
        let folder = tempfile::tempdir().unwrap();
        opened(folder.path()).unwrap();
        fs::remove_file(folder.path().join(half)).unwrap();
        let error = opened(folder.path()).unwrap_err();
        assert!(matches!(&error, AuthorityError::HalfThere(path) if path.ends_with(half)), "{error}");
        assert!(error.to_string().contains("is missing"), "{error}");
    }
}

#[test]
fn files_that_cannot_be_seen_are_not_taken_for_none() {
    let folder = tempfile::tempdir().unwrap();
    let not_a_folder = folder.path().join("file");
    fs::write(&not_a_folder, "").unwrap();
    let error = opened(&not_a_folder).unwrap_err();
    assert!(matches!(&error, AuthorityError::File { path, .. } if path.ends_with("file/ca.pem")), "{error}");
}

#[test]
fn a_root_signs_leaves_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let authority = opened(folder.path()).unwrap();
    let der = CertificateDer::from_pem_slice(authority.bundle().to_pem().as_bytes()).unwrap();
    let (_, root) = X509Certificate::from_der(&der).unwrap();
    assert_eq!(root.subject(), root.issuer());
    let basic = root.basic_constraints().unwrap().unwrap();
    assert!(basic.critical && basic.value.ca);
    assert_eq!(basic.value.path_len_constraint, Some(0));
    let usage = root.key_usage().unwrap().unwrap().value;
    assert!(usage.key_cert_sign() && usage.crl_sign() && !usage.digital_signature());
    assert!(root.name_constraints().unwrap().is_none(), "verifiers refuse every chain under one on URIs");
    assert_eq!(root.public_key().algorithm.parameters.as_ref().unwrap().as_oid().unwrap(), OID_EC_P256);
}

/// Why two files are no authority.
fn refusal(certificate: &str, key: &KeyPair) -> String {
    let folder = tempfile::tempdir().unwrap();
    let (certificate_path, key_path) = (folder.path().join("ca.pem"), folder.path().join("ca-key.pem"));
    fs::write(&certificate_path, certificate).unwrap();
    fs::write(&key_path, key.serialize_pem()).unwrap();
    chmod(&key_path, 0o600);
    match Authority::from_files(&certificate_path, &key_path) {
        Err(error @ AuthorityError::Unusable { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_certificate_that_may_not_sign_is_no_authority() {
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::default().self_signed(&key).unwrap().pem();
    assert!(refusal(&leaf, &key).contains("not a CA certificate"));
    let mut params = CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    assert!(refusal(&params.self_signed(&key).unwrap().pem(), &key).contains("may not sign certificates"));
}

#[test]
fn a_key_of_another_certificate_is_no_authority() {
    let folder = tempfile::tempdir().unwrap();
    opened(folder.path()).unwrap();
    let certificate = fs::read_to_string(folder.path().join("ca.pem")).unwrap();
    assert!(refusal(&certificate, &KeyPair::generate().unwrap()).contains("does not belong"));
}
