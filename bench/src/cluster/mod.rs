//! What a thousand Services cost in a real cluster: control, and a sidecar that calls ten of them.
//!
//! ```text
//! bench ──objects──▶ API server ──watches──▶ weft-control ──discovery──▶ the client's weft-proxy
//!   └──────────────── memory, CPU and admin port of ─────┴───────────────────────┘
//! ```
//!
//! The cluster is that of `tests`, with a node, what `weft install` prints, and programs as they are shipped. `objects` are what is
//! written to it and `api` is how; `container` is a program in a pod, seen from the machine; `mesh` is what can be done to all of it.
//! `measure` says what is done, `figures` what is told.

mod api;
mod container;
mod figures;
mod measure;
mod mesh;
mod objects;
mod report;
mod waiting;

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, ensure};

use api::Api;
use figures::{Figures, Size};
use mesh::Mesh;

use crate::{building, host::Host, output::Output};

/// The most services: their addresses are of one /16.
const SERVICES_MAX: i64 = 20_000;

/// Measures control and a sidecar in a cluster.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Services in the end.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u16).range(1..=SERVICES_MAX))]
    services: u16,
    /// Services in the beginning; the client calls these.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=100))]
    called: u16,
    /// Endpoints of each.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=64))]
    endpoints: u16,
    /// Changes of an endpoint, one after another, from which the median is taken.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
    edits: u16,
    /// Losses of control, one after another, from which the median is taken.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=100))]
    losses: u16,
    /// Seconds in which nothing happens.
    #[arg(long, value_name = "S", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=600))]
    calm: u16,
    /// Where `weft`, `weft-control` and `weft-proxy` are, in place of building the latter two as they are shipped.
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
    ensure!(args.called < args.services, "in the end there must be more services than in the beginning");
    let ready = args.programs.as_deref();
    // What it prints is the same whatever it is built with.
    let weft = building::WEFT.built("dev", ready)?;
    let proxy = building::PROXY.shipped(ready)?;
    let programs = proxy.parent().context("the proxy is in no folder")?;
    let figures = measure(&args, programs, &weft)?;
    args.output.write("cluster", &figures, &report::markdown(&figures))
}

fn measure(args: &Args, programs: &Path, weft: &Path) -> anyhow::Result<Figures> {
    eprintln!("bringing up a cluster");
    let cluster = tests::node_of(programs).context("there can be no node on this machine")?;
    tests::install(&cluster, Command::new(weft), &["--replicas", "1"]);
    let api = Api::connect(cluster.kubeconfig())?;
    let kubernetes = api.version()?;
    let mut mesh = Mesh::begin(&cluster, api, Size { services: args.called, endpoints: args.endpoints })?;
    eprintln!("measuring with {} services", args.called);
    let few = measure::stage(&mut mesh, args.into())?;
    eprintln!("writing {} services", args.services);
    let taking_in = measure::taking_in(&mut mesh, args.services)?;
    eprintln!("measuring with {} services", args.services);
    let many = measure::stage(&mut mesh, args.into())?;
    let command = std::env::args().skip(1).collect::<Vec<_>>().join(" ");
    Ok(Figures { host: Host::here(), command, kubernetes, taking_in, stages: vec![few, many] })
}
