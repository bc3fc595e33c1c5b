//! Memory that a load leaves behind.

use std::{thread, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    super::{
        contestants::Contestant,
        load::Load,
        network::APP,
        pair::{Both, Pairs},
        scenarios::Aim,
    },
    fresh,
};
use crate::usage::Memory;

const CONNECTIONS: u32 = 512;

/// How long the load runs.
const LOAD: Duration = Duration::from_secs(2);

/// How long it is quiet afterwards.
const QUIET: Duration = Duration::from_secs(5);

/// Memory before, under and after a load.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Burst {
    pub(crate) contestant: Contestant,
    pub(crate) before: Both<Memory>,
    pub(crate) under: Both<Memory>,
    pub(crate) after: Both<Memory>,
}

/// Loads one pair after the other, and leaves all of them in quiet at once.
///
/// # Errors
/// A pair cannot be started or loaded.
pub(super) fn measure(contestants: impl Iterator<Item = Contestant>, pairs: &mut Pairs<'_>) -> anyhow::Result<Vec<Burst>> {
    eprintln!("bursts of {CONNECTIONS} connections");
    let aim = Aim::Service(APP, Load::Wrk { connections: CONNECTIONS, path: "/1k" });
    let mut loaded = Vec::new();
    for contestant in contestants {
        let pair = fresh(contestant, pairs)?;
        let before = pair.memory()?;
        let load = pair.start_load(&aim, LOAD, pairs.place)?;
        thread::sleep(LOAD / 2);
        let under = pair.memory()?;
        load.finish()?;
        loaded.push((pair, before, under));
    }
    thread::sleep(QUIET);
    let burst = |(pair, before, under): &(super::Pair, _, _)| {
        Ok(Burst { contestant: pair.contestant, before: *before, under: *under, after: pair.memory()? })
    };
    loaded.iter().map(burst).collect()
}
