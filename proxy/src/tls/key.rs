//! What protects one direction of a connection (RFC 8446, sections 5.2 and 5.3).

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use rustls::ConnectionTrafficSecrets;

use super::record::{Alert, HEAD, Record, TAG};

/// A key, and how often it was used.
pub(super) struct Key {
    aead: LessSafeKey,
    iv: [u8; 12],
    /// The number of the next record.
    sequence: u64,
}

impl Key {
    /// Of secrets, from which `sequence` records were made already.
    pub(super) fn new((sequence, secrets): (u64, ConnectionTrafficSecrets)) -> Result<Self, Alert> {
        let (algorithm, key, iv) = match &secrets {
            ConnectionTrafficSecrets::Aes128Gcm { key, iv } => (&AES_128_GCM, key, iv),
            ConnectionTrafficSecrets::Aes256Gcm { key, iv } => (&AES_256_GCM, key, iv),
            ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => (&CHACHA20_POLY1305, key, iv),
            _ => return Err(Alert::InternalError),
        };
        // ChaCha20's algorithm takes all 32 bytes, AES-128 the first 16.
        let key = key.as_ref().get(..algorithm.key_len()).ok_or(Alert::InternalError)?;
        let aead = LessSafeKey::new(UnboundKey::new(algorithm, key).map_err(|_| Alert::InternalError)?);
        let iv = iv.as_ref().try_into().map_err(|_| Alert::InternalError)?;
        Ok(Self { aead, iv, sequence })
    }

    /// How many records it has protected.
    pub(super) fn used(&self) -> u64 {
        self.sequence
    }

    /// Encrypts `data` to `sealed`, which has its length, and what comes after it, with the tag, to `rest`.
    pub(super) fn seal(
        &mut self,
        head: [u8; HEAD],
        data: &[u8],
        sealed: &mut [u8],
        after: u8,
        rest: &mut [u8],
    ) -> Result<(), Alert> {
        let nonce = self.next()?;
        let sealed = self.aead.seal_out_of_place_scatter(nonce, Aad::from(head), data, sealed, &[after], rest);
        sealed.map_err(|_| Alert::InternalError)
    }

    /// Decrypts a record, which ends with its tag, to `opened`, which is as much shorter.
    pub(super) fn open(&mut self, record: Record<'_>, opened: &mut [u8]) -> Result<(), Alert> {
        let nonce = self.next()?;
        let Record { head, sealed } = record;
        let (data, tag) = sealed.split_at_checked(sealed.len().saturating_sub(TAG)).ok_or(Alert::BadRecordMac)?;
        self.aead.open_separate_gather(nonce, Aad::from(head), data, tag, opened).map_err(|_| Alert::BadRecordMac)
    }

    fn next(&mut self) -> Result<Nonce, Alert> {
        let mut nonce = self.iv;
        for (byte, of) in nonce.iter_mut().skip(4).zip(self.sequence.to_be_bytes()) {
            *byte ^= of;
        }
        self.sequence = self.sequence.checked_add(1).ok_or(Alert::InternalError)?;
        Ok(Nonce::assume_unique_for_key(nonce))
    }
}
