//! What people see at the end: tables, a plot, the budget, and what is not fair about it.

mod budget;
mod plot;
mod prose;
mod tables;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;

use super::{Arguments, results::Results};
use crate::folders;

/// Name of the plot, beside the page that shows it.
const PLOT: &str = "RESULTS.svg";

/// Writes the results to files and shows them.
///
/// # Errors
/// A file cannot be written.
pub(crate) fn tell(results: &Results, arguments: &Arguments) -> anyhow::Result<()> {
    let page = page(results);
    let out = arguments.out.clone().unwrap_or_else(|| folders::target().join("bench"));
    let json = serde_json::to_string_pretty(results)?;
    let mut written = write(&out, &[("RESULTS.md", &page), (PLOT, &plot::draw(results)), ("results.json", &json)])?;
    if arguments.publish {
        written.extend(write(&folders::workspace().join("bench"), &[("RESULTS.md", &page), (PLOT, &plot::draw(results))])?);
    }
    if arguments.json {
        println!("{json}");
    } else {
        println!("{}", tables::all(results));
    }
    written.iter().for_each(|file| eprintln!("written: {}", file.display()));
    Ok(())
}

fn write(folder: &Path, files: &[(&str, &str)]) -> anyhow::Result<Vec<PathBuf>> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let write = |(name, text): &(&str, &str)| {
        let file = folder.join(name);
        fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
        Ok(file)
    };
    files.iter().map(write).collect()
}

fn page(results: &Results) -> String {
    let about = prose::about(results);
    format!("{about}\n![CPU of a pair of sidecars]({PLOT})\n\n{}\n{}", tables::all(results), prose::unfair(results))
}
