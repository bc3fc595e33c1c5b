//! The whole comparison: all pairs up, then round after round, contestant after contestant.

use std::time::Duration;

use anyhow::Context as _;

use super::{
    about::About,
    choice::Choice,
    contestants::{Contestant, Mesh},
    identities::Identities,
    inside::Task,
    network,
    pair::{Pair, Pairs},
    place::Place,
    progress::Progress,
    proof,
    results::Results,
    sample, trials,
};

/// Compares.
///
/// # Errors
/// Something cannot be built, started or measured.
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
    let mesh = choice.contestants.contains(&Contestant::Weft).then(|| Mesh::start(&place)).transpose()?;
    let mut pairs = Pairs::new(&place, mesh.as_ref());
    let mut results = Results { about: About::of(task), missing: choice.missing.clone(), ..Results::default() };

    let mut started = start(&choice, &mut pairs)?;
    let time = Duration::from_secs(task.arguments.seconds);
    trials::before(&choice, &started, &mut pairs, &mut results)?;
    rounds(&choice, task.arguments.rounds, time, &mut started, &place, &mut results)?;
    started.iter().try_for_each(proof::prove)?;
    drop(started);
    trials::after(&choice, task.arguments.rounds, time, &mut pairs, &mut results)?;
    Ok(results)
}

/// One pair for each contestant and each kind of traffic.
fn start(choice: &Choice, pairs: &mut Pairs<'_>) -> anyhow::Result<Vec<Pair>> {
    let mut started = Vec::new();
    for (traffic, aim) in choice.traffics() {
        for contestant in &choice.contestants {
            started.push(pairs.start(*contestant, traffic, &aim)?);
        }
    }
    Ok(started)
}

fn rounds(
    choice: &Choice,
    rounds: u32,
    time: Duration,
    started: &mut [Pair],
    place: &Place,
    results: &mut Results,
) -> anyhow::Result<()> {
    let mut progress = Progress::begin(choice.scenarios.len() * usize::try_from(rounds)?);
    for scenario in &choice.scenarios {
        for round in 0..rounds {
            let mut taken = Vec::new();
            for contestant in choice.in_turn(round).filter(|contestant| scenario.is_for(*contestant)) {
                let pair = started.iter_mut().find(|pair| pair.contestant == contestant && pair.traffic == scenario.traffic);
                let pair = pair.with_context(|| format!("{contestant} was not started"))?;
                let sample = sample::take(scenario, pair, round, time, place);
                taken.push(sample.with_context(|| format!("{contestant} at {}", scenario.name))?);
            }
            taken.sort_by_key(|sample| sample.contestant);
            progress.tell(scenario, round, &taken);
            results.samples.extend(taken);
        }
    }
    Ok(())
}
