//! The tables.

use comfy_table::{Table, presets::ASCII_MARKDOWN};

use super::{
    super::{
        contestants::Contestant,
        figures::{Number, megabytes, shown, unit},
        pair::Both,
        results::Results,
        scenarios::{self, Figure, Scenario},
    },
    budget::{self, Limit, Line, Verdict},
};
use crate::{statistics::Spread, usage::Memory};

/// Those that Weft is compared with.
const PEERS: [Contestant; 5] =
    [Contestant::Envoy, Contestant::Haproxy, Contestant::Nginx, Contestant::Floor, Contestant::Governed];

/// All of them, each below its title, in Markdown.
pub(super) fn all(results: &Results) -> String {
    let tables = [
        ("The budget", "Ratios are medians over rounds, with the least and the most.", Some(budget(results))),
        ("Cost and speed", "Medians over rounds. CPU is of both sidecars, user and system.", figures(results)),
        ("Weft's ratios to others", "Round by round: median, least and most.", ratios(results)),
        ("Requests a second", "Closed loops, so the faster are asked more. All share one machine.", rates(results)),
        ("Latency", "µs from the time a request was due: p50 / p99 / p99.9, medians over rounds.", latencies(results)),
        ("Memory", "MB resident (proportional share in brackets), outbound + inbound sidecar.", memory(results)),
        (
            "Idle connections",
            "kB of resident memory for each of 1000: a client's, outbound + inbound; another sidecar's, inbound.",
            held(results),
        ),
        ("Idleness", "Outbound + inbound sidecar.", idle(results)),
        ("A larger mesh", "Weft's sidecars, by services in the mesh that they do not call.", growth(results)),
        (
            "What inbound sidecars agree on",
            "With a client that offers X25519MLKEM768, then X25519, and every cipher of TLS 1.3.",
            tls(results),
        ),
        ("Errors", "Requests that failed.", errors(results)),
    ];
    let shown = tables.into_iter().filter_map(|(title, about, table)| Some(format!("## {title}\n\n{about}\n\n{}\n", table?)));
    shown.chain([list("Failed", &results.failures), list("Left out", &results.missing)]).collect::<Vec<_>>().join("\n")
}

/// A list below its title; nothing if there is nothing to list.
fn list(title: &str, lines: &[String]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let lines: String = lines.iter().map(|line| format!("- {}\n", line.replace('\n', " "))).collect();
    format!("## {title}\n\n{lines}")
}

fn table(head: &[String]) -> Table {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN).set_header(head.to_vec());
    table
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn unless_empty(table: Table) -> Option<Table> {
    (table.row_count() > 0).then_some(table)
}

fn budget(results: &Results) -> Table {
    let mut table = table(&words(&["what", "allowed", "measured", ""]));
    for Line { what, limit, measured } in budget::lines(results) {
        let line = Line { what: what.clone(), limit, measured };
        let verdict = match (line.verdict(), limit) {
            (Verdict::Met, _) => String::from("met"),
            (Verdict::Missed(by), Limit::Wish(..)) => format!("not reached, by {:.0} %", by * 100.0),
            (Verdict::Missed(by), _) => format!("**missed by {:.0} %**", by * 100.0),
            (Verdict::NotMeasured, _) => String::from("not measured"),
        };
        let allowed = match limit {
            Limit::AtMost(limit, unit) => format!("at most {limit} {unit}"),
            Limit::AtLeast(limit, unit) => format!("at least {limit} {unit}"),
            Limit::Wish(limit, unit) => format!("wished for: {limit} {unit}"),
            Limit::About(tolerance) => format!("the same, ±{:.0} %", tolerance * 100.0),
        };
        table.add_row([what, allowed, spread(measured), verdict]);
    }
    table
}

/// A spread; of what was measured once, the number alone.
fn spread(spread: Option<Spread>) -> String {
    match spread {
        None => String::from("-"),
        Some(spread) if spread.least == spread.most => shown(spread.median),
        Some(spread) => spread.to_string(),
    }
}

/// Scenarios that were measured.
fn measured(results: &Results) -> Vec<Scenario> {
    let is_measured = |scenario: &Scenario| results.samples.iter().any(|sample| sample.scenario == scenario.name);
    scenarios::all().into_iter().filter(is_measured).collect()
}

/// Contestants that were measured.
fn contestants(results: &Results) -> Vec<Contestant> {
    let is_measured = |contestant: &Contestant| results.samples.iter().any(|sample| sample.contestant == *contestant);
    Contestant::ALL.into_iter().filter(is_measured).collect()
}

/// A row for each scenario of `scenarios`, with a number for each contestant.
fn by_contestant(results: &Results, scenarios: &[Scenario], number: impl Fn(&Scenario) -> Number) -> Option<Table> {
    let contestants = contestants(results);
    let names = contestants.iter().map(|contestant| contestant.name().to_owned());
    let mut table = table(&words(&["scenario", "what"]).into_iter().chain(names).collect::<Vec<_>>());
    for scenario in scenarios {
        let median = |contestant: &Contestant| {
            let spread = results.spread(scenario.name, *contestant, number(scenario));
            spread.map_or_else(|| String::from("-"), |spread| shown(spread.median))
        };
        let what = match number(scenario) {
            Number::Own(figure) => format!("{}: {}", scenario.about, unit(figure)),
            _ => scenario.about.to_owned(),
        };
        table.add_row([scenario.name.to_owned(), what].into_iter().chain(contestants.iter().map(median)));
    }
    unless_empty(table)
}

fn figures(results: &Results) -> Option<Table> {
    by_contestant(results, &measured(results), |scenario| Number::Own(scenario.figure))
}

