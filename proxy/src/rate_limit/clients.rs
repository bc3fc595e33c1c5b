//! A count for each client, as many as are remembered. All others share one: who comes with ever new names gains nothing by it.

use std::{
    hash::{BuildHasher, RandomState},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use hashbrown::HashMap;

use super::{Client, bucket::Bucket};

/// Clients that are remembered.
pub(super) const CLIENTS_MAX: usize = 4096;

/// Parts that are locked by themselves, so that workers rarely wait for one another.
const PARTS: usize = 16;

/// How often a part is looked through for clients that need not be remembered, in nanoseconds.
const SWEEP_EVERY: u64 = 1_000_000_000;

/// A count for each client.
#[derive(Debug, Default)]
pub(super) struct Clients {
    parts: [Mutex<Part>; PARTS],
    remembered: AtomicUsize,
    others: Arc<Bucket>,
    /// Clients choose their names, as far as somebody proves them: they cannot foresee this.
    hasher: RandomState,
}

#[derive(Debug, Default)]
struct Part {
    buckets: HashMap<Client, Arc<Bucket>>,
    swept: u64,
}

impl Clients {
    /// The count of `client`.
    pub(super) fn bucket(&self, client: Client, now: u64) -> Arc<Bucket> {
        let number = self.hasher.hash_one(&client) % PARTS as u64;
        let part = &self.parts[usize::try_from(number).unwrap_or(0)];
        // Nothing in it is half done when somebody panics.
        let mut part = part.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = part.buckets.get(&client) {
            return bucket.clone();
        }
        if self.remembered.load(Relaxed) >= CLIENTS_MAX {
            self.remembered.fetch_sub(part.sweep(now), Relaxed);
        }
        // Counted before it is there: two that come at once do not both take the last place.
        if self.remembered.fetch_add(1, Relaxed) >= CLIENTS_MAX {
            self.remembered.fetch_sub(1, Relaxed);
            return self.others.clone();
        }
        part.buckets.entry(client).or_default().clone()
    }

    /// How many are remembered.
    #[cfg(test)]
    pub(super) fn remembered(&self) -> usize {
        self.remembered.load(Relaxed)
    }
}

impl Part {
    /// Forgets clients who may ask as much as if they had never asked, and says how many those were.
    fn sweep(&mut self, now: u64) -> usize {
        if now < self.swept + SWEEP_EVERY {
            return 0;
        }
        self.swept = now;
        let before = self.buckets.len();
        // Whoever is at his count right now keeps it.
        self.buckets.retain(|_, bucket| Arc::strong_count(bucket) > 1 || !bucket.is_full(now));
        before - self.buckets.len()
    }
}
