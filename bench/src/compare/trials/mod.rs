//! What is measured once, of memory and of idleness, and not round after round.
//!
//! Each takes pairs of its own where earlier load would tell in memory.

mod burst;
mod growth;
mod held;
mod idle;

use std::time::Duration;

use super::{
    choice::Choice,
    contestants::Contestant,
    pair::{Pair, Pairs},
    results::Results,
    scenarios::Aim,
    traffic::Traffic,
};

pub(crate) use burst::Burst;
pub(crate) use growth::Growth;
pub(crate) use held::Held;
pub(crate) use idle::Idle;

/// For what was opened or closed to be dealt with everywhere.
const SETTLE: Duration = Duration::from_millis(500);

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trial {
    Idle,
    Held,
    Burst,
    Growth,
}

impl Trial {
    /// All of them.
    pub(crate) const ALL: [Self; 4] = [Self::Idle, Self::Held, Self::Burst, Self::Growth];

    /// The programs each of them takes beside the contestants'.
    pub(crate) const NEEDS: [&'static str; 2] = ["nginx", "wrk"];

    /// As it is asked for.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Held => "held",
            Self::Burst => "burst",
            Self::Growth => "growth",
        }
    }

    /// For `--list`.
    pub(crate) fn about(self) -> &'static str {
        match self {
            Self::Idle => "CPU, wake-ups and memory of sidecars with nothing to do",
            Self::Held => "memory for each of 1000 idle connections",
            Self::Burst => "memory 5 s after a load on 512 connections",
            Self::Growth => "CPU and memory of Weft's sidecars with 10 and with 5,000 services in the mesh",
        }
    }
}

/// What is to be measured before the rounds; `started` are the pairs that wait for them.
pub(crate) fn before(choice: &Choice, started: &[Pair], pairs: &mut Pairs<'_>, results: &mut Results) {
    if choice.trials.contains(&Trial::Idle) {
        if let Some((idle, busy)) = results.heed(idle::measure(started)) {
            (results.idle, results.busy) = (idle, Some(busy));
        }
        if results.is_disturbed() {
            eprintln!("bench: OTHERS USE THIS MACHINE: what is measured now is of little worth");
        }
    }
    for contestant in proxies(choice).filter(|_| choice.trials.contains(&Trial::Held)) {
        let held = results.heed(held::measure(contestant, pairs));
        results.held.extend(held);
    }
}

/// What is to be measured after the rounds, where it takes rounds in so many of so much time each.
pub(crate) fn after(choice: &Choice, rounds: (u32, Duration), pairs: &mut Pairs<'_>, results: &mut Results) {
    if choice.trials.contains(&Trial::Burst) {
        results.bursts = results.heed(burst::measure(proxies(choice), pairs)).unwrap_or_default();
    }
    if choice.trials.contains(&Trial::Growth) && choice.contestants.contains(&Contestant::Weft) {
        results.growth = results.heed(growth::measure(rounds, pairs));
    }
}

/// Those that have sidecars.
fn proxies(choice: &Choice) -> impl Iterator<Item = Contestant> {
    choice.contestants.iter().copied().filter(|contestant| *contestant != Contestant::Direct)
}

/// A new pair for HTTP/1.1 that has answered a request.
fn fresh(contestant: Contestant, pairs: &mut Pairs<'_>) -> anyhow::Result<Pair> {
    pairs.start(contestant, Traffic::Http1, &Aim::first(Traffic::Http1))
}
