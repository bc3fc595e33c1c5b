//! What control costs, and how soon the last of many sidecars knows of a change.
//!
//! ```text
//! manifests ──edit──▶ weft-control ──mutual TLS, incremental xDS──▶ crowd of subscribers ──▶ when did the last of them know?
//!                          └ `program`: time, memory, CPU
//! ```
//!
//! `subscriber` stands in a pod's place as far as control can tell: it has an address, buys its certificate with a token, and
//! speaks what `proxy/src/feed` speaks (`conversation`). `measure` says what is done, `figures` what is told.

mod conversation;
mod crowd;
mod figures;
mod manifests;
mod measure;
mod metered;
mod program;
mod report;
mod subscriber;

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::runtime::Builder;

use figures::Figures;
use manifests::{POPULAR, Size, Source};
use measure::Plan;

use crate::{building, host::Host, output::Output};

/// The most services: each has 64 of the addresses from 10.128.0.0 on.
const SERVICES_MAX: i64 = 20_000;

/// Measures control.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How many sidecars follow control, one measurement after another.
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_values_t = [10, 100, 1000], value_parser = clap::value_parser!(u16).range(1..=10_000))]
    subscribers: Vec<u16>,
    /// Services in the mesh, at least ten.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u16).range(i64::from(POPULAR)..=SERVICES_MAX))]
    services: u16,
    /// Endpoints of each.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=64))]
    endpoints: u16,
    /// Edits, one after another, from which the median is taken.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
    edits: u16,
    /// Edits per second of churn.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=100))]
    churn_rate: u16,
    /// Seconds of churn.
    #[arg(long, value_name = "S", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=100))]
    churn_seconds: u16,
    /// Where `weft-control` is, in place of building it as it is shipped.
    #[arg(long, value_name = "DIR")]
    programs: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
}

/// Measures, and writes what was measured.
///
/// # Errors
/// What went wrong.
pub fn run(args: Args) -> anyhow::Result<()> {
    if cfg!(debug_assertions) {
        eprintln!("bench: subscribers that are not optimised take processors from control; use `cargo run --release`");
    }
    allow_many_files()?;
    let program = building::CONTROL.shipped(args.programs.as_deref())?;
    let folder = tempfile::tempdir()?;
    // The most first: later crowds are subscribers of the same mesh.
    let subscribers = args.subscribers.iter().copied().max().unwrap_or_default();
    let size = Size { services: args.services, endpoints: args.endpoints, subscribers };
    let mut source = Source::write(folder.path(), size)?;
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let figures = runtime.block_on(measure(&args, &program, &mut source, folder.path()))?;
    args.output.write("control", &figures, &report::markdown(&figures))
}

async fn measure(args: &Args, program: &Path, source: &mut Source, folder: &Path) -> anyhow::Result<Figures> {
    let plan = Plan { edits: args.edits, churn_rate: args.churn_rate, churn_seconds: args.churn_seconds };
    eprintln!("measuring control alone");
    let alone = measure::alone(program, source, folder).await?;
    let mut crowds = Vec::new();
    for subscribers in &args.subscribers {
        eprintln!("measuring with {subscribers} subscribers");
        let crowd = measure::crowd(*subscribers, program, source, folder, plan).await;
        crowds.push(crowd.with_context(|| format!("with {subscribers} subscribers"))?);
    }
    Ok(Figures {
        host: Host::here(),
        command: std::env::args().skip(1).collect::<Vec<_>>().join(" "),
        services: args.services,
        endpoints: u32::from(args.services) * u32::from(args.endpoints),
        alone,
        crowds,
    })
}

/// A connection is an open file, here and in control, which inherits the limit; what is usual allows for a thousand.
fn allow_many_files() -> anyhow::Result<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).context("cannot raise the limit of open files")
}
