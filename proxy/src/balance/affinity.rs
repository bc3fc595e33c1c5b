//! Staying with the endpoint that was called before, where the service wants that.
//!
//! `sessionAffinity: ClientIP` of a Kubernetes Service: whoever has called an endpoint is sent to the same one until he has
//! been away for the service's time. A sidecar's callers are one pod, so what is kept is one endpoint for each cluster and family
//! of addresses; and all workers share it, for a caller does not know which of them serves him. This is the only lock on the way of a
//! request, and only services that ask for affinity take it.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use foldhash::{HashMap, HashMapExt};

use crate::family::Family;

/// Who is stayed with. A clone is another handle to the same.
#[derive(Clone, Debug)]
pub struct Affinities(Arc<Mutex<Keeping>>);

/// By cluster and family.
type Keeping = HashMap<(Arc<str>, Family), Kept>;

#[derive(Clone, Copy, Debug)]
struct Kept {
    address: SocketAddr,
    until: Instant,
}

impl Default for Affinities {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Keeping::new())))
    }
}

impl Affinities {
    /// Lets `choose` choose, given the endpoint of `cluster` that was called last, if that is not longer than `time` ago. What
    /// it chooses is kept: two workers that ask at once get the same answer.
    pub(super) fn settle<T>(
        &self,
        (cluster, family): (&Arc<str>, Family),
        time: Duration,
        now: Instant,
        choose: impl FnOnce(Option<SocketAddr>) -> Option<(SocketAddr, T)>,
    ) -> Option<T> {
        // What is inside stays whole whatever panics around it.
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (cluster.clone(), family);
        let last = kept.get(&key).filter(|kept| now < kept.until).map(|kept| kept.address);
        let (address, chosen) = choose(last)?;
        kept.insert(key, Kept { address, until: now + time });
        Some(chosen)
    }

    /// Forgets clusters that are no longer in use.
    pub(super) fn retain(&self, in_use: impl Fn(&str) -> bool) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(cluster, _), _| in_use(cluster));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(host: u8) -> SocketAddr {
        SocketAddr::from(([10, 77, 0, host], 80))
    }

    #[test]
    fn what_was_called_is_told_until_its_time_is_over() {
        let affinities = Affinities::default();
        let (cluster, now, time) = (Arc::from("cart"), crate::clock::now(), Duration::from_secs(10));
        let ask = |family, now, answer: Option<u8>| {
            let mut told = None;
            affinities.settle((&cluster, family), time, now, |last| {
                told = last;
                answer.map(|host| (address(host), ()))
            });
            told
        };
        assert_eq!(ask(Family::V4, now, Some(1)), None);
        assert_eq!(ask(Family::V6, now, Some(2)), None, "each family has its own");
        assert_eq!(ask(Family::V4, now + time / 2, Some(1)), Some(address(1)), "which begins its time anew");
        assert_eq!(ask(Family::V4, now + time, None), Some(address(1)));
        assert_eq!(ask(Family::V4, now + 2 * time, Some(3)), None);
        affinities.retain(|_| false);
        assert_eq!(ask(Family::V4, now + 2 * time, Some(1)), None);
    }
}
