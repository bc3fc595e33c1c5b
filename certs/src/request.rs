//! Asking for a certificate. The key is made here and never shown.

use std::{fmt, sync::Arc, time::SystemTime};

use rcgen::{CertificateParams, DistinguishedName};
use rustls::ServerConfig;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::{
    bundle::Bundle,
    key::Key,
    store::{Identity, IdentityError, named_server, read_chain},
};

/// The key or the request could not be made; the cryptographic library says why.
#[derive(Debug, thiserror::Error)]
#[error("cannot make a key and its certificate request: {0}")]
pub struct RequestError(#[from] rcgen::Error);

/// A key whose certificate has been asked for and has not come yet.
pub struct Pending {
    key: Key,
    csr: String,
}

impl Pending {
    /// Makes an ECDSA P-256 key and a request for it. The request names nobody: who we are is for the issuer to find out.
    ///
    /// # Errors
    /// The cryptographic library failed.
    pub fn new() -> Result<Self, RequestError> {
        let key = Key::generate()?;
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        let csr = params.serialize_request(&key)?.pem()?;
        Ok(Self { key, csr })
    }

    /// The request, in PEM form.
    pub fn csr_pem(&self) -> &str {
        &self.csr
    }

    /// Joins the key with the chain that was issued for it, leaf first, and checks the whole at `now`.
    ///
    /// # Errors
    /// What was issued is not for this key, or would not be believed by those who trust `bundle`.
    pub fn complete(self, chain_pem: &[String], bundle: &Bundle, now: SystemTime) -> Result<Identity, IdentityError> {
        let chain = read_chain(chain_pem.join("\n").as_bytes())?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.der()));
        Identity::assemble(chain, &key, bundle, now)
    }

    /// Joins the key with a chain that was issued for a server with DNS names. Its clients show no certificate.
    ///
    /// # Errors
    /// What was issued is not for this key.
    pub fn complete_server(self, chain_pem: &[String]) -> Result<Arc<ServerConfig>, IdentityError> {
        let chain = read_chain(chain_pem.join("\n").as_bytes())?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.der()));
        named_server(chain, &key)
    }
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").finish_non_exhaustive()
    }
}
