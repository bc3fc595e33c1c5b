//! The whole comparison: all pairs up, then round after round, contestant after contestant.

use std::time::Duration;

use anyhow::Context as _;

use super::{
    Arguments,
    about::About,
    choice::Choice,
    contestants::Mesh,
    identities::Identities,
    inside::Task,
    network,
    pair::{Pair, Pairs},
    place::Place,
    proof,
    results::Results,
    rounds, trials,
};

/// Compares. Who cannot be started or measured is told among the results, and does not keep the others from being.
///
/// # Errors
/// Nothing can be built or started at all.
pub(crate) fn compare(task: &Task) -> anyhow::Result<Results> {
    let choice = Choice::of(&task.arguments, &task.programs)?;
    let folder = tempfile::Builder::new().prefix("weft-bench-").tempdir().context("cannot make a folder")?;
    let place = Place {
        scratch: folder.path().to_owned(),
        programs: task.programs.clone(),
        identities: Identities::create(folder.path())?,
        own_program: task.own_program.clone(),
    };
    network::create_bridge().context("cannot make a bridge")?;
    let mesh = choice.contestants.iter().any(|contestant| contestant.is_ours()).then(|| Mesh::start(&place)).transpose()?;
    let mut pairs = Pairs::new(&place, mesh.as_ref());
    let mut results = Results { about: About::of(task), missing: choice.missing.clone(), ..Results::default() };

    let mut started = start(&choice, &mut pairs, &mut results);
    let Arguments { rounds, seconds, .. } = task.arguments;
    let time = Duration::from_secs(seconds);
    trials::before(&choice, &started, &mut pairs, &mut results);
    rounds::run(&choice, (rounds, time), &mut started, &place, &mut results);
    for pair in &started {
        results.heed(proof::prove(pair));
    }
    drop(started);
    trials::after(&choice, (rounds, time), &mut pairs, &mut results);
    Ok(results)
}

/// One pair for each contestant and each kind of traffic.
fn start(choice: &Choice, pairs: &mut Pairs<'_>, results: &mut Results) -> Vec<Pair> {
    let mut started = Vec::new();
    for (traffic, aim) in choice.traffics() {
        for contestant in &choice.contestants {
            started.extend(results.heed(pairs.start(*contestant, traffic, &aim)));
        }
    }
    started
}
