//! Where figures go, and the page that people read of them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use serde::Serialize;

use crate::folders;

/// What was asked for.
#[derive(Debug, clap::Args)]
pub(crate) struct Output {
    /// Write the page to the folder `bench` too, in capital letters.
    #[arg(long)]
    publish: bool,
    /// Where the page and the figures (JSON) go [default: target/bench].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl Output {
    /// Writes `figures` and their `page` to files called `name`, and prints the page.
    ///
    /// # Errors
    /// A file cannot be written.
    pub(crate) fn write(self, name: &str, figures: &impl Serialize, page: &str) -> anyhow::Result<()> {
        let out = self.out.unwrap_or_else(|| folders::target().join("bench"));
        write(&out, &format!("{name}.json"), &serde_json::to_string_pretty(figures)?)?;
        write(&out, &format!("{name}.md"), page)?;
        if self.publish {
            write(&folders::workspace().join("bench"), &format!("{}.md", name.to_uppercase()), page)?;
        }
        println!("{page}\nWritten to {}", out.display());
        Ok(())
    }
}

fn write(folder: &Path, name: &str, text: &str) -> anyhow::Result<()> {
    let path = folder.join(name);
    fs::create_dir_all(folder).and_then(|()| fs::write(&path, text)).with_context(|| format!("cannot write {}", path.display()))
}
