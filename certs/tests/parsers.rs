//! Whatever bytes come, the parsers answer.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test says what went wrong by panicking, and has a clock")]

use std::{
    sync::LazyLock,
    time::{Duration, SystemTime},
};

use certs::{
    bundle::Bundle,
    issue::Authority,
    name::{SpiffeId, TrustDomain},
    request::Pending,
    store::{Identity, IdentityError},
    verify::peer_id,
};
use pem::Pem;
use proptest::prelude::*;
use rustls_pki_types::{CertificateDer, pem::PemObject};
use x509_parser::prelude::{FromDer, X509Certificate};

/// Made once: its key is written to a disk.
static AUTHORITY: LazyLock<Authority> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    Authority::open_or_create(folder.path(), &"cluster.local".parse().unwrap(), SystemTime::now()).unwrap()
});

/// Something real to damage: what arbitrary bytes never look like gets further into a parser.
static REQUEST: LazyLock<Vec<u8>> = LazyLock::new(|| pem::parse(Pending::new().unwrap().csr_pem()).unwrap().into_contents());

static LEAF: LazyLock<CertificateDer<'static>> = LazyLock::new(|| certified(&REQUEST).unwrap());

/// The leaf that is issued for a request, if one is.
fn certified(request: &[u8]) -> Option<CertificateDer<'static>> {
    let request = pem("CERTIFICATE REQUEST", request);
    let issued = AUTHORITY.issue(&request, &cart(), Duration::from_secs(3600), SystemTime::now()).ok()?;
    Some(CertificateDer::from_pem_slice(issued.chain_pem[0].as_bytes()).unwrap())
}

fn public_key(certificate: &CertificateDer<'_>) -> Vec<u8> {
    let (_, parsed) = X509Certificate::from_der(certificate).unwrap();
    parsed.public_key().raw.to_vec()
}

fn cart() -> SpiffeId {
    "spiffe://cluster.local/ns/shop/sa/cart".parse().unwrap()
}

fn pem(label: &str, der: &[u8]) -> String {
    pem::encode(&Pem::new(label, der))
}

/// `whole` with one byte changed, and cut short.
fn damaged(whole: &[u8], at: prop::sample::Index, change: u8, keep: prop::sample::Index) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    bytes[at.index(whole.len())] ^= change;
    // Most are left whole: what is cut is refused at the first length.
    bytes.truncate(if change.is_multiple_of(4) { keep.index(whole.len()) } else { whole.len() });
    bytes
}

/// Gives `bytes` to every parser, as they are and as what they would be in PEM form.
fn parse_all(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let _ = text.parse::<SpiffeId>();
    let _ = text.parse::<TrustDomain>();
    let _ = peer_id(&CertificateDer::from(bytes));
    let now = SystemTime::now();
    let (certificate, request, key) = (pem("CERTIFICATE", bytes), pem("CERTIFICATE REQUEST", bytes), pem("PRIVATE KEY", bytes));
    for given in [bytes, certificate.as_bytes()] {
        let _ = Bundle::from_pem(given);
        let _ = Identity::from_pem(given, key.as_bytes(), AUTHORITY.bundle(), now);
    }
    let chain = [certificate, text.to_string()];
    let _ = Pending::new().unwrap().complete(&chain, AUTHORITY.bundle(), now);
    for given in [request.as_str(), &text] {
        let _ = AUTHORITY.issue(given, &cart(), Duration::from_secs(3600), now);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_make_nothing_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        parse_all(&bytes);
    }

    #[test]
    fn arbitrary_text_is_no_name_or_written_the_same(text in "(spiffe://)?\\PC{0,80}") {
        if let Ok(id) = text.parse::<SpiffeId>() {
            prop_assert_eq!(id.to_string(), text);
        }
    }

    #[test]
    fn a_damaged_certificate_makes_nothing_panic_and_is_not_believed(
        at: prop::sample::Index,
        change in 1..=u8::MAX,
        keep: prop::sample::Index,
    ) {
        let bytes = damaged(&LEAF, at, change, keep);
        parse_all(&bytes);
        let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
        let joined = Identity::from_pem(pem("CERTIFICATE", &bytes).as_bytes(), key.as_bytes(), AUTHORITY.bundle(), SystemTime::now());
        prop_assert!(matches!(joined, Err(IdentityError::NotBelieved(_))), "{joined:?}");
    }

    /// The frame around what is signed may be damaged in ways that change nothing; the key that signed is the key that counts.
    #[test]
    fn a_damaged_request_makes_nothing_panic_and_gets_no_other_key_certified(
        at: prop::sample::Index,
        change in 1..=u8::MAX,
        keep: prop::sample::Index,
    ) {
        let bytes = damaged(&REQUEST, at, change, keep);
        parse_all(&bytes);
        if let Some(leaf) = certified(&bytes) {
            prop_assert_eq!(public_key(&leaf), public_key(&LEAF));
        }
    }
}
