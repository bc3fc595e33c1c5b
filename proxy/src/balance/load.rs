//! How busy an endpoint is, from this worker's point of view.
//!
//! Peak-EWMA as Finagle introduced it: a latency above the average replaces it at once, one below it pulls it down slowly.
//! So a stall is believed immediately and forgiven gradually.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use super::Work;

/// What is assumed of an endpoint that has not answered yet: low, so that newcomers are tried.
const GUESS: Duration = Duration::from_millis(1);

/// The time in which the weight of an old observation falls to 1/e, and in which an endpoint that is not asked becomes so
/// much more attractive. Finagle's was 10 s: one stall then keeps an endpoint out of a small group for half a minute.
const MEMORY: Duration = Duration::from_secs(2);

/// Load of one endpoint.
#[derive(Debug)]
pub(super) struct Load {
    running: Cell<u32>,
    latency_ns: Cell<f64>,
    observed: Cell<Option<Instant>>,
}

impl Default for Load {
    fn default() -> Self {
        Self { running: Cell::new(0), latency_ns: Cell::new(nanoseconds(GUESS)), observed: Cell::new(None) }
    }
}

impl Load {
    /// Something began here.
    pub(super) fn begin(&self) {
        self.running.set(self.running.get() + 1);
    }

    /// It ended.
    pub(super) fn end(&self) {
        self.running.set(self.running.get().saturating_sub(1));
    }

    /// An answer took `latency`.
    pub(super) fn observe(&self, latency: Duration, now: Instant) {
        let latency = nanoseconds(latency);
        let average = self.latency_ns.get();
        let next = if latency > average {
            latency
        } else {
            let kept = self.observed.get().map_or(0.0, |then| decay(now.saturating_duration_since(then)));
            average * kept + latency * (1.0 - kept)
        };
        self.latency_ns.set(next);
        self.observed.set(Some(now));
    }

    /// The price of sending one more there; lower is better.
    pub(super) fn cost(&self, work: Work, now: Instant) -> f64 {
        let running = f64::from(self.running.get());
        match work {
            Work::Connection => running,
            Work::Request => {
                let idle = self.observed.get().map_or(Duration::ZERO, |then| now.saturating_duration_since(then));
                self.latency_ns.get() * decay(idle) * (running + 1.0)
            }
        }
    }
}

fn decay(elapsed: Duration) -> f64 {
    (-elapsed.as_secs_f64() / MEMORY.as_secs_f64()).exp()
}

fn nanoseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stall_is_believed_at_once_and_forgiven_slowly() {
        let load = Load::default();
        let start = crate::clock::now();
        load.observe(Duration::from_millis(1), start);
        load.observe(Duration::from_secs(1), start);
        let stalled = load.cost(Work::Request, start);
        assert!(stalled > 0.9e9);
        load.observe(Duration::from_millis(1), start + Duration::from_millis(100));
        assert!(load.cost(Work::Request, start + Duration::from_millis(100)) > 0.9 * stalled);
        load.observe(Duration::from_millis(1), start + Duration::from_secs(60));
        assert!(load.cost(Work::Request, start + Duration::from_secs(60)) < 0.01 * stalled);
    }

    #[test]
    fn what_runs_already_makes_an_endpoint_dearer() {
        let load = Load::default();
        let now = crate::clock::now();
        let idle = load.cost(Work::Request, now);
        load.begin();
        assert!(load.cost(Work::Request, now) > idle);
        load.end();
        assert!((load.cost(Work::Request, now) - idle).abs() < f64::EPSILON);
    }
}