fn rates(results: &Results) -> Option<Table> {
    let closed: Vec<Scenario> =
        measured(results).into_iter().filter(|scenario| scenario.figure == Figure::CpuPerRequest).collect();
    by_contestant(results, &closed, |_| Number::Rate)
}

fn ratios(results: &Results) -> Option<Table> {
    let names = PEERS.iter().map(|peer| format!("× {peer}"));
    let mut table = table(&words(&["scenario"]).into_iter().chain(names).collect::<Vec<_>>());
    for scenario in measured(results) {
        let ratios = PEERS.map(|peer| results.ratio(scenario.name, peer, Number::Own(scenario.figure)));
        if ratios.iter().any(Option::is_some) {
            table.add_row([scenario.name.to_owned()].into_iter().chain(ratios.map(spread)));
        }
    }
    unless_empty(table)
}

fn latencies(results: &Results) -> Option<Table> {
    let scenarios: Vec<Scenario> = measured(results).into_iter().filter(|scenario| scenario.figure == Figure::Latency).collect();
    let names = scenarios.iter().map(|scenario| scenario.name.to_owned());
    let mut table = table(&words(&["contestant"]).into_iter().chain(names).collect::<Vec<_>>());
    for contestant in contestants(results).into_iter().filter(|_| !scenarios.is_empty()) {
        let cell = |scenario: &Scenario| {
            let median = |number| results.spread(scenario.name, contestant, number).map(|spread| shown(spread.median));
            let all = [Number::P50, Number::P99, Number::P999].map(median);
            all.map(|number| number.unwrap_or_else(|| String::from("-"))).join(" / ")
        };
        table.add_row([contestant.name().to_owned()].into_iter().chain(scenarios.iter().map(cell)));
    }
    unless_empty(table)
}

fn both_memories(memory: Both<Memory>) -> String {
    let text = |memory: Memory| format!("{:.1} ({:.1})", megabytes(memory.resident), megabytes(memory.proportional));
    format!("{} + {}", text(memory.outbound), text(memory.inbound))
}

fn memory(results: &Results) -> Option<Table> {
    let mut table = table(&words(&["contestant", "idle", "under http1-32-1k", "before a burst", "under it", "5 s after it"]));
    for contestant in Contestant::ALL.into_iter().filter(|contestant| *contestant != Contestant::Direct) {
        let idle = results.idle.iter().find(|idle| idle.contestant == contestant).map(|idle| idle.memory);
        let loaded = results.of("http1-32-1k", contestant).last().map(|sample| sample.memory);
        let burst = results.bursts.iter().find(|burst| burst.contestant == contestant);
        let burst = [burst.map(|burst| burst.before), burst.map(|burst| burst.under), burst.map(|burst| burst.after)];
        let cells = [&[idle, loaded], burst.as_slice()].concat();
        if cells.iter().any(Option::is_some) {
            let cells = cells.into_iter().map(|memory| memory.map_or_else(|| String::from("-"), both_memories));
            table.add_row([contestant.name().to_owned()].into_iter().chain(cells));
        }
    }
    unless_empty(table)
}

fn held(results: &Results) -> Option<Table> {
    let mut table = table(&words(&["contestant", "a client's", "with mutual TLS, to the inbound sidecar"]));
    let kilobytes = |kib: f64| shown(kib * 1.024);
    for held in &results.held {
        let client = format!("{} + {}", kilobytes(held.client.outbound), kilobytes(held.client.inbound));
        let mesh = held.mesh.map_or_else(|| String::from("-"), kilobytes);
        table.add_row([held.contestant.name().to_owned(), client, mesh]);
    }
    unless_empty(table)
}

fn idle(results: &Results) -> Option<Table> {
    let mut table = table(&words(&["contestant", "CPU, ms a second", "wake-ups in 10 s"]));
    for idle in &results.idle {
        let cpu = format!("{:.3} + {:.3}", idle.cpu_ms_per_second.outbound, idle.cpu_ms_per_second.inbound);
        let sleeps = format!("{} + {}", idle.sleeps.outbound, idle.sleeps.inbound);
        table.add_row([idle.contestant.name().to_owned(), cpu, sleeps]);
    }
    unless_empty(table)
}

fn growth(results: &Results) -> Option<Table> {
    let growth = results.growth.as_ref()?;
    let mut table = table(&words(&["services", "CPU, µs for a request (http1-32-1k)", "idle memory, MB"]));
    for known in [&growth.few, &growth.many] {
        let cpu = Spread::of(known.cpu_us_per_request.iter().copied());
        table.add_row([known.services.to_string(), spread(cpu), both_memories(known.memory)]);
    }
    Some(table)
}

fn tls(results: &Results) -> Option<Table> {
    let mut table = table(&words(&["contestant", "key exchange, cipher"]));
    for contestant in contestants(results) {
        let agreed = results.samples.iter().filter(|sample| sample.contestant == contestant);
        if let Some(agreed) = agreed.filter_map(|sample| sample.tally.tls.clone()).next_back() {
            table.add_row([contestant.name().to_owned(), agreed]);
        }
    }
    unless_empty(table)
}

fn errors(results: &Results) -> Option<Table> {
    let mut table = table(&words(&["scenario", "contestant", "round", "failed", "answered"]));
    for sample in results.errors() {
        let (failed, answered) = (sample.tally.errors.to_string(), sample.tally.requests.to_string());
        table.add_row([
            sample.scenario.clone(),
            sample.contestant.name().to_owned(),
            (sample.round + 1).to_string(),
            failed,
            answered,
        ]);
    }
    unless_empty(table)
}
