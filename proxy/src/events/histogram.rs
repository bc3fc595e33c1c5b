//! A histogram with fixed bounds that one thread writes and any thread may read.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// Upper bounds in seconds. OpenTelemetry's advice for HTTP durations begins at 5 ms; a mesh hop is a hundred times
/// shorter, so ours begin at 100 us and go up in steps of 1, 2.5 and 5.
pub(super) const BOUNDS: [f64; 16] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// The same bounds in nanoseconds, so that observing needs no floating point.
const BOUNDS_NS: [u64; 16] = [
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
];

/// Counts of durations by bucket; the last is for everything above the largest bound.
#[derive(Debug, Default)]
pub(super) struct Histogram {
    buckets: [AtomicU64; BOUNDS.len() + 1],
    sum_ns: AtomicU64,
}

/// A histogram at one moment, or the sum of several.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Counts {
    pub(super) buckets: [u64; BOUNDS.len() + 1],
    pub(super) sum_ns: u64,
}

/// Adds without a locked instruction: sound because each counter has one writer.
pub(super) fn add(counter: &AtomicU64, amount: u64) {
    counter.store(counter.load(Relaxed).wrapping_add(amount), Relaxed);
}

impl Histogram {
    /// Counts one duration. Only the owning worker may call this.
    pub(super) fn observe(&self, took: Duration) {
        let ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let bucket = BOUNDS_NS.partition_point(|bound| *bound < ns);
        add(&self.buckets[bucket], 1);
        add(&self.sum_ns, ns);
    }

    /// Adds what was counted so far to `into`.
    pub(super) fn read(&self, into: &mut Counts) {
        for (total, bucket) in into.buckets.iter_mut().zip(&self.buckets) {
            *total += bucket.load(Relaxed);
        }
        into.sum_ns = into.sum_ns.wrapping_add(self.sum_ns.load(Relaxed));
    }
}

impl Counts {
    /// How many durations were counted.
    pub(super) fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// Their sum in seconds.
    pub(super) fn sum_seconds(&self) -> f64 {
        Duration::from_nanos(self.sum_ns).as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_on_a_bound_belongs_to_the_bucket_below_it() {
        let histogram = Histogram::default();
        histogram.observe(Duration::from_millis(1));
        histogram.observe(Duration::from_nanos(1_000_001));
        histogram.observe(Duration::from_secs(60));
        let mut counts = Counts::default();
        histogram.read(&mut counts);
        assert_eq!((counts.buckets[3], counts.buckets[4], counts.buckets[16]), (1, 1, 1));
        assert_eq!(counts.count(), 3);
    }

    #[test]
    fn both_lists_of_bounds_say_the_same() {
        for (seconds, ns) in BOUNDS.iter().zip(BOUNDS_NS) {
            assert_eq!(Duration::from_secs_f64(*seconds).as_nanos(), u128::from(ns));
        }
    }
}
