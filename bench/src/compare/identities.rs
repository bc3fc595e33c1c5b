//! One authority for all contestants, and certificates of the kind Weft issues: ECDSA P-256, named by SPIFFE.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};

use crate::clock;

/// Long enough for every run, short enough to be worth nothing afterwards.
const LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// Clocks differ.
const SKEW: Duration = Duration::from_secs(60 * 60);

/// Namespace of everything in the run, as Kubernetes and SPIFFE have it.
pub(crate) const NAMESPACE: &str = "bench";

/// Files of a certificate, all PEM.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    /// Both, as HAProxy wants them.
    pub(crate) both: PathBuf,
}

/// The authority, and who it has named.
#[derive(Debug)]
pub(crate) struct Identities {
    pub(crate) root: PathBuf,
    /// Readable by us alone, as weft-control wants it.
    pub(crate) root_key: PathBuf,
    pub(crate) client: Identity,
    pub(crate) server: Identity,
}

/// The SPIFFE ID of a service account.
pub(crate) fn spiffe(account: &str) -> String {
    format!("spiffe://cluster.local/ns/{NAMESPACE}/sa/{account}")
}

/// The DNS name of a service account's certificate, for those who verify no other.
pub(crate) fn dns_name(account: &str) -> String {
    format!("{account}.{NAMESPACE}.example")
}

impl Identities {
    /// Makes them, in `folder`.
    ///
    /// # Errors
    /// Files cannot be written.
    pub(crate) fn create(folder: &Path) -> anyhow::Result<Self> {
        let mut params = CertificateParams::default();
        live(&mut params);
        params.distinguished_name.push(DnType::CommonName, "Root of a benchmark");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate()?;
        let root = write(&folder.join("root.pem"), &params.self_signed(&key)?.pem())?;
        let root_key = write(&folder.join("root-key.pem"), &key.serialize_pem())?;
        let issuer = Issuer::new(params, key);
        let issue = |account| issue(account, &issuer, folder);
        Ok(Self { root, root_key, client: issue("client")?, server: issue("server")? })
    }
}

fn issue(account: &str, issuer: &Issuer<'_, KeyPair>, folder: &Path) -> anyhow::Result<Identity> {
    let mut params = CertificateParams::default();
    live(&mut params);
    params.subject_alt_names = vec![SanType::URI(spiffe(account).try_into()?), SanType::DnsName(dns_name(account).try_into()?)];
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, issuer)?.pem();
    let key = key.serialize_pem();
    let file = |ending: &str| folder.join(format!("{account}{ending}.pem"));
    Ok(Identity {
        both: write(&file("-both"), &format!("{certificate}{key}"))?,
        certificate: write(&file(""), &certificate)?,
        key: write(&file("-key"), &key)?,
    })
}

/// rcgen's defaults live until the year 4096 and have a name.
fn live(params: &mut CertificateParams) {
    let now = clock::wall();
    params.not_before = (now - SKEW).into();
    params.not_after = (now + LIFE).into();
    params.distinguished_name = DistinguishedName::new();
}

fn write(file: &Path, text: &str) -> std::io::Result<PathBuf> {
    fs::write(file, text)?;
    fs::set_permissions(file, fs::Permissions::from_mode(0o600))?;
    Ok(file.to_owned())
}
