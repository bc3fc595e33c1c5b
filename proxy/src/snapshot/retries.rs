//! When a request is sent once more.

use std::{ops::RangeInclusive, time::Duration};

/// When a request is tried again that a server may have begun already. What provably reached none needs no leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retries {
    /// Tries beyond the first.
    pub attempts: u32,
    /// What of a try is worth another.
    pub on: Conditions,
    /// How long is waited before each.
    pub backoff: Backoff,
    /// Bytes of a request's body that are kept for another try. What is longer is tried once.
    pub body_max: usize,
}

/// What of a try is worth another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// No line could be had.
    pub connect_failure: bool,
    /// The server says that it has not looked at the request.
    pub refused: bool,
    /// No answer came: the line broke, or the try took too long.
    pub reset: bool,
    /// An answer with one of these statuses.
    pub statuses: Vec<RangeInclusive<u16>>,
    /// An answer that is nothing but one of these statuses of gRPC.
    pub grpc: Vec<u16>,
}

/// How long is waited before another try: at least `base`, and at random up to a bound that doubles with each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The least.
    pub base: Duration,
    /// The most.
    pub max: Duration,
}

/// When a request is sent to a second endpoint because the first takes its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hedging {
    /// How long each is waited for alone.
    pub after: Duration,
    /// Tries beyond the first.
    pub attempts: u32,
}

/// How many requests may be sent once more: a part of all, or so many a second where that is more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryBudget {
    /// Of a hundred requests.
    pub percent: u32,
    /// Over which time they are counted.
    pub interval: Duration,
    /// What is always allowed, on average over that time.
    pub per_second: u32,
}

impl Default for RetryBudget {
    /// Where all of a service fails, its load grows by no more than a fifth.
    fn default() -> Self {
        Self { percent: 20, interval: Duration::from_secs(10), per_second: 10 }
    }
}

impl Conditions {
    /// Whether an answer of `status` is worth another try.
    pub fn has_status(&self, status: u16) -> bool {
        self.statuses.iter().any(|range| range.contains(&status))
    }
}

impl Backoff {
    /// The time before the try that follows `tries` others, with `chance` between 0 and 1 in millionths.
    pub fn before(self, tries: u32, chance: u32) -> Duration {
        let doubled = self.base.saturating_mul(1_u32.checked_shl(tries).unwrap_or(u32::MAX));
        let most = doubled.min(self.max).max(self.base);
        self.base + (most - self.base).mul_f64(f64::from(chance) / 1e6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_is_never_shorter_than_its_base_and_its_bound_doubles() {
        let backoff = Backoff { base: Duration::from_millis(25), max: Duration::from_millis(250) };
        let bounds = |tries| [0, 1_000_000].map(|chance| backoff.before(tries, chance).as_millis());
        assert_eq!([1, 2, 3, 4, 40].map(bounds), [[25, 50], [25, 100], [25, 200], [25, 250], [25, 250]]);
        let odd = Backoff { base: Duration::from_secs(1), max: Duration::ZERO };
        assert_eq!(odd.before(1, 500_000), Duration::from_secs(1), "the least counts before the most");
    }

    #[test]
    fn statuses_are_told_by_their_ranges() {
        let on = Conditions { statuses: vec![502..=504, 429..=429], ..Conditions::default() };
        let worth = [429, 430, 500, 502, 504, 505].map(|status| on.has_status(status));
        assert_eq!(worth, [true, false, false, true, true, false]);
    }
}
