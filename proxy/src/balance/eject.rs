//! Keeping away from an endpoint that failed, for longer each time it fails again. Whoever is back is on trial until it has done
//! something.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

/// Whether an endpoint is out, and how often in a row it was put out.
#[derive(Debug, Default)]
pub(super) struct Ejection {
    strikes: Cell<u32>,
    until: Cell<Option<Instant>>,
    /// Whether it has done nothing since it was put out.
    on_trial: Cell<bool>,
}

/// How long an endpoint is kept out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// The first time.
    pub first: Duration,
    /// At most, each time in a row being twice as long as the last.
    pub longest: Duration,
    /// Whoever has been back for so long begins anew; `None` where only [`Ejection::forgive`] says so.
    pub memory: Option<Duration>,
}

impl Default for Terms {
    /// For whoever cannot be reached, where nothing else was said.
    fn default() -> Self {
        Self { first: Duration::from_millis(500), longest: Duration::from_secs(30), memory: None }
    }
}

impl Ejection {
    /// Whether the endpoint is out at `now`.
    pub(super) fn holds(&self, now: Instant) -> bool {
        self.until.get().is_some_and(|until| now < until)
    }

    /// Until when it is, or was, out.
    pub(super) fn until(&self) -> Option<Instant> {
        self.until.get()
    }

    /// Whether work that it was given at `since` is its trial: it was back by then, and has done nothing yet.
    pub(super) fn is_tried_by(&self, since: Instant) -> bool {
        self.on_trial.get() && self.until.get().is_some_and(|until| until <= since)
    }

    /// It has done something since it came back.
    pub(super) fn pass(&self) {
        self.on_trial.set(false);
    }

    /// Puts it out once more. Failures that were already under way when it was put out count as one.
    pub(super) fn strike(&self, terms: Terms, now: Instant) {
        if self.holds(now) {
            return;
        }
        let back = self.until.get().map(|until| now.saturating_duration_since(until));
        if back.zip(terms.memory).is_some_and(|(back, memory)| back > memory) {
            self.strikes.set(0);
        }
        let strikes = self.strikes.get();
        let time = terms.first.saturating_mul(1 << strikes.min(16)).min(terms.longest);
        self.strikes.set(strikes.saturating_add(1));
        self.until.set(Some(now + time));
        self.on_trial.set(true);
    }

    /// It works.
    pub(super) fn forgive(&self) {
        self.strikes.set(0);
        self.until.set(None);
        self.pass();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_in_a_row_keeps_it_out_twice_as_long_up_to_a_limit() {
        let (ejection, terms) = (Ejection::default(), Terms::default());
        let mut now = crate::clock::now();
        let mut last = Duration::ZERO;
        for _ in 0..40 {
            ejection.strike(terms, now);
            let until = ejection.until().unwrap();
            let time = until - now;
            assert!(time >= last && time <= terms.longest);
            last = time;
            now = until;
            assert!(!ejection.holds(now));
        }
        assert_eq!(last, terms.longest);
        ejection.forgive();
        ejection.strike(terms, now);
        assert_eq!(ejection.until().unwrap() - now, terms.first);
    }

    #[test]
    fn whoever_has_been_back_for_long_begins_anew() {
        let memory = Duration::from_secs(10);
        let terms = Terms { memory: Some(memory), ..Terms::default() };
        let ejection = Ejection::default();
        let now = crate::clock::now();
        ejection.strike(terms, now);
        let back = ejection.until().unwrap();
        ejection.strike(terms, back + memory);
        let again = ejection.until().unwrap();
        assert_eq!(again - (back + memory), terms.first * 2);
        let later = again + memory + Duration::from_millis(1);
        ejection.strike(terms, later);
        assert_eq!(ejection.until().unwrap() - later, terms.first);
    }

    #[test]
    fn whoever_is_back_is_on_trial_until_it_has_done_something() {
        let (ejection, terms) = (Ejection::default(), Terms::default());
        let now = crate::clock::now();
        assert!(!ejection.is_tried_by(now), "it was never out");
        ejection.strike(terms, now);
        let back = ejection.until().unwrap();
        assert!(!ejection.is_tried_by(now), "what was under way when it was put out is no trial");
        assert!(ejection.is_tried_by(back));
        ejection.pass();
        assert!(!ejection.is_tried_by(back));
        ejection.strike(terms, back);
        assert!(ejection.is_tried_by(ejection.until().unwrap()));
    }
}
