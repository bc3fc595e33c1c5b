//! How figures compare with what is recorded. Pure.

use super::{recorded::Proxy, scenario::Scenario};

/// Figures of one proxy in one scenario: instructions per unit, what was counted in each round, and what is recorded.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The scenario.
    pub scenario: Scenario,
    /// The proxy.
    pub proxy: Proxy,
    /// One figure for each round; at least one.
    pub rounds: Vec<u64>,
    /// What is recorded; `None` for a new scenario.
    pub recorded: Option<u64>,
}

/// What comes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Within the tolerance.
    Kept,
    /// More instructions than are allowed.
    Dearer,
    /// So few that the recorded figure no longer holds anybody to anything.
    Cheaper,
    /// There is nothing to compare it with.
    New,
}

#[allow(clippy::cast_precision_loss, reason = "instructions per request are far below 2^52")]
impl Comparison {
    /// The median of the rounds.
    pub fn counted(&self) -> u64 {
        let mut rounds = self.rounds.clone();
        rounds.sort_unstable();
        rounds[rounds.len() / 2]
    }

    /// By how much the greatest of the rounds is above the least: a fraction of it.
    pub fn spread(&self) -> f64 {
        let least = self.rounds.iter().min().copied().unwrap_or_default();
        let greatest = self.rounds.iter().max().copied().unwrap_or_default();
        greatest as f64 / least as f64 - 1.0
    }

    /// By how much it is above what is recorded: a fraction of that, negative when it is below.
    pub fn change(&self) -> Option<f64> {
        self.recorded.map(|recorded| self.counted() as f64 / recorded as f64 - 1.0)
    }

    /// Whether that is within the scenario's tolerance.
    pub fn verdict(&self) -> Verdict {
        let allowed = self.scenario.tolerance;
        match self.change() {
            None => Verdict::New,
            Some(change) if change > allowed => Verdict::Dearer,
            Some(change) if change < -allowed => Verdict::Cheaper,
            Some(_) => Verdict::Kept,
        }
    }
}

impl Verdict {
    /// In a word, with what to do about it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Dearer => "DEARER",
            Self::Cheaper => "cheaper: record it",
            Self::New => "new: record it",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::scenario, *};

    fn comparison(rounds: &[u64], recorded: Option<u64>) -> Comparison {
        let scenario = Scenario { tolerance: 0.03, ..scenario::ALL[0] };
        Comparison { scenario, proxy: Proxy::Inbound, rounds: rounds.to_vec(), recorded }
    }

    #[test]
    fn a_figure_may_move_within_its_tolerance_both_ways() {
        for (counted, verdict) in [
            (1_031, Verdict::Dearer),
            (1_029, Verdict::Kept),
            (1_000, Verdict::Kept),
            (971, Verdict::Kept),
            (969, Verdict::Cheaper),
        ] {
            assert_eq!(comparison(&[counted], Some(1_000)).verdict(), verdict, "{counted}");
        }
        assert_eq!(comparison(&[1_000], None).verdict(), Verdict::New);
    }

    #[test]
    fn one_odd_round_does_not_decide() {
        let comparison = comparison(&[1_000, 1_500, 1_001], Some(1_000));
        assert_eq!((comparison.counted(), comparison.verdict()), (1_001, Verdict::Kept));
        assert!((comparison.spread() - 0.5).abs() < 1e-9);
    }
}
