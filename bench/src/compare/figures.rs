//! The numbers that samples are compared by.

use super::{contestants::Contestant, results::Results, sample::Sample, scenarios::Figure};
use crate::statistics::Spread;

/// One number of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Number {
    /// What the scenario is about.
    Own(Figure),
    /// Requests a second.
    Rate,
    P50,
    P99,
    P999,
}

impl Number {
    /// This number of `sample`, if it has it.
    pub(crate) fn of(self, sample: &Sample) -> Option<f64> {
        let latency = |read: fn(&super::load::Latency) -> u64| {
            let us = sample.tally.latency.as_ref().map(read)?;
            u32::try_from(us).ok().map(f64::from)
        };
        let number = match self {
            Self::Own(Figure::CpuPerRequest) => sample.cpu_us_per_request(),
            Self::Own(Figure::CpuPerGib) => sample.cpu(),
            Self::Own(Figure::HandshakesPerCpuSecond) => sample.requests_per_inbound_cpu_second(),
            Self::Rate => sample.rate(),
            Self::Own(Figure::Latency) | Self::P50 => latency(|latency| latency.p50)?,
            Self::P99 => latency(|latency| latency.p99)?,
            Self::P999 => latency(|latency| latency.p999)?,
        };
        // Without sidecars nothing is spent.
        (number.is_finite() && number > 0.0).then_some(number)
    }
}

impl Results {
    /// The median of a number of `contestant` in a scenario, and its spread over rounds.
    pub(crate) fn spread(&self, scenario: &str, contestant: Contestant, number: Number) -> Option<Spread> {
        Spread::of(self.of(scenario, contestant).filter_map(|sample| number.of(sample)))
    }

    /// The ratio of Weft's number to `other`'s, round by round.
    pub(crate) fn ratio(&self, scenario: &str, other: Contestant, number: Number) -> Option<Spread> {
        let ratio = |own: &Sample| {
            let others = self.of(scenario, other).find(|sample| sample.round == own.round)?;
            Some(number.of(own)? / number.of(others)?)
        };
        Spread::of(self.of(scenario, Contestant::Weft).filter_map(ratio))
    }

    /// All errors, with who made them.
    pub(crate) fn errors(&self) -> impl Iterator<Item = &Sample> {
        self.samples.iter().filter(|sample| sample.tally.errors > 0)
    }

    /// Samples of a contestant in a scenario.
    pub(crate) fn of(&self, scenario: &str, contestant: Contestant) -> impl Iterator<Item = &Sample> {
        self.samples.iter().filter(move |sample| sample.scenario == scenario && sample.contestant == contestant)
    }
}

/// A number with as many digits as mean something.
pub(crate) fn shown(number: f64) -> String {
    match number {
        number if number >= 100.0 => format!("{number:.0}"),
        number if number >= 10.0 => format!("{number:.1}"),
        number => format!("{number:.2}"),
    }
}

/// KiB in MB.
pub(crate) fn megabytes(kib: u64) -> f64 {
    f64::from(u32::try_from(kib).unwrap_or(u32::MAX)) * 1.024 / 1000.0
}

/// What a scenario's number is counted in.
pub(crate) fn unit(figure: Figure) -> &'static str {
    match figure {
        Figure::CpuPerRequest => "µs of CPU for a request",
        Figure::CpuPerGib => "s of CPU for a GiB",
        Figure::HandshakesPerCpuSecond => "handshakes for a second of CPU",
        Figure::Latency => "µs, median",
    }
}

/// A sample in few words.
pub(crate) fn brief(figure: Figure, sample: &Sample) -> String {
    let number = Number::Own(figure).of(sample).map_or_else(|| String::from("-"), shown);
    let rest = match (figure, &sample.tally.latency) {
        (Figure::Latency, Some(latency)) => format!("/{}/{} us", latency.p99, latency.p999),
        (Figure::CpuPerRequest, _) => format!(" us ({:.0}/s)", sample.rate()),
        (Figure::CpuPerGib, _) => String::from(" s"),
        (Figure::HandshakesPerCpuSecond | Figure::Latency, _) => String::from("/s"),
    };
    let errors = if sample.tally.errors > 0 { format!(" {} ERRORS", sample.tally.errors) } else { String::new() };
    format!("{} {number}{rest}{errors}", sample.contestant)
}
