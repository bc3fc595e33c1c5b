//! `bench compare`: pairs of sidecars side by side, interleaved in one run.
//!
//! ```text
//! client's pod: load ─▶ redirect rules ─▶ sidecar ═══ mutual TLS 1.3 ═══▶ server's pod: redirect rules ─▶ sidecar ─▶ app
//! ```
//!
//! | file | what |
//! |---|---|
//! | `args`, `choice` | what was asked for, less what is missing |
//! | `programs` | programs of others, installed; ours, built |
//! | `inside` | namespaces of our own, in which everything below happens |
//! | `run`, `rounds`, `sample`, `trials` | what is measured when |
//! | `scenarios` | the loads |
//! | `pair`, `network`, `process` | pods, and what runs in them |
//! | `contestants`, `relay` | the sidecars; the bare relay that is the floor |
//! | `apps`, `load`, `grpc` | what answers and what asks |
//! | `identities` | one authority for all |
//! | `proof` | that Weft did what it says |
//! | `results`, `figures`, `about` | what came of it |
//! | `report`, `progress` | what people see |

mod about;
pub(crate) mod apps;
mod args;
mod choice;
mod contestants;
mod figures;
mod grpc;
mod identities;
mod inside;
pub(crate) mod load;
mod network;
mod nginx;
mod pair;
mod place;
mod process;
mod programs;
mod progress;
mod proof;
pub(crate) mod relay;
mod report;
mod results;
mod rounds;
mod run;
mod sample;
mod scenarios;
mod traffic;
mod trials;

use std::process::ExitCode;

pub(crate) use args::Arguments;
use choice::Wish;
use trials::Trial;

/// Prepares what is needed, and compares inside of namespaces that are made for it.
///
/// # Errors
/// Something that is needed cannot be had, or nothing could be measured.
pub(crate) fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    if arguments.list {
        list();
        return Ok(ExitCode::SUCCESS);
    }
    let wish = Wish::of(&arguments)?;
    let programs = programs::Programs::gather(&wish.needs(), arguments.programs.as_deref());
    programs.missing.iter().for_each(|missing| eprintln!("bench: {missing}"));
    let command = std::env::args().skip(1).collect::<Vec<_>>().join(" ");
    inside::enter(&inside::Task { arguments, programs, command, own_program: std::env::current_exe()? })
}

/// Carries out a task of [`run`]'s, inside. Fails also when any request did.
///
/// # Errors
/// As for [`run`].
pub(crate) fn inside(task: &str) -> anyhow::Result<ExitCode> {
    let task = inside::settle(task)?;
    let results = run::compare(&task)?;
    report::tell(&results, &task.arguments)?;
    let failed = results.errors().map(|sample| sample.tally.errors).sum::<u64>();
    if failed > 0 {
        eprintln!("bench: {failed} REQUESTS FAILED; see the table of errors");
    }
    Ok(if failed == 0 && results.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn list() {
    for scenario in scenarios::all() {
        let unusual = if scenario.usual { "" } else { " (by name only)" };
        println!("{:14} {}{unusual}", scenario.name, scenario.about);
    }
    Trial::ALL.iter().for_each(|trial| println!("{:14} {}", trial.name(), trial.about()));
}
