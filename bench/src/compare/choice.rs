//! Who and what is compared: what was asked for, less what is missing.

use std::collections::BTreeSet;

use anyhow::{bail, ensure};

use super::{
    Arguments,
    contestants::Contestant,
    programs::Programs,
    scenarios::{self, Aim, Scenario},
    traffic::Traffic,
    trials::Trial,
};

/// What is compared.
#[derive(Clone, Debug)]
pub(crate) struct Choice {
    pub(crate) contestants: Vec<Contestant>,
    pub(crate) scenarios: Vec<Scenario>,
    pub(crate) trials: Vec<Trial>,
    /// What was left out, and why, for people.
    pub(crate) missing: Vec<String>,
}

/// What was asked for, by names.
#[derive(Debug)]
pub(crate) struct Wish {
    contestants: Vec<Contestant>,
    scenarios: Vec<Scenario>,
    trials: Vec<Trial>,
}

impl Wish {
    /// Reads what was asked for.
    ///
    /// # Errors
    /// A name is of no scenario.
    pub(crate) fn of(arguments: &Arguments) -> anyhow::Result<Self> {
        let wanted = &arguments.scenarios;
        let known = scenarios::all().iter().map(|scenario| scenario.name).chain(Trial::ALL.map(Trial::name)).collect::<Vec<_>>();
        if let Some(unknown) = wanted.iter().find(|name| !known.iter().any(|known| known.starts_with(name.as_str()))) {
            bail!("there is no scenario `{unknown}`; there are {}", known.join(", "));
        }
        let is_wanted = |name: &str, usual: bool| match wanted.is_empty() {
            true => usual,
            false => wanted.iter().any(|wanted| name.starts_with(wanted.as_str())),
        };
        let scenarios = scenarios::all().into_iter().filter(|scenario| is_wanted(scenario.name, scenario.usual)).collect();
        let trials = Trial::ALL.into_iter().filter(|trial| is_wanted(trial.name(), true)).collect();
        let all = arguments.contestants.is_empty();
        let contestants = Contestant::ALL.into_iter().filter(|who| all || arguments.contestants.contains(who)).collect();
        Ok(Self { contestants, scenarios, trials })
    }

    /// The programs it takes.
    pub(crate) fn needs(&self) -> Vec<&'static str> {
        let contestants = self.contestants.iter().flat_map(|contestant| contestant.needs().to_vec());
        let trials = self.trials.iter().flat_map(|_| Trial::NEEDS);
        let needs: BTreeSet<&str> = contestants.chain(self.scenarios.iter().flat_map(Scenario::needs)).chain(trials).collect();
        needs.into_iter().collect()
    }
}

impl Choice {
    /// What was asked for, less what is missing.
    ///
    /// # Errors
    /// Nothing is left.
    pub(crate) fn of(arguments: &Arguments, programs: &Programs) -> anyhow::Result<Self> {
        let Wish { mut contestants, mut scenarios, mut trials } = Wish::of(arguments)?;
        let mut missing = programs.missing.clone();
        let mut can = |name: &str, needs: &[&'static str]| match programs.lacks(needs) {
            Some(lacking) => {
                missing.push(format!("{name} is left out, for want of {lacking}"));
                false
            }
            None => true,
        };
        contestants.retain(|contestant| can(contestant.name(), contestant.needs()));
        scenarios.retain(|scenario| can(scenario.name, &scenario.needs()));
        trials.retain(|trial| can(trial.name(), &Trial::NEEDS));
        ensure!(
            !contestants.is_empty() && scenarios.len() + trials.len() > 0,
            "nothing is left to compare: {}",
            missing.join("; ")
        );
        Ok(Self { contestants, scenarios, trials, missing })
    }

    /// The kinds of traffic, each with something to be answered before anything is measured.
    pub(crate) fn traffics(&self) -> Vec<(Traffic, Aim)> {
        let traffics: BTreeSet<Traffic> = self.scenarios.iter().map(|scenario| scenario.traffic).collect();
        let traffics = traffics.into_iter().chain(self.trials.iter().map(|_| Traffic::Http1)).collect::<BTreeSet<_>>();
        traffics.into_iter().map(|traffic| (traffic, Aim::first(traffic))).collect()
    }

    /// The contestants, in another order each round: none is always measured after the same other.
    pub(crate) fn in_turn(&self, round: u32) -> impl Iterator<Item = Contestant> {
        let first = usize::try_from(round).unwrap_or(0) % self.contestants.len();
        self.contestants.iter().cycle().skip(first).take(self.contestants.len()).copied()
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn arguments(words: &[&str]) -> Arguments {
        Line::parse_from([&["compare"], words].concat()).arguments
    }

    #[test]
    fn scenarios_are_named_by_their_beginnings() {
        let wish = Wish::of(&arguments(&["--scenarios", "tcp,bulk"])).unwrap();
        let names: Vec<&str> = wish.scenarios.iter().map(|scenario| scenario.name).collect();
        assert_eq!(names, ["tcp-32", "tcp-undeclared", "tcp-new", "bulk"]);
        assert!(wish.trials.is_empty());
        assert!(Wish::of(&arguments(&["--scenarios", "udp"])).unwrap_err().to_string().contains("`udp`"));
    }

    #[test]
    fn who_cannot_be_had_is_left_out_and_named() {
        let words = ["--contestants", "direct,envoy", "--scenarios", "tcp-32"];
        let choice = Choice::of(&arguments(&words), &Programs::default()).unwrap();
        assert_eq!(choice.contestants, [Contestant::Direct]);
        assert_eq!(choice.missing, ["envoy is left out, for want of envoy"]);
        assert!(Choice::of(&arguments(&words[..2]), &Programs::default()).is_ok());
        assert!(Choice::of(&arguments(&["--contestants", "envoy"]), &Programs::default()).is_err());
    }

    #[test]
    fn each_begins_a_round_in_turn() {
        let words = ["--contestants", "direct,floor", "--scenarios", "tcp-32"];
        let choice = Choice::of(&arguments(&words), &Programs::default()).unwrap();
        assert_eq!(choice.in_turn(0).collect::<Vec<_>>(), [Contestant::Direct, Contestant::Floor]);
        assert_eq!(choice.in_turn(3).collect::<Vec<_>>(), [Contestant::Floor, Contestant::Direct]);
    }
}
