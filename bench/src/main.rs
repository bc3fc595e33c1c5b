//! Measurements of the mesh.
//!
//! | verb | what |
//! |---|---|
//! | `balance` | what a slow replica costs its callers, by each way to balance |
//! | `cluster` | what a thousand Services cost in a real cluster: control, and a sidecar that calls ten of them |
//! | `compare` | pairs of sidecars side by side with those of others |
//! | `control` | what control costs, and how soon the last of many sidecars knows of a change |
//! | `guard` | instructions per request, held against what is recorded |
//!
//! Verbs that begin with `__` are this program's own: the processes it starts inside the pods it builds.

mod admin;
mod balance;
mod building;
mod clock;
mod cluster;
mod compare;
mod control;
mod folders;
mod guard;
mod host;
mod output;
mod statistics;
mod table;
mod usage;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Measures Weft, beside others and by itself.
#[derive(Debug, Parser)]
#[command(name = "bench", version)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Measure what a slow replica costs its callers, by each way to balance
    Balance(balance::Args),
    /// Measure what a thousand Services cost in a real cluster: control, and a sidecar that calls ten of them
    Cluster(cluster::Args),
    /// Compare pairs of sidecars: CPU, speed and memory of Weft, Envoy, HAProxy, nginx and a bare relay, interleaved
    Compare(compare::Arguments),
    /// Measure what control costs, and how soon the last of many sidecars knows of a change
    Control(control::Args),
    /// Count the proxies' instructions per request, and hold them against what is recorded
    Guard(guard::Args),
    #[command(name = "__compare", hide = true)]
    Inside { task: String },
    #[command(name = "__relay", hide = true)]
    Relay(compare::relay::Arguments),
    #[command(name = "__app", hide = true)]
    App(compare::apps::Arguments),
    #[command(name = "__load", hide = true)]
    Load { order: String },
}

fn main() -> ExitCode {
    let done = match Arguments::parse().verb {
        Verb::Balance(arguments) => balance::run(arguments).map(|()| ExitCode::SUCCESS),
        Verb::Cluster(arguments) => cluster::run(arguments).map(|()| ExitCode::SUCCESS),
        Verb::Compare(arguments) => compare::run(arguments),
        Verb::Control(arguments) => control::run(arguments).map(|()| ExitCode::SUCCESS),
        Verb::Guard(arguments) => guard::run(arguments).map(|()| ExitCode::SUCCESS),
        Verb::Inside { task } => compare::inside(&task),
        Verb::Relay(arguments) => compare::relay::run(&arguments).map(|()| ExitCode::SUCCESS),
        Verb::App(arguments) => compare::apps::run(&arguments).map(|()| ExitCode::SUCCESS),
        Verb::Load { order } => compare::load::obey(&order).map(|()| ExitCode::SUCCESS),
    };
    done.unwrap_or_else(|error| {
        eprintln!("bench: {error:#}");
        ExitCode::FAILURE
    })
}
