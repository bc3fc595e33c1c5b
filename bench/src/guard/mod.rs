//! A guard against growing slower that depends neither on how fast a machine is nor on how busy: the instructions per request
//! of a pair of proxies, counted, and compared with what is recorded.
//!
//! ```text
//! client ─▶ outbound proxy ─▶ mesh TLS ─▶ inbound proxy ─▶ app
//! └ traffic ┘└ pair: both under callgrind ┘└ traffic ┘
//! ```
//!
//! `scenario` says what is counted, `count` walks a fresh pair through it, `comparison` holds it against what is `recorded`.
//! Connections are made and warmed up before counting begins, so that start-up, handshakes and random keys stay out of the
//! figures. What the kernel does for a proxy is not counted either.

mod callgrind;
mod comparison;
mod count;
mod ground;
mod pair;
mod recorded;
mod report;
mod scenario;
mod traffic;

use std::{collections::BTreeMap, path::PathBuf};

use clap::builder::PossibleValuesParser;

use comparison::Comparison;
use ground::Ground;
use recorded::{Figures, Proxy, Recorded};
use scenario::Scenario;

use crate::building;

/// Counts instructions per request.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Record what is counted, for later runs to compare with.
    #[arg(long)]
    record: bool,
    /// Count this scenario alone; may be repeated.
    #[arg(long, value_name = "SCENARIO", value_parser = PossibleValuesParser::new(scenario::ALL.map(|scenario| scenario.name)))]
    only: Vec<String>,
    /// Keep the profiles here, for `callgrind_annotate --threshold=100` or KCachegrind.
    #[arg(long, value_name = "DIR")]
    profiles: Option<PathBuf>,
    /// Where `weft-proxy` is, in place of building it with the profile `guard`.
    #[arg(long, value_name = "DIR")]
    programs: Option<PathBuf>,
    /// Count so often, each time with a new pair. The median is taken, and the spread told.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
}

/// Counts, and compares or records.
///
/// # Errors
/// Figures that are not what is recorded, or what went wrong.
pub fn run(args: Args) -> anyhow::Result<()> {
    let ground = Ground::here()?;
    let program = building::PROXY.built("guard", args.programs.as_deref())?;
    let scenarios: Vec<Scenario> = scenario::ALL.into_iter().filter(|scenario| args.wants(scenario)).collect();
    let mut rounds = Vec::new();
    for scenario in &scenarios {
        eprintln!("counting {}", scenario.name);
        let figures: anyhow::Result<Vec<_>> =
            (0..args.rounds).map(|_| count::count(&program, scenario, args.profiles.as_deref())).collect();
        rounds.push(figures?);
    }
    let recorded = Recorded::read()?;
    let comparisons = compare(&scenarios, &rounds, recorded.as_ref());
    println!("{}", report::table(&comparisons));
    if args.record {
        return record(&comparisons, ground, recorded);
    }
    match recorded {
        Some(recorded) if recorded.ground != ground => {
            println!(
                "This says nothing: what is recorded was counted elsewhere.\n  there: {}\n  here:  {ground}",
                recorded.ground
            );
            Ok(())
        }
        _ => report::judge(&comparisons),
    }
}

impl Args {
    fn wants(&self, scenario: &Scenario) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| name == scenario.name)
    }
}

/// Two comparisons for each scenario, one for each proxy.
fn compare(scenarios: &[Scenario], rounds: &[Vec<Figures>], recorded: Option<&Recorded>) -> Vec<Comparison> {
    let mut comparisons = Vec::new();
    for (scenario, rounds) in scenarios.iter().zip(rounds) {
        let recorded = recorded.and_then(|recorded| recorded.scenarios.get(scenario.name));
        for proxy in Proxy::BOTH {
            let rounds = rounds.iter().map(|figures| figures.of(proxy)).collect();
            let recorded = recorded.map(|figures| figures.of(proxy));
            comparisons.push(Comparison { scenario: *scenario, proxy, rounds, recorded });
        }
    }
    comparisons
}

/// Writes what was counted. Scenarios that were not counted keep their figures, if those are of the same ground.
fn record(comparisons: &[Comparison], ground: Ground, before: Option<Recorded>) -> anyhow::Result<()> {
    let kept = before.filter(|before| before.ground == ground).map(|before| before.scenarios).unwrap_or_default();
    let existing = |name: &String| scenario::ALL.iter().any(|scenario| scenario.name == name);
    let mut scenarios: BTreeMap<_, _> = kept.into_iter().filter(|(name, _)| existing(name)).collect();
    for pair in comparisons.chunks_exact(2) {
        let figures = Figures { outbound: pair[0].counted(), inbound: pair[1].counted() };
        scenarios.insert(pair[0].scenario.name.to_owned(), figures);
    }
    Recorded { ground, scenarios }.write()?;
    println!("Recorded in {}.", recorded::path().display());
    Ok(())
}
