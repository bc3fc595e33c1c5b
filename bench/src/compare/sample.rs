//! One measurement: a load on a pair, and what it cost.

use std::{thread, time::Duration};

use anyhow::ensure;
use serde::{Deserialize, Serialize};

use super::{
    contestants::Contestant,
    load::Tally,
    pair::{Both, Pair},
    place::Place,
    scenarios::Scenario,
};
use crate::usage::Memory;

/// What is not counted, so that connections are there and caches are warm.
const WARM_UP: Duration = Duration::from_millis(300);

/// When memory is read: well under load, and surely before the load ends.
const MEMORY_AFTER: f64 = 0.7;

/// What one measurement gave.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Sample {
    pub(crate) scenario: String,
    pub(crate) contestant: Contestant,
    /// From 0 on.
    pub(crate) round: u32,
    pub(crate) tally: Tally,
    /// CPU seconds, user and system, of each sidecar.
    pub(crate) cpu_seconds: Both<f64>,
    /// Memory under the load.
    pub(crate) memory: Both<Memory>,
}

/// Measures `scenario` on `pair` for `time`.
///
/// # Errors
/// The load cannot be run, nothing was answered, or a process has ended.
pub(crate) fn take(scenario: &Scenario, pair: &mut Pair, round: u32, time: Duration, place: &Place) -> anyhow::Result<Sample> {
    pair.warm_up(&scenario.aim, WARM_UP, place)?;
    let before = pair.cpu()?;
    let load = pair.start_load(&scenario.aim, time, place)?;
    thread::sleep(time.mul_f64(MEMORY_AFTER));
    let memory = pair.memory()?;
    let tally = load.finish()?;
    let after = pair.cpu()?;
    pair.check()?;
    ensure!(tally.requests > 0, "nothing was answered, and {} requests failed", tally.errors);
    let cpu_seconds = Both {
        outbound: after.outbound.since(&before.outbound).as_secs_f64(),
        inbound: after.inbound.since(&before.inbound).as_secs_f64(),
    };
    Ok(Sample { scenario: scenario.name.to_owned(), contestant: pair.contestant, round, tally, cpu_seconds, memory })
}

impl Sample {
    /// CPU microseconds of both sidecars for each request.
    pub(crate) fn cpu_us_per_request(&self) -> f64 {
        self.cpu() * 1e6 / self.requests()
    }

    /// CPU seconds of both sidecars.
    pub(crate) fn cpu(&self) -> f64 {
        self.cpu_seconds.outbound + self.cpu_seconds.inbound
    }

    /// Requests for each CPU second of the inbound sidecar.
    pub(crate) fn requests_per_inbound_cpu_second(&self) -> f64 {
        self.requests() / self.cpu_seconds.inbound
    }

    /// Requests a second.
    pub(crate) fn rate(&self) -> f64 {
        self.requests() / self.tally.seconds
    }

    // Below 2^53 of them.
    #[allow(clippy::cast_precision_loss)]
    fn requests(&self) -> f64 {
        self.tally.requests as f64
    }
}
