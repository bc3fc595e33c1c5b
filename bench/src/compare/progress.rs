//! What people see while it runs, on standard error.

use std::time::{Duration, Instant};

use super::{figures, sample::Sample, scenarios::Scenario};
use crate::clock;

/// How much is done of how much.
#[derive(Debug)]
pub(crate) struct Progress {
    began: Instant,
    done: usize,
    all: usize,
}

impl Progress {
    /// Begins with `all` to be done.
    pub(crate) fn begin(all: usize) -> Self {
        Self { began: clock::now(), done: 0, all }
    }

    /// Tells what came of one round of a scenario.
    pub(crate) fn tell(&mut self, scenario: &Scenario, round: u32, taken: &[Sample]) {
        self.done += 1;
        let left = left(self.began.elapsed(), self.done, self.all);
        let taken: String = taken.iter().map(|sample| format!("  {}", figures::brief(scenario.figure, sample))).collect();
        let minutes = left.as_secs().div_ceil(60);
        eprintln!("[{:3} %, {minutes} min left] {} {}:{taken}", self.done * 100 / self.all.max(1), scenario.name, round + 1);
    }
}

/// The time that is left, if all rounds are alike.
fn left(elapsed: Duration, done: usize, all: usize) -> Duration {
    let share = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    elapsed / share(done).max(1) * share(all.saturating_sub(done))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_told_by_what_was_done() {
        assert_eq!(left(Duration::from_secs(30), 1, 3), Duration::from_secs(60));
        assert_eq!(left(Duration::from_secs(30), 3, 3), Duration::ZERO);
    }
}
