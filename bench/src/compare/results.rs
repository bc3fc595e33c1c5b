//! Everything a comparison gives, as it goes to `results.json`.

use serde::{Deserialize, Serialize};

use super::{
    about::About,
    sample::Sample,
    trials::{Burst, Growth, Held, Idle},
};

/// What was measured.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Results {
    /// What it was measured on, with and how.
    pub(crate) about: About,
    /// What was left out, and why, for people.
    pub(crate) missing: Vec<String>,
    /// What could not be started, measured or proved, for people.
    pub(crate) failures: Vec<String>,
    /// The share of the machine that others used while everything here was idle, from 0 to 1.
    pub(crate) busy: Option<f64>,
    pub(crate) samples: Vec<Sample>,
    pub(crate) idle: Vec<Idle>,
    pub(crate) held: Vec<Held>,
    pub(crate) bursts: Vec<Burst>,
    pub(crate) growth: Option<Growth>,
}

/// A machine of which others use more is no place to measure.
const BUSY: f64 = 0.05;

impl Results {
    /// Whether others used the machine.
    pub(crate) fn is_disturbed(&self) -> bool {
        self.busy.is_some_and(|busy| busy > BUSY)
    }

    /// Keeps a failure in mind, and says it at once.
    pub(crate) fn heed<T>(&mut self, outcome: anyhow::Result<T>) -> Option<T> {
        outcome
            .map_err(|error| {
                let failure = format!("{error:#}");
                eprintln!("bench: FAILED: {failure}");
                self.failures.push(failure);
            })
            .ok()
    }
}
