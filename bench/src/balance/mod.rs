//! What a slow replica costs its callers, by each way to balance.
//!
//! ```text
//! load ─▶ the client's weft-proxy ─┬─▶ weft-proxy ─▶ app      four that answer at once,
//!                                  └─▶ weft-proxy ─▶ app      and one that takes its time
//! ```
//!
//! A mesh of `weft up`, and one service for each balancer before the same five endpoints: all are measured in one run, in turn.

mod figures;
mod objects;
mod report;

use anyhow::{Context as _, ensure};
use serde_json::Value;
use tests::{Mesh, script};

use crate::{building, host::Host, output::Output};

use figures::{Figures, Load};

/// Measures each way to balance over five endpoints of which one is slow.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How often each is measured.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=100))]
    rounds: u16,
    /// Seconds of each measurement.
    #[arg(long, value_name = "S", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=60))]
    seconds: u16,
    /// Requests per second.
    #[arg(long, value_name = "N", default_value_t = 300, value_parser = clap::value_parser!(u16).range(1..=1000))]
    rate: u16,
    /// Milliseconds that the slow one takes.
    #[arg(long, value_name = "MS", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1000))]
    slow: u16,
    #[command(flatten)]
    output: Output,
}

/// Measures, and writes what was measured.
///
/// # Errors
/// What went wrong.
pub fn run(args: Args) -> anyhow::Result<()> {
    build()?;
    let mesh = Mesh::up_with(&objects::all(), &[("mood-cart-0", &format!("slow {}", args.slow))]);
    (0..objects::ENDPOINTS).for_each(|number| mesh.ready(&format!("cart-{number}-0")));
    let mut loads: Vec<(&str, Vec<Load>)> = objects::BALANCERS.iter().map(|balancer| (*balancer, Vec::new())).collect();
    for round in 0..=args.rounds {
        for (balancer, measured) in &mut loads {
            let load = measure(&mesh, &objects::service_of(balancer), &args).with_context(|| format!("with {balancer}"))?;
            // In the first everything is new to everybody.
            if round > 0 {
                measured.push(load);
            }
        }
        eprintln!("round {round} of {}", args.rounds);
    }
    let command = std::env::args().skip(1).collect::<Vec<_>>().join(" ");
    let Args { rate, slow, rounds, seconds, .. } = args;
    let balancers = loads.iter().filter_map(|(balancer, loads)| figures::of(balancer, loads)).collect();
    let figures = Figures { host: Host::here(), command, rate, slow_ms: slow, rounds, seconds, balancers };
    args.output.write("balance", &figures, &report::markdown(&figures))
}

/// A mesh is of the programs that lie beside this one.
fn build() -> anyhow::Result<()> {
    let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
    for program in [building::CONTROL, building::PROXY, building::WEFT] {
        program.built(profile, None)?;
    }
    Ok(())
}

fn measure(mesh: &Mesh, service: &str, args: &Args) -> anyhow::Result<Load> {
    let (rate, seconds) = (args.rate.to_string(), args.seconds.to_string());
    let said = mesh.succeed("client", &["python3", &script("moody/load.py"), service, "/", &rate, &seconds]);
    let told: Value = serde_json::from_str(said.lines().last().unwrap_or_default())?;
    let load = Load::read(&told).with_context(|| format!("the load says {told}"))?;
    ensure!(load.failed == 0.0, "{} requests failed", load.failed);
    Ok(load)
}
