//! Tokens that buy a first certificate. Each is good once, and only from an address of its pod.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use aws_lc_rs::digest::{SHA256, digest};

use crate::{index::Pod, state::State};

/// Remembered tokens of pods that are gone are forgotten when there are so many more tokens than pods.
const SLACK: usize = 1024;

/// Which tokens were shown.
#[derive(Debug, Default)]
pub(crate) struct Tokens(Mutex<BTreeMap<String, String>>);

/// What a token is worth.
#[derive(Debug)]
pub(super) enum Worth {
    /// It is this pod's, and was not shown before, or only with the very same request: its answer was lost on the way.
    Good(Box<Pod>),
    /// It was shown before.
    Used(Box<Pod>),
    /// It is of a pod at another address.
    Foreign(Box<Pod>),
    /// Nobody has it.
    Unknown,
}

impl Tokens {
    /// Judges a token by its `hash`, shown from `address` with the certificate request `csr`. A good one is used up by this.
    pub(super) fn take(&self, state: &State, hash: &str, address: IpAddr, csr: &str) -> Worth {
        let Some(pod) = state.pod_with_token(hash).map(Box::new) else { return Worth::Unknown };
        if !pod.addresses.contains(&address.to_canonical()) {
            return Worth::Foreign(pod);
        }
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let purpose = hexadecimal(csr.as_bytes());
        if used.get(hash).is_some_and(|earlier| *earlier != purpose) {
            return Worth::Used(pod);
        }
        used.insert(hash.to_owned(), purpose);
        if used.len() > state.sizes().pods + SLACK {
            used.retain(|hash, _| state.pod_with_token(hash).is_some());
        }
        Worth::Good(pod)
    }

    /// Lets a token be shown again: what it was shown for could not be had.
    pub(super) fn give_back(&self, hash: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(hash);
    }
}

/// How tokens are remembered: whoever reads our memory or our source learns no token.
pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    digest(&SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::{Change, Object, tests::pod};

    fn state() -> State {
        let state = State::new(crate::plan::tests::mesh());
        state.take(vec![Change::Apply(Object::Pod(pod("a", "10.77.0.5")))]);
        state
    }

    fn take(tokens: &Tokens, hash: &str, address: &str, csr: &str) -> Worth {
        tokens.take(&state(), hash, address.parse().unwrap(), csr)
    }

    #[test]
    fn a_token_is_good_once_and_for_the_same_request_again() {
        let tokens = Tokens::default();
        assert!(matches!(take(&tokens, "hash-a", "10.77.0.5", "one"), Worth::Good(_)));
        assert!(matches!(take(&tokens, "hash-a", "::ffff:10.77.0.5", "one"), Worth::Good(_)), "the answer was lost");
        assert!(matches!(take(&tokens, "hash-a", "10.77.0.5", "two"), Worth::Used(_)));
        tokens.give_back("hash-a");
        assert!(matches!(take(&tokens, "hash-a", "10.77.0.5", "two"), Worth::Good(_)));
    }

    #[test]
    fn a_token_is_good_at_its_own_address_alone() {
        let tokens = Tokens::default();
        assert!(matches!(take(&tokens, "hash-a", "10.77.0.6", "one"), Worth::Foreign(_)));
        assert!(matches!(take(&tokens, "hash-a", "10.77.0.5", "two"), Worth::Good(_)), "the thief did not use it up");
        assert!(matches!(take(&tokens, "hash-b", "10.77.0.5", "one"), Worth::Unknown));
    }
}
