//! Issuing certificates. Only control does.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use aws_lc_rs::rand;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PublicKeyData, SanType, SerialNumber, SubjectPublicKeyInfo,
};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use time::OffsetDateTime;
use x509_parser::{
    certification_request::X509CertificationRequest,
    prelude::{FromDer, X509Certificate},
};

use crate::{
    bundle::{Bundle, BundleError},
    disk,
    key::Key,
    name::{SpiffeId, TrustDomain},
    verify::{self, SKEW},
};

/// No leaf lives longer.
pub const LEAF_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// A root that we make ourselves lives so long.
const ROOT_LIFE: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// A request with an allowed key is below 1 kB.
const CSR_MAX: usize = 16 * 1024;

/// `serialNumber` of a subject: see [`verify::pod_uid`].
const POD_UID: &[u64] = &[2, 5, 4, 5];

const CERTIFICATE_FILE: &str = "ca.pem";
const KEY_FILE: &str = "ca-key.pem";

/// Why there is no authority.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// A file cannot be read or written.
    #[error("{}: {error}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Others may read the key.
    #[error("{}: others may read this private key (mode {mode:03o}); `chmod 600` it, and rotate the root if they might have", path.display())]
    KeyIsOpen {
        /// Which file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// One of the two files is missing.
    #[error("{} is missing, but the other file of the pair is there; restore it, or remove both to begin with a new root", .0.display())]
    HalfThere(PathBuf),
    /// The certificate or key cannot be used.
    #[error("the CA in {} cannot be used: {why}", path.display())]
    Unusable {
        /// Which file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The bundle cannot be used.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The cryptographic library failed.
    #[error("cannot make a root: {0}")]
    Making(#[from] rcgen::Error),
}

/// Why a certificate is not issued. All but the last are the asker's fault.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// The request is larger than 16 KiB.
    #[error("the request is larger than 16 KiB")]
    TooLarge,
    /// It cannot be read, or its signature is not by its own key.
    #[error("the request cannot be used: {0}")]
    Malformed(String),
    /// Its key is of another kind than we certify.
    #[error("the request's key is not ECDSA P-256, ECDSA P-384 or Ed25519")]
    KeyKind,
    /// Signing failed.
    #[error("signing failed: {0}")]
    Signing(String),
}

/// A certificate that was issued.
#[derive(Clone, Debug)]
pub struct Issued {
    /// PEM: the leaf first, the root last.
    pub chain_pem: Vec<String>,
    /// Serial number, in hexadecimal.
    pub serial: String,
    /// End of its life.
    pub not_after: SystemTime,
}

/// A certificate authority of the mesh.
pub struct Authority {
    issuer: Issuer<'static, Key>,
    /// The issuing certificate first, its root last; one certificate when it is a root itself.
    chain_pem: Vec<String>,
    not_after: SystemTime,
    bundle: Bundle,
}

impl Authority {
    /// The authority kept in `folder`, made there when the folder holds none: `ca.pem` and `ca-key.pem` (mode 0600).
    ///
    /// # Errors
    /// The files cannot be read or written, are open to others, or cannot be used.
    pub fn open_or_create(folder: &Path, trust_domain: &TrustDomain, now: SystemTime) -> Result<Self, AuthorityError> {
        let (certificate, key) = (folder.join(CERTIFICATE_FILE), folder.join(KEY_FILE));
        match (disk::exists(&certificate)?, disk::exists(&key)?) {
            (true, true) => {}
            (true, false) => return Err(AuthorityError::HalfThere(key)),
            (false, true) => return Err(AuthorityError::HalfThere(certificate)),
            (false, false) => create(folder, trust_domain, now)?,
        }
        Self::from_files(&certificate, &key)
    }

    /// The authority in two files: a certificate (with the chain up to its root, if it is not a root itself) and its key.
    ///
    /// # Errors
    /// The files cannot be read, the key is open to others, the certificate may not sign others, or they do not belong together.
    pub fn from_files(certificate: &Path, key: &Path) -> Result<Self, AuthorityError> {
        let (chain, key_pem) = (disk::read(certificate)?, disk::read_private(key)?);
        Self::from_pem(&chain, &key_pem).map_err(|why| AuthorityError::Unusable { path: certificate.to_owned(), why })
    }

    /// The authority of a certificate (with the chain up to its root, if it is not a root itself) and its key, in PEM form.
    ///
    /// # Errors
    /// Why they cannot be used: as [`from_files`](Self::from_files).
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, String> {
        let unusable = |error: &dyn fmt::Display| error.to_string();
        let certificates: Vec<CertificateDer<'static>> =
            CertificateDer::pem_slice_iter(chain).collect::<Result<_, _>>().map_err(|error| unusable(&error))?;
        let (first, last) = certificates.first().zip(certificates.last()).ok_or("no certificate in it")?;
        let key = Key::from_pem(key).map_err(|why| format!("the private key: {why}"))?;
        let (_, parsed) = X509Certificate::from_der(first).map_err(|error| unusable(&error))?;
        if parsed.public_key().raw != key.subject_public_key_info() {
            return Err(String::from("the private key does not belong to the certificate"));
        }
        may_sign(&parsed)?;
        let seconds = u64::try_from(parsed.validity().not_after.timestamp()).unwrap_or(0);
        let bundle = Bundle::from_pem(verify::pem(last).as_bytes()).map_err(|error| unusable(&error))?;
        let chain_pem = certificates.iter().map(verify::pem).collect();
        let issuer = Issuer::from_ca_cert_der(first, key).map_err(|error| unusable(&error))?;
        Ok(Self { issuer, chain_pem, not_after: SystemTime::UNIX_EPOCH + Duration::from_secs(seconds), bundle })
    }

    /// The root that members must trust to believe what is issued here.
    pub fn bundle(&self) -> &Bundle {
        &self.bundle
    }

    /// Issues a certificate for `id` to whoever holds the key of the request `csr_pem`. Of the request, nothing but its
    /// public key is used. The life is `lifetime`, at most [`LEAF_MAX`] and no longer than the authority's own; it begins
    /// [`SKEW`] before `now`.
    ///
    /// # Errors
    /// The request cannot be used, or the authority's own life is over ([`IssueError::Signing`]).
    pub fn issue(&self, csr_pem: &str, id: &SpiffeId, lifetime: Duration, now: SystemTime) -> Result<Issued, IssueError> {
        self.sign(csr_pem, leaf(id)?, lifetime, now)
    }

    /// The same for the one pod with `uid`, which the certificate names beside its identity: see [`verify::pod_uid`].
    ///
    /// # Errors
    /// Those of [`issue`](Self::issue).
    pub fn issue_to_pod(
        &self,
        csr_pem: &str,
        id: &SpiffeId,
        uid: &str,
        lifetime: Duration,
        now: SystemTime,
    ) -> Result<Issued, IssueError> {
        let mut leaf = leaf(id)?;
        leaf.distinguished_name.push(DnType::CustomDnType(POD_UID.to_vec()), uid);
        self.sign(csr_pem, leaf, lifetime, now)
    }

    /// The same for a server that is known by DNS names, to those who know no SPIFFE ID.
    ///
    /// # Errors
    /// Those of [`issue`](Self::issue), and names that are none.
    pub fn issue_to_server(
        &self,
        csr_pem: &str,
        names: &[String],
        lifetime: Duration,
        now: SystemTime,
    ) -> Result<Issued, IssueError> {
        let name = |name: &String| name.clone().try_into().map(SanType::DnsName);
        let names = names.iter().map(name).collect::<Result<_, rcgen::Error>>();
        let mut leaf = nobody();
        leaf.subject_alt_names = names.map_err(|error| IssueError::Signing(error.to_string()))?;
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(csr_pem, leaf, lifetime, now)
    }

    fn sign(
        &self,
        csr_pem: &str,
        mut params: CertificateParams,
        lifetime: Duration,
        now: SystemTime,
    ) -> Result<Issued, IssueError> {
        let key = requested_key(csr_pem)?;
        if self.not_after <= now {
            let (ended, now) = (seconds(self.not_after), seconds(now));
            return Err(IssueError::Signing(format!("the authority ended at {ended} (Unix time) and our clock says {now}")));
        }
        let not_after = whole_seconds((now + lifetime.min(LEAF_MAX)).min(self.not_after));
        let serial = random_serial()?;
        params.not_before = OffsetDateTime::from(now - SKEW);
        params.not_after = OffsetDateTime::from(not_after);
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        let certificate = params.signed_by(&key, &self.issuer).map_err(|error| IssueError::Signing(error.to_string()))?;
        let mut chain_pem = vec![certificate.pem()];
        chain_pem.extend(self.chain_pem.iter().cloned());
        Ok(Issued { chain_pem, serial: serial.iter().map(|byte| format!("{byte:02x}")).collect(), not_after })
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("not_after", &self.not_after).finish_non_exhaustive()
    }
}

/// The public key of a request whose sender holds the private one. rcgen would read requests too, but tells a key's kind by
/// the request's signature, copies what the asker would like to be, and gives up at extensions it does not know.
fn requested_key(csr_pem: &str) -> Result<SubjectPublicKeyInfo, IssueError> {
    let malformed = |error: &dyn fmt::Display| IssueError::Malformed(error.to_string());
    if csr_pem.len() > CSR_MAX {
        return Err(IssueError::TooLarge);
    }
    let der = pem::parse(csr_pem).map_err(|error| malformed(&error))?;
    let (rest, request) = X509CertificationRequest::from_der(der.contents()).map_err(|error| malformed(&error))?;
    if !rest.is_empty() {
        return Err(malformed(&"something follows it"));
    }
    let key = SubjectPublicKeyInfo::from_der(request.certification_request_info.subject_pki.raw);
    let key = key.map_err(|_| IssueError::KeyKind)?;
    if ![&PKCS_ECDSA_P256_SHA256, &PKCS_ECDSA_P384_SHA384, &PKCS_ED25519].contains(&key.algorithm()) {
        return Err(IssueError::KeyKind);
    }
    request.verify_signature().map_err(|error| malformed(&error))?;
    Ok(key)
}

/// Checks that a certificate may issue others: one that may not would issue what nobody believes.
fn may_sign(certificate: &X509Certificate<'_>) -> Result<(), String> {
    if !certificate.is_ca() {
        return Err(String::from("it is not a CA certificate"));
    }
    match certificate.key_usage().map_err(|error| error.to_string())? {
        Some(usage) if !usage.value.key_cert_sign() => Err(String::from("its key usage says that it may not sign certificates")),
        _ => Ok(()),
    }
}

/// An X.509-SVID.
fn leaf(id: &SpiffeId) -> Result<CertificateParams, IssueError> {
    let name = id.to_string().try_into().map_err(|error: rcgen::Error| IssueError::Signing(error.to_string()))?;
    let mut params = nobody();
    params.subject_alt_names = vec![SanType::URI(name)];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    Ok(params)
}

/// A certificate that names nobody yet. Everything but its life is set here and by its callers: rcgen's defaults live until
/// the year 4096.
fn nobody() -> CertificateParams {
    let mut params = CertificateParams::default();
    // An empty subject makes the name extension critical, as X.509-SVID asks (section 4.1).
    params.distinguished_name = DistinguishedName::new();
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    params
}

/// 16 random bytes, the first of them such that the number is positive and keeps its length.
fn random_serial() -> Result<[u8; 16], IssueError> {
    let mut serial = [0; 16];
    rand::fill(&mut serial).map_err(|_| IssueError::Signing(String::from("no random numbers")))?;
    serial[0] = serial[0] & 0x7f | 0x40;
    Ok(serial)
}

/// A new root, for somebody to keep: it must be read back before anything is issued with it.
#[derive(Debug)]
pub struct NewRoot {
    /// Its certificate, in PEM form.
    pub certificate: String,
    /// Its private key, in PEM form; wiped when this is dropped.
    pub key: zeroize::Zeroizing<String>,
}

impl NewRoot {
    /// Makes one, valid for ten years from `now`.
    ///
    /// # Errors
    /// The cryptographic library failed.
    pub fn make(trust_domain: &TrustDomain, now: SystemTime) -> Result<Self, AuthorityError> {
        let key = Key::generate()?;
        let certificate = root(&key, trust_domain, now).self_signed(&key)?.pem();
        Ok(Self { certificate, key: key.to_pem() })
    }
}

fn create(folder: &Path, trust_domain: &TrustDomain, now: SystemTime) -> Result<(), AuthorityError> {
    let NewRoot { certificate, key } = NewRoot::make(trust_domain, now)?;
    disk::make_folder(folder)?;
    // The key first: a certificate without its key would be trusted for nothing.
    disk::write(&folder.join(KEY_FILE), key.as_bytes(), 0o600)?;
    disk::write(&folder.join(CERTIFICATE_FILE), certificate.as_bytes(), 0o644)
}

fn root(key: &Key, trust_domain: &TrustDomain, now: SystemTime) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.not_before = OffsetDateTime::from(now - SKEW);
    params.not_after = OffsetDateTime::from(now + ROOT_LIFE);
    params.distinguished_name = DistinguishedName::new();
    // Roots are told apart by name when a chain is built: two of the same name would make a foreign root look like a forgery.
    let number = key.der_bytes().iter().rev().take(4).map(|byte| format!("{byte:02x}")).collect::<String>();
    params.distinguished_name.push(DnType::CommonName, format!("Weft root {number} of {trust_domain}"));
    // Name constraints would be in their place here, but verifiers refuse every chain with one on URIs.
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// `time` as certificates tell it.
fn whole_seconds(time: SystemTime) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds(time))
}

/// `time` in Unix seconds, 0 before that.
fn seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
