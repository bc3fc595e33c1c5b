//! Chains that were found good.
//!
//! The same certificates chain to the same roots for as long as all of them are valid. Whoever comes again has its chain looked
//! up instead of checked: half of what a peer's certificate costs. That it holds the key is proved in every handshake.

use std::{
    collections::HashMap,
    ops::RangeInclusive,
    sync::{Mutex, MutexGuard, PoisonError},
};

use aws_lc_rs::digest::{Context, SHA256};
use rustls_pki_types::{CertificateDer, UnixTime};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::name::SpiffeId;

/// Chains remembered. Past that they are all forgotten and checked anew. One takes about 250 bytes.
const CHAINS_MAX: usize = 1024;

/// What a certificate was checked for: one that may be a client need not be fit for a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Usage {
    Client,
    Server,
}

/// Chains that were found good against one bundle.
#[derive(Debug, Default)]
pub(crate) struct Known(Mutex<HashMap<Digest, Good>>);

type Digest = [u8; 32];

/// A good chain.
#[derive(Debug)]
struct Good {
    id: SpiffeId,
    /// When all of its certificates are valid, in Unix seconds.
    valid: RangeInclusive<u64>,
}

impl Known {
    /// Whom `chain`, whose first certificate is the peer's own, proves at `now`. `check` is asked when that is not known.
    ///
    /// # Errors
    /// Those of `check`.
    pub(crate) fn who<E>(
        &self,
        usage: Usage,
        chain: &[&CertificateDer<'_>],
        now: UnixTime,
        check: impl FnOnce() -> Result<SpiffeId, E>,
    ) -> Result<SpiffeId, E> {
        let digest = digest(usage, chain);
        if let Some(id) = self.find(&digest, now) {
            return Ok(id);
        }
        let id = check()?;
        if let Some(valid) = validity(chain) {
            let mut chains = self.chains();
            if chains.len() >= CHAINS_MAX {
                chains.clear();
            }
            chains.insert(digest, Good { id: id.clone(), valid });
        }
        Ok(id)
    }

    /// Whom a good chain proves; `None` when it is not known.
    pub(crate) fn remembered(&self, usage: Usage, chain: &[&CertificateDer<'_>], now: UnixTime) -> Option<SpiffeId> {
        self.find(&digest(usage, chain), now)
    }

    fn find(&self, digest: &Digest, now: UnixTime) -> Option<SpiffeId> {
        self.chains().get(digest).filter(|good| good.valid.contains(&now.as_secs())).map(|good| good.id.clone())
    }

    fn chains(&self) -> MutexGuard<'_, HashMap<Digest, Good>> {
        // What is inside stays whole whatever panics around it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn digest(usage: Usage, chain: &[&CertificateDer<'_>]) -> Digest {
    let mut context = Context::new(&SHA256);
    context.update(&[usage as u8]);
    for certificate in chain {
        // Where one ends and the next begins is part of what it is.
        context.update(&certificate.len().to_be_bytes());
        context.update(certificate);
    }
    let mut digest = Digest::default();
    digest.copy_from_slice(context.finish().as_ref());
    digest
}

/// When all of `chain` are valid. Not all of them need be used; then it is forgotten sooner than it must be.
fn validity(chain: &[&CertificateDer<'_>]) -> Option<RangeInclusive<u64>> {
    let (mut begin, mut end) = (0, u64::MAX);
    for certificate in chain {
        let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
        let seconds = |time: x509_parser::time::ASN1Time| u64::try_from(time.timestamp()).ok();
        begin = begin.max(seconds(parsed.validity().not_before)?);
        end = end.min(seconds(parsed.validity().not_after)?);
    }
    Some(begin..=end)
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, time::Duration};

    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    const DAY: u64 = 24 * 3600;

    /// 2030-01-01.
    const BEGIN: u64 = 1_893_456_000;

    /// Valid from the 1st of January 2030 to the 3rd.
    fn certificate() -> CertificateDer<'static> {
        let mut params = CertificateParams::default();
        (params.not_before, params.not_after) = (date_time_ymd(2030, 1, 1), date_time_ymd(2030, 1, 3));
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    /// Asks `known`, and tells whether it had to check.
    fn checked(known: &Known, usage: Usage, chain: &[&CertificateDer<'_>], now: u64) -> bool {
        let asked = Cell::new(false);
        let check = || {
            asked.set(true);
            Ok::<_, ()>(id())
        };
        let who = known.who(usage, chain, UnixTime::since_unix_epoch(Duration::from_secs(now)), check);
        assert_eq!(who, Ok(id()));
        asked.get()
    }

    #[test]
    fn a_chain_is_checked_once_while_it_is_valid() {
        let (known, leaf) = (Known::default(), certificate());
        assert!(checked(&known, Usage::Client, &[&leaf], BEGIN + DAY));
        assert!(!checked(&known, Usage::Client, &[&leaf], BEGIN + DAY));
        assert!(checked(&known, Usage::Client, &[&leaf], BEGIN + 3 * DAY), "its time is over");
        assert!(checked(&known, Usage::Client, &[&leaf], BEGIN - 1), "the clock was set back");
    }

    #[test]
    fn another_use_and_another_chain_are_checked_anew() {
        let (known, leaf, other) = (Known::default(), certificate(), certificate());
        assert!(checked(&known, Usage::Client, &[&leaf], BEGIN));
        assert!(checked(&known, Usage::Server, &[&leaf], BEGIN));
        assert!(checked(&known, Usage::Client, &[&other], BEGIN));
        assert!(checked(&known, Usage::Client, &[&leaf, &other], BEGIN));
    }

    #[test]
    fn what_was_refused_is_not_remembered() {
        let (known, leaf) = (Known::default(), certificate());
        let now = UnixTime::since_unix_epoch(Duration::from_secs(BEGIN));
        assert_eq!(known.who(Usage::Client, &[&leaf], now, || Err("no")), Err("no"));
        assert!(checked(&known, Usage::Client, &[&leaf], BEGIN));
    }

    #[test]
    fn no_more_is_remembered_than_there_is_room_for() {
        let (known, leaf) = (Known::default(), certificate());
        for length in 0..CHAINS_MAX + 10 {
            let bytes = CertificateDer::from(vec![0; length]);
            known.chains().insert(digest(Usage::Client, &[&bytes]), Good { id: id(), valid: 0..=1 });
        }
        assert!(checked(&known, Usage::Client, &[&leaf], BEGIN));
        assert_eq!(known.chains().len(), 1);
    }

    fn id() -> SpiffeId {
        "spiffe://cluster.local/ns/shop/sa/cart".parse().unwrap()
    }
}
