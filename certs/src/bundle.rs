//! The roots a mesh trusts.

use rustls::RootCertStore;
use rustls_pki_types::{CertificateDer, pem::PemObject};
use x509_parser::prelude::{FromDer, X509Certificate};

/// A bundle larger than this is no bundle of ours.
const PEM_MAX: usize = 1 << 20;

/// Why a bundle cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// There is no certificate in it.
    #[error("it holds no certificate in PEM form")]
    Empty,
    /// It is larger than 1 MiB.
    #[error("it is larger than 1 MiB")]
    TooLarge,
    /// A certificate in it cannot be read.
    #[error("its certificate number {position} cannot be used: {why}")]
    Certificate {
        /// Counted from 1.
        position: usize,
        /// What is wrong with it.
        why: String,
    },
}

/// One or more roots. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    roots: Vec<CertificateDer<'static>>,
}

impl Bundle {
    /// Reads roots in PEM form; what stands between them is ignored, and a root named twice counts once.
    ///
    /// # Errors
    /// Nothing usable is in it, or something unusable is.
    pub fn from_pem(pem: &[u8]) -> Result<Self, BundleError> {
        if pem.len() > PEM_MAX {
            return Err(BundleError::TooLarge);
        }
        let mut roots: Vec<CertificateDer<'static>> = Vec::new();
        for (index, root) in CertificateDer::pem_slice_iter(pem).enumerate() {
            let wrong = |why: String| BundleError::Certificate { position: index + 1, why };
            let root = root.map_err(|error| wrong(error.to_string()))?;
            let (_, parsed) = X509Certificate::from_der(&root).map_err(|error| wrong(error.to_string()))?;
            if !parsed.is_ca() {
                return Err(wrong(String::from("it is not a CA certificate")));
            }
            if !roots.contains(&root) {
                roots.push(root);
            }
        }
        if roots.is_empty() { Err(BundleError::Empty) } else { Ok(Self { roots }) }
    }

    /// The same roots in PEM form.
    pub fn to_pem(&self) -> String {
        self.roots.iter().map(|root| crate::verify::pem(root)).collect()
    }

    /// Whether `certificate` is one of the roots.
    pub fn contains(&self, certificate: &CertificateDer<'_>) -> bool {
        self.roots.iter().any(|root| root.as_ref() == certificate.as_ref())
    }

    /// These roots and those of `other`: what members trust while a root is replaced.
    #[must_use]
    pub fn merge(mut self, other: &Self) -> Self {
        for root in &other.roots {
            if !self.contains(root) {
                self.roots.push(root.clone());
            }
        }
        self
    }

    pub(crate) fn store(&self) -> RootCertStore {
        let mut store = RootCertStore::empty();
        // Those that webpki cannot use (an exotic key, say) simply prove nothing.
        store.add_parsable_certificates(self.roots.iter().cloned());
        store
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_empty_bundle_is_refused() {
        assert!(matches!(Bundle::from_pem(b"no pem here"), Err(BundleError::Empty)));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Bundle::from_pem(&bytes);
            let pem = format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", "MIIB".repeat(bytes.len()));
            let _ = Bundle::from_pem(pem.as_bytes());
        }
    }
}
