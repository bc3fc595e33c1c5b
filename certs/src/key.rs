//! A private key that is wiped when it is dropped, which rcgen leaves to us.

use std::fmt;

use rcgen::{Error, KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData, SignatureAlgorithm, SigningKey};
use zeroize::Zeroize;

/// A private key. Nothing prints it.
pub(crate) struct Key(KeyPair);

impl Key {
    /// A new one, ECDSA P-256.
    pub(crate) fn generate() -> Result<Self, Error> {
        KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map(Self)
    }

    /// PKCS#8 form.
    pub(crate) fn der(&self) -> &[u8] {
        self.0.serialized_der()
    }
}

#[cfg(feature = "authority")]
impl Key {
    /// Reads the PEM form.
    pub(crate) fn from_pem(pem: &[u8]) -> Result<Self, String> {
        let pem = std::str::from_utf8(pem).map_err(|error| error.to_string())?;
        KeyPair::from_pem(pem).map(Self).map_err(|error| error.to_string())
    }

    /// PEM form, wiped when it is dropped.
    pub(crate) fn to_pem(&self) -> zeroize::Zeroizing<String> {
        zeroize::Zeroizing::new(self.0.serialize_pem())
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl PublicKeyData for Key {
    fn der_bytes(&self) -> &[u8] {
        self.0.der_bytes()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.0.algorithm()
    }
}

impl SigningKey for Key {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        self.0.sign(message)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key")
    }
}
