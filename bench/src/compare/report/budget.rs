//! The budget: what Weft owes, and whether it keeps it.

use super::super::{
    contestants::Contestant::{self, Envoy, Floor, Haproxy, Weft},
    figures::{Number, megabytes},
    pair::Both,
    results::Results,
    scenarios::Figure::{CpuPerGib, CpuPerRequest, HandshakesPerCpuSecond},
};
use crate::{statistics::Spread, usage::Memory};

/// What "near idle" is taken to be.
const AFTER_BURST: f64 = 1.25;

/// Not one wake-up may be periodic. A stray one there may be: a message of control's, a ping on its connection.
const WAKE_UPS: f64 = 2.0;

/// One line of the budget.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) what: String,
    pub(super) limit: Limit,
    /// Nothing if it was not measured.
    pub(super) measured: Option<Spread>,
}

/// What is allowed, and in which unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Limit {
    AtMost(f64, &'static str),
    AtLeast(f64, &'static str),
    /// At most, and wished for, not owed.
    Wish(f64, &'static str),
    /// One, or so much more or less.
    About(f64),
}

/// How a line came out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Verdict {
    Met,
    /// By so much, as a share of the limit.
    Missed(f64),
    NotMeasured,
}

impl Line {
    /// By the median.
    pub(super) fn verdict(&self) -> Verdict {
        let Some(Spread { median, .. }) = self.measured else { return Verdict::NotMeasured };
        let by = match self.limit {
            Limit::AtMost(limit, _) | Limit::Wish(limit, _) => median / limit - 1.0,
            Limit::AtLeast(limit, _) => limit / median - 1.0,
            Limit::About(tolerance) => (median - 1.0).abs() - tolerance,
        };
        if by <= 0.0 { Verdict::Met } else { Verdict::Missed(by) }
    }
}

/// All lines of the budget.
pub(super) fn lines(results: &Results) -> Vec<Line> {
    [ratios(results), latency(results), memory(results), idle(results), growth(results)].concat()
}

fn ratios(results: &Results) -> Vec<Line> {
    let line = |scenario: &str, figure, other: Contestant, limit: fn(f64, &'static str) -> Limit, number, unit| Line {
        what: scenario.to_owned(),
        limit: limit(number, unit),
        measured: results.ratio(scenario, other, Number::Own(figure)),
    };
    let (envoy, haproxy, floor) = ("× Envoy", "× HAProxy", "× floor");
    let mut lines = vec![
        line("http1-32-1k", CpuPerRequest, Envoy, Limit::AtMost, 0.33, envoy),
        line("http1-32-1k", CpuPerRequest, Haproxy, Limit::AtMost, 0.80, haproxy),
        line("http1-32-1k", CpuPerRequest, Floor, Limit::Wish, 1.0, floor),
    ];
    for scenario in ["http2-8x8", "grpc-unary"] {
        lines.push(line(scenario, CpuPerRequest, Envoy, Limit::AtMost, 0.33, envoy));
        lines.push(line(scenario, CpuPerRequest, Haproxy, Limit::AtMost, 1.0, haproxy));
        lines.push(line(scenario, CpuPerRequest, Haproxy, Limit::Wish, 0.7, haproxy));
    }
    lines.extend([
        line("tcp-32", CpuPerRequest, Envoy, Limit::AtMost, 0.80, envoy),
        line("tcp-32", CpuPerRequest, Floor, Limit::AtMost, 1.2, floor),
        line("tcp-new", CpuPerRequest, Envoy, Limit::AtMost, 0.30, envoy),
        line("tcp-new", CpuPerRequest, Floor, Limit::AtMost, 1.45, floor),
        line("bulk", CpuPerGib, Envoy, Limit::AtMost, 0.90, envoy),
        line("bulk", CpuPerGib, Floor, Limit::AtMost, 1.3, floor),
        line("handshakes", HandshakesPerCpuSecond, Envoy, Limit::AtLeast, 1.5, envoy),
    ]);
    lines
}

fn latency(results: &Results) -> Vec<Line> {
    let line = |what: &str, number| Line {
        what: format!("rate-steady, {what}"),
        limit: Limit::AtMost(1.0, "× HAProxy"),
        measured: results.ratio("rate-steady", Haproxy, number),
    };
    vec![line("p50", Number::P50), line("p99", Number::P99)]
}

fn memory(results: &Results) -> Vec<Line> {
    let idle = results.idle.iter().find(|idle| idle.contestant == Weft);
    let loaded = results.of("http1-32-1k", Weft).map(|sample| megabytes_of_larger(sample.memory));
    let held = results.held.iter().find(|held| held.contestant == Weft).and_then(|held| held.mesh);
    let burst = results.bursts.iter().find(|burst| burst.contestant == Weft);
    let burst = burst.map(|burst| megabytes_of_larger(burst.after) / megabytes_of_larger(burst.before));
    let line = |what: &str, limit, measured| Line { what: what.to_owned(), limit, measured };
    vec![
        line(
            "memory of the larger sidecar, idle",
            Limit::AtMost(8.0, "MB"),
            Spread::of(idle.map(|idle| megabytes_of_larger(idle.memory))),
        ),
        line("memory of the larger sidecar under http1-32-1k", Limit::AtMost(15.0, "MB"), Spread::of(loaded)),
        line("memory for each further idle mTLS connection", Limit::AtMost(12.0, "kB"), Spread::of(held.map(|kib| kib * 1.024))),
        line("memory after a burst", Limit::AtMost(AFTER_BURST, "× before"), Spread::of(burst)),
    ]
}

fn idle(results: &Results) -> Vec<Line> {
    let idle = results.idle.iter().find(|idle| idle.contestant == Weft);
    let cpu = idle.map(|idle| idle.cpu_ms_per_second.outbound.max(idle.cpu_ms_per_second.inbound));
    let sleeps = idle.and_then(|idle| u32::try_from(idle.sleeps.outbound.max(idle.sleeps.inbound)).ok());
    let line = |what: &str, limit, measured| Line { what: what.to_owned(), limit, measured };
    vec![
        line("idle CPU of a sidecar", Limit::AtMost(0.5, "ms/s"), Spread::of(cpu)),
        line("wake-ups of an idle sidecar", Limit::AtMost(WAKE_UPS, "in 10 s"), Spread::of(sleeps.map(f64::from))),
    ]
}

fn growth(results: &Results) -> Vec<Line> {
    let growth = results.growth.as_ref();
    let cpu = growth.and_then(|growth| {
        let rounds = growth.many.cpu_us_per_request.iter().zip(&growth.few.cpu_us_per_request);
        Spread::of(rounds.map(|(many, few)| many / few))
    });
    let memory = growth.map(|growth| megabytes_of_larger(growth.many.memory) / megabytes_of_larger(growth.few.memory));
    let line = |what: &str, measured| Line { what: what.to_owned(), limit: Limit::About(0.05), measured };
    vec![line("CPU for a request with 5,000 services", cpu), line("idle memory with 5,000 services", Spread::of(memory))]
}

/// What is resident of the larger of two sidecars.
fn megabytes_of_larger(memory: Both<Memory>) -> f64 {
    megabytes(memory.outbound.resident.max(memory.inbound.resident))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(limit: Limit, measured: f64) -> Verdict {
        Line { what: String::new(), limit, measured: Spread::of([measured]) }.verdict()
    }

    #[test]
    fn the_median_decides() {
        assert_eq!(verdict(Limit::AtMost(0.5, ""), 0.5), Verdict::Met);
        assert_eq!(verdict(Limit::AtMost(0.5, ""), 0.75), Verdict::Missed(0.5));
        assert_eq!(verdict(Limit::AtLeast(1.5, ""), 2.0), Verdict::Met);
        assert_eq!(verdict(Limit::AtLeast(1.5, ""), 1.0), Verdict::Missed(0.5));
        assert_eq!(verdict(Limit::About(0.25), 0.75), Verdict::Met);
        assert_eq!(verdict(Limit::About(0.25), 1.5), Verdict::Missed(0.25));
    }

    #[test]
    fn what_was_not_measured_is_said_so_and_never_met() {
        let lines = lines(&Results::default());
        assert!(lines.len() > 20);
        assert!(lines.iter().all(|line| line.verdict() == Verdict::NotMeasured));
    }
}
