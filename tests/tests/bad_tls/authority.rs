//! A root that signs whatever it is told to.

use std::{fs, ops::Range, path::Path};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, SanType};
use time::{Duration, OffsetDateTime};

/// A life in hours from now: begun, and not over.
pub(crate) const ALIVE: Range<i64> = -1..1;

pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("a root"))
    }

    /// The root itself, in PEM form.
    pub(crate) fn bundle(&self) -> String {
        self.0.pem()
    }

    /// Writes `NAME.pem` and `NAME-key.pem`: a certificate with the URIs `names`.
    pub(crate) fn write(&self, folder: &Path, name: &str, names: &[&str], life: Range<i64>) {
        self.sign(folder, name, names, life, IsCa::NoCa);
    }

    /// The same, of one who says he may sign others.
    pub(crate) fn write_signer(&self, folder: &Path, name: &str, names: &[&str]) {
        self.sign(folder, name, names, ALIVE, IsCa::Ca(BasicConstraints::Unconstrained));
    }

    fn sign(&self, folder: &Path, name: &str, names: &[&str], life: Range<i64>, is_ca: IsCa) {
        let mut params = CertificateParams::default();
        params.subject_alt_names = names.iter().map(|name| SanType::URI((*name).try_into().expect("a URI"))).collect();
        params.not_before = OffsetDateTime::now_utc() + Duration::hours(life.start);
        params.not_after = OffsetDateTime::now_utc() + Duration::hours(life.end);
        params.is_ca = is_ca;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        fs::write(folder.join(format!("{name}.pem")), certificate.pem()).expect("a file");
        fs::write(folder.join(format!("{name}-key.pem")), key.serialize_pem()).expect("a file");
    }
}
