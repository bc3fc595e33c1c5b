//! Weft's own programs, as they are shipped.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, ensure};
use serde_json::Value;

use super::super::folders;

const NAMES: [&str; 2] = ["weft-control", "weft-proxy"];

/// Where control and the proxy are: in `ready_built`, or built with the profile `dist`.
///
/// # Errors
/// They are not there, or cannot be built.
pub(super) fn programs(ready_built: Option<&Path>) -> anyhow::Result<[PathBuf; 2]> {
    let built = match ready_built {
        Some(folder) => NAMES.map(|name| folder.join(name)),
        None => build()?,
    };
    for path in &built {
        ensure!(path.is_file(), "{} is not there", path.display());
    }
    Ok(built)
}

fn build() -> anyhow::Result<[PathBuf; 2]> {
    eprintln!("building weft-control and weft-proxy as they are shipped; the first time takes some minutes");
    let mut cargo = Command::new("cargo");
    cargo.current_dir(folders::workspace()).args(["build", "--profile", "dist", "--package", "control", "--package", "proxy"]);
    // Whatever the target folder is: cargo says where it put them.
    cargo.args(["--message-format", "json-render-diagnostics"]).stdin(Stdio::null()).stderr(Stdio::inherit());
    let output = cargo.output().context("cannot run cargo")?;
    ensure!(output.status.success(), "cargo failed ({})", output.status);
    let said = String::from_utf8(output.stdout)?;
    let found = |name: &str| executable(&said, name).with_context(|| format!("cargo did not build {name}"));
    Ok([found(NAMES[0])?, found(NAMES[1])?])
}

/// The program `name` among cargo's messages.
fn executable(said: &str, name: &str) -> Option<PathBuf> {
    let messages = said.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut executables = messages.filter_map(|message| Some(PathBuf::from(message["executable"].as_str()?)));
    executables.find(|path| path.file_name().is_some_and(|found| found == name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_among_cargos_messages() {
        let said = "{\"reason\":\"compiler-artifact\",\"executable\":null}\n\
            {\"reason\":\"compiler-artifact\",\"executable\":\"/t/dist/weft-proxy\"}\n{\"reason\":\"build-finished\"}\n";
        assert_eq!(executable(said, "weft-proxy"), Some(PathBuf::from("/t/dist/weft-proxy")));
        assert_eq!(executable(said, "weft-control"), None);
    }
}
