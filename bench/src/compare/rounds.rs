//! Scenario after scenario, round after round, contestant after contestant.

use std::{collections::BTreeSet, time::Duration};

use anyhow::Context as _;

use super::{
    choice::Choice, contestants::Contestant, pair::Pair, place::Place, progress::Progress, results::Results, sample,
    scenarios::Scenario,
};

/// Measures all scenarios on the pairs that were started, in so many rounds of so much time each.
pub(crate) fn run(choice: &Choice, (rounds, time): (u32, Duration), started: &mut [Pair], place: &Place, results: &mut Results) {
    let mut progress = Progress::begin(choice.scenarios.len() * usize::try_from(rounds).unwrap_or(1));
    for scenario in &choice.scenarios {
        let mut failed = BTreeSet::new();
        for round in 0..rounds {
            let mut taken = Vec::new();
            for contestant in choice.in_turn(round) {
                let pair = takes_part(scenario, contestant, started).filter(|_| !failed.contains(&contestant));
                let Some(pair) = pair else { continue };
                let sample = sample::take(scenario, pair, round, time, place);
                match results.heed(sample.with_context(|| format!("{contestant} at {}", scenario.name))) {
                    Some(sample) => taken.push(sample),
                    // What failed once would take the others' time in every round.
                    None => drop(failed.insert(contestant)),
                }
            }
            taken.sort_by_key(|sample| sample.contestant);
            progress.tell(scenario, round, &taken);
            results.samples.extend(taken);
        }
    }
}

/// The contestant's pair, if it was started and the scenario is for it.
fn takes_part<'a>(scenario: &Scenario, contestant: Contestant, started: &'a mut [Pair]) -> Option<&'a mut Pair> {
    let mut pairs = started.iter_mut().filter(|pair| pair.contestant == contestant && pair.traffic == scenario.traffic);
    pairs.next().filter(|_| scenario.is_for(contestant))
}
