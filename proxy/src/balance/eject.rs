//! Keeping away from an endpoint that failed, for longer each time it fails again.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

/// How long the first failure keeps an endpoint out.
const FIRST: Duration = Duration::from_millis(500);

/// No failure keeps it out for longer.
const LONGEST: Duration = Duration::from_secs(30);

/// Whether an endpoint is out, and how often in a row it failed.
#[derive(Debug, Default)]
pub(super) struct Ejection {
    strikes: Cell<u32>,
    until: Cell<Option<Instant>>,
}

impl Ejection {
    /// Whether the endpoint is out at `now`.
    pub(super) fn holds(&self, now: Instant) -> bool {
        self.until.get().is_some_and(|until| now < until)
    }

    /// It failed once more. Failures that were already under way when it was put out count as one.
    pub(super) fn strike(&self, now: Instant) {
        if self.holds(now) {
            return;
        }
        let strikes = self.strikes.get();
        let time = FIRST.saturating_mul(1 << strikes.min(16)).min(LONGEST);
        self.strikes.set(strikes.saturating_add(1));
        self.until.set(Some(now + time));
    }

    /// It works.
    pub(super) fn forgive(&self) {
        self.strikes.set(0);
        self.until.set(None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_in_a_row_keeps_it_out_twice_as_long_up_to_a_limit() {
        let ejection = Ejection::default();
        let mut now = crate::clock::now();
        let mut last = Duration::ZERO;
        for _ in 0..40 {
            ejection.strike(now);
            let until = ejection.until.get().unwrap();
            let time = until - now;
            assert!(time >= last && time <= LONGEST);
            last = time;
            now = until;
            assert!(!ejection.holds(now));
        }
        assert_eq!(last, LONGEST);
        ejection.forgive();
        ejection.strike(now);
        assert_eq!(ejection.until.get().unwrap() - now, FIRST);
    }
}
