//! What one endpoint did, as far as it is held against it.

use std::{cell::Cell, time::Duration};

use crate::snapshot::FailureShare;

/// Answers that tell a latency: of fewer in an interval nobody can tell.
const ANSWERS_MIN: u32 = 10;

/// How a request ended, as far as its endpoint is to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was answered.
    Answered,
    /// It failed.
    Failed,
}

/// An endpoint's failures in a row, and what it did in the current interval.
#[derive(Debug, Default)]
pub(super) struct Record {
    row: Cell<u32>,
    requests: Cell<u32>,
    failures: Cell<u32>,
    answers: Cell<u32>,
    took: Cell<Duration>,
}

impl Record {
    /// One more request ended.
    pub(super) fn ended(&self, outcome: Outcome) {
        add(&self.requests);
        match outcome {
            Outcome::Answered => self.row.set(0),
            Outcome::Failed => {
                add(&self.row);
                add(&self.failures);
            }
        }
    }

    /// One more answer began, after so long.
    pub(super) fn took(&self, time: Duration) {
        add(&self.answers);
        self.took.set(self.took.get().saturating_add(time));
    }

    /// Failures since the last answer.
    pub(super) fn row(&self) -> u32 {
        self.row.get()
    }

    /// Whether it failed more than `share` allows.
    pub(super) fn exceeds(&self, share: FailureShare) -> bool {
        let (requests, failures) = (self.requests.get(), self.failures.get());
        failures > 0 && requests >= share.requests && u64::from(failures) * 100 >= u64::from(share.percent) * u64::from(requests)
    }

    /// How long its answers took in the mean, when there were enough of them.
    pub(super) fn mean(&self) -> Option<Duration> {
        let answers = self.answers.get();
        (answers >= ANSWERS_MIN).then(|| self.took.get() / answers)
    }

    /// A new interval begins.
    pub(super) fn begin(&self) {
        self.requests.set(0);
        self.failures.set(0);
        self.answers.set(0);
        self.took.set(Duration::ZERO);
    }

    /// It begins anew.
    pub(super) fn forget(&self) {
        self.begin();
        self.row.set(0);
    }
}

fn add(count: &Cell<u32>) {
    count.set(count.get().saturating_add(1));
}
