//! What services cost that a sidecar does not use.

use std::{thread, time::Duration};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::{
    super::{
        contestants::{Contestant, Mesh},
        pair::{Both, Pair, Pairs},
        sample,
        scenarios::{self, Scenario},
    },
    SETTLE, fresh,
};
use crate::usage::Memory;

/// Services in the mesh beside those that are called.
const FEW: u32 = 10;
const MANY: u32 = 5000;

/// What is asked of the sidecars.
const SCENARIO: &str = "http1-32-1k";

/// Weft's sidecars in a small mesh and in a large one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Growth {
    pub(crate) few: Known,
    pub(crate) many: Known,
}

/// What they cost where so many services are known to control.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Known {
    pub(crate) services: u32,
    /// CPU microseconds of both for each request, round by round.
    pub(crate) cpu_us_per_request: Vec<f64>,
    /// Memory of sidecars that were started in it and have answered one request.
    pub(crate) memory: Both<Memory>,
}

/// Measures in turn with few and with many, on the same pair, in so many rounds of so much time each.
///
/// # Errors
/// Something cannot be started or measured.
pub(super) fn measure((rounds, time): (u32, Duration), pairs: &mut Pairs<'_>) -> anyhow::Result<Growth> {
    eprintln!("weft with {FEW} and with {MANY} services");
    let mesh = pairs.mesh.context("weft-control does not run")?;
    let scenario = scenarios::all().into_iter().find(|scenario| scenario.name == SCENARIO).context("no such scenario")?;
    let mut few = begin(FEW, mesh, pairs)?;
    let mut many = begin(MANY, mesh, pairs)?;
    let mut pair = fresh(Contestant::Weft, pairs)?;
    for round in 0..rounds {
        for known in [&mut few, &mut many] {
            mesh.know(known.services)?;
            known.cpu_us_per_request.push(cost(&scenario, &mut pair, round, time, pairs)?);
        }
    }
    mesh.know(0)?;
    Ok(Growth { few, many })
}

fn begin(services: u32, mesh: &Mesh, pairs: &mut Pairs<'_>) -> anyhow::Result<Known> {
    mesh.know(services)?;
    let pair = fresh(Contestant::Weft, pairs)?;
    thread::sleep(SETTLE);
    Ok(Known { services, cpu_us_per_request: Vec::new(), memory: pair.memory()? })
}

fn cost(scenario: &Scenario, pair: &mut Pair, round: u32, time: Duration, pairs: &Pairs<'_>) -> anyhow::Result<f64> {
    Ok(sample::take(scenario, pair, round, time, pairs.place)?.cpu_us_per_request())
}
