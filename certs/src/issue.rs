//! Issuing certificates. Only control does.

use std::{
    fmt,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use aws_lc_rs::rand;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PublicKeyData, SanType,
    SerialNumber,
};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::{
    bundle::{Bundle, BundleError},
    name::{SpiffeId, TrustDomain},
    verify::{self, SKEW},
};

/// No leaf lives longer.
pub const LEAF_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// A root that we make ourselves lives so long.
const ROOT_LIFE: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// A request with an allowed key is below 1 kB.
const CSR_MAX: usize = 16 * 1024;

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
    issuer: Issuer<'static, KeyPair>,
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
        match (certificate.exists(), key.exists()) {
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
    /// The files cannot be read, the key is open to others, or they cannot be used.
    pub fn from_files(certificate: &Path, key: &Path) -> Result<Self, AuthorityError> {
        let chain = read(certificate)?;
        let key_pem = read_private(key)?;
        let unusable = |why: String| AuthorityError::Unusable { path: certificate.to_owned(), why };
        let certificates: Vec<CertificateDer<'static>> =
            CertificateDer::pem_slice_iter(&chain).collect::<Result<_, _>>().map_err(|error| unusable(error.to_string()))?;
        let (first, last) =
            certificates.first().zip(certificates.last()).ok_or_else(|| unusable("no certificate in it".into()))?;
        let key = std::str::from_utf8(&key_pem)
            .map_err(|error| error.to_string())
            .and_then(|pem| KeyPair::from_pem(pem).map_err(|error| error.to_string()))
            .map_err(|why| AuthorityError::Unusable { path: key.to_owned(), why })?;
        let (_, parsed) = X509Certificate::from_der(first).map_err(|error| unusable(error.to_string()))?;
        if parsed.public_key().raw != key.subject_public_key_info() {
            return Err(unusable(String::from("the private key does not belong to the certificate")));
        }
        let seconds = u64::try_from(parsed.validity().not_after.timestamp()).unwrap_or(0);
        let bundle = Bundle::from_pem(verify::pem(last).as_bytes())?;
        let chain_pem = certificates.iter().map(verify::pem).collect();
        let issuer = Issuer::from_ca_cert_der(first, key).map_err(|error| unusable(error.to_string()))?;
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
    /// The request cannot be used.
    pub fn issue(&self, csr_pem: &str, id: &SpiffeId, lifetime: Duration, now: SystemTime) -> Result<Issued, IssueError> {
        let request = read_request(csr_pem)?;
        let not_after = (now + lifetime.min(LEAF_MAX)).min(self.not_after);
        let serial = random_serial()?;
        let mut params = leaf(id, now - SKEW, not_after)?;
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        let certificate =
            params.signed_by(&request.public_key, &self.issuer).map_err(|error| IssueError::Signing(error.to_string()))?;
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

fn read_request(csr_pem: &str) -> Result<CertificateSigningRequestParams, IssueError> {
    if csr_pem.len() > CSR_MAX {
        return Err(IssueError::TooLarge);
    }
    // Checks the request's signature too: the asker holds the key.
    let request = CertificateSigningRequestParams::from_pem(csr_pem).map_err(|error| IssueError::Malformed(error.to_string()))?;
    let kind = request.public_key.algorithm();
    let allowed = [&PKCS_ECDSA_P256_SHA256, &PKCS_ECDSA_P384_SHA384, &PKCS_ED25519];
    if allowed.contains(&kind) { Ok(request) } else { Err(IssueError::KeyKind) }
}

/// An X.509-SVID: everything is set here, since rcgen's defaults live until the year 4096.
fn leaf(id: &SpiffeId, not_before: SystemTime, not_after: SystemTime) -> Result<CertificateParams, IssueError> {
    let name = id.to_string().try_into().map_err(|error: rcgen::Error| IssueError::Signing(error.to_string()))?;
    let mut params = CertificateParams::default();
    params.not_before = OffsetDateTime::from(not_before);
    params.not_after = OffsetDateTime::from(not_after);
    // An empty subject makes the name extension critical, as X.509-SVID asks (section 4.1).
    params.distinguished_name = DistinguishedName::new();
    params.subject_alt_names = vec![SanType::URI(name)];
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

/// 16 random bytes, the first of them such that the number is positive and keeps its length.
fn random_serial() -> Result<[u8; 16], IssueError> {
    let mut serial = [0; 16];
    rand::fill(&mut serial).map_err(|_| IssueError::Signing(String::from("no random numbers")))?;
    serial[0] = serial[0] & 0x7f | 0x40;
    Ok(serial)
}

fn create(folder: &Path, trust_domain: &TrustDomain, now: SystemTime) -> Result<(), AuthorityError> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut params = CertificateParams::default();
    params.not_before = OffsetDateTime::from(now - SKEW);
    params.not_after = OffsetDateTime::from(now + ROOT_LIFE);
    params.distinguished_name = DistinguishedName::new();
    // Roots are told apart by name when a chain is built: two of the same name would make a foreign root look like a forgery.
    let number = key.public_key_raw().iter().rev().take(4).map(|byte| format!("{byte:02x}")).collect::<String>();
    params.distinguished_name.push(DnType::CommonName, format!("Weft root {number} of {trust_domain}"));
    // Name constraints would be in their place here, but verifiers refuse every chain with one on URIs.
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let certificate = params.self_signed(&key)?;
    fs::create_dir_all(folder).map_err(|error| AuthorityError::File { path: folder.to_owned(), error })?;
    // The key first: a certificate without its key would be trusted for nothing.
    write(&folder.join(KEY_FILE), key.serialize_pem().as_bytes(), 0o600)?;
    write(&folder.join(CERTIFICATE_FILE), certificate.pem().as_bytes(), 0o644)
}

/// Writes a file that is either there in whole or not at all.
fn write(path: &Path, contents: &[u8], mode: u32) -> Result<(), AuthorityError> {
    let written = || -> io::Result<()> {
        let half = path.with_extension("new");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&half)?;
        file.write_all(contents)?;
        file.sync_all()?;
        fs::rename(&half, path)?;
        File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
    };
    written().map_err(|error| AuthorityError::File { path: path.to_owned(), error })
}

fn read(path: &Path) -> Result<Vec<u8>, AuthorityError> {
    fs::read(path).map_err(|error| AuthorityError::File { path: path.to_owned(), error })
}

fn read_private(path: &Path) -> Result<Vec<u8>, AuthorityError> {
    let metadata = fs::metadata(path).map_err(|error| AuthorityError::File { path: path.to_owned(), error })?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(AuthorityError::KeyIsOpen { path: path.to_owned(), mode });
    }
    read(path)
}
