//! Programs of Weft: built, or found where they were built before.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::folders;

/// A program of Weft.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Program {
    /// As its file is called.
    pub(crate) name: &'static str,
    package: &'static str,
}

/// The control component.
pub(crate) const CONTROL: Program = Program { name: "weft-control", package: "control" };

/// The sidecar.
pub(crate) const PROXY: Program = Program { name: "weft-proxy", package: "proxy" };

/// What people type.
pub(crate) const WEFT: Program = Program { name: "weft", package: "cli" };

impl Program {
    /// Where it is: in the folder `ready`, if there is one, or built with a profile of cargo's.
    ///
    /// # Errors
    /// It is not there, or cannot be built.
    pub(crate) fn built(self, profile: &str, ready: Option<&Path>) -> anyhow::Result<PathBuf> {
        self.found(ready, || self.build(profile, &[self]))
    }

    /// The same of what is shipped.
    ///
    /// # Errors
    /// It is not there, or cannot be built.
    pub(crate) fn shipped(self, ready: Option<&Path>) -> anyhow::Result<PathBuf> {
        // Built together they share what they are made of.
        self.found(ready, || self.build("dist", &[CONTROL, PROXY]))
    }

    fn found(self, ready: Option<&Path>, build: impl FnOnce() -> anyhow::Result<PathBuf>) -> anyhow::Result<PathBuf> {
        let path = match ready {
            Some(folder) => folder.join(self.name),
            None => build()?,
        };
        ensure!(path.is_file(), "{} is not there", path.display());
        Ok(path)
    }

    fn build(self, profile: &str, together: &[Self]) -> anyhow::Result<PathBuf> {
        let name = self.name;
        eprintln!("building {name} with the profile {profile}; the first time takes some minutes");
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
        cargo.current_dir(folders::workspace()).args(["build", "--profile", profile]);
        cargo.args(together.iter().flat_map(|program| ["--package", program.package]));
        // Whatever the target folder is: cargo says where it put it.
        cargo.args(["--message-format", "json-render-diagnostics"]).stdin(Stdio::null()).stderr(Stdio::inherit());
        let output = cargo.output().context("cannot run cargo")?;
        ensure!(output.status.success(), "cargo failed ({})", output.status);
        executable(&String::from_utf8(output.stdout)?, name).with_context(|| format!("cargo did not build {name}"))
    }
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
