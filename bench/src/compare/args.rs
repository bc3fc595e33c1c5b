//! What can be asked of a comparison.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::contestants::Contestant;

/// What to compare, and how long.
#[derive(Clone, Debug, clap::Args, Serialize, Deserialize)]
pub(crate) struct Arguments {
    /// Scenarios, by name or by the beginning of their names; all of the default ones when absent
    #[arg(long, value_delimiter = ',', value_name = "NAME,…")]
    pub(crate) scenarios: Vec<String>,
    /// Who is compared; all when absent
    #[arg(long, value_delimiter = ',', value_name = "NAME,…")]
    pub(crate) contestants: Vec<Contestant>,
    /// How often everything is measured
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) rounds: u32,
    /// How long each measurement takes
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=60))]
    pub(crate) seconds: u64,
    /// Folder with a ready-built weft-control and weft-proxy; without it they are built as they are shipped
    #[arg(long, value_name = "DIR")]
    pub(crate) programs: Option<PathBuf>,
    /// Folder for the results: Markdown, JSON and a plot
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Print the results as JSON instead of tables
    #[arg(long)]
    pub(crate) json: bool,
    /// Write bench/RESULTS.md and its plot too
    #[arg(long)]
    pub(crate) publish: bool,
    /// Name the scenarios, and measure nothing
    #[arg(long)]
    pub(crate) list: bool,
}
