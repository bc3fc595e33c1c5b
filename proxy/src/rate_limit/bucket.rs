//! One count, in one number: when everything that was taken so far would have been paid for, were it taken at the even rate.
//!
//! Source: the generic cell rate algorithm (ITU-T I.371, annex A), in its form with virtual scheduling.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use super::{Rate, nanos};

/// One count.
#[derive(Debug, Default)]
pub(super) struct Bucket {
    /// In nanoseconds since the limit began. Nothing else hangs on it, so that its own order is enough.
    paid_for: AtomicU64,
}

impl Bucket {
    /// Takes one at `now`, or says how long to wait for the next.
    pub(super) fn take(&self, rate: Rate, now: u64) -> Result<(), Duration> {
        let Spacing { apart, ahead } = Spacing::of(rate);
        let taken = self.paid_for.fetch_update(Relaxed, Relaxed, |paid_for| {
            let from = paid_for.max(now);
            (from - now <= ahead).then(|| from.saturating_add(apart))
        });
        taken.map(|_| ()).map_err(|paid_for| Duration::from_nanos(paid_for - now - ahead))
    }

    /// Whether it is as if nothing had been taken.
    pub(super) fn is_full(&self, now: u64) -> bool {
        self.paid_for.load(Relaxed) <= now
    }
}

/// How a rate spaces requests, in nanoseconds.
struct Spacing {
    /// Of two, evenly.
    apart: u64,
    /// How far the last of a burst is ahead of that.
    ahead: u64,
}

impl Spacing {
    fn of(Rate { requests, per, burst }: Rate) -> Self {
        // Rounded up: never more than the rate allows.
        let apart = nanos(per).div_ceil(u64::from(requests.get())).max(1);
        Self { apart, ahead: apart.saturating_mul(u64::from(burst.get()) - 1) }
    }
}
