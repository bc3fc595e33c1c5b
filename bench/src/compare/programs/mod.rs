//! Programs that a comparison needs: found, installed or built. What cannot be had is left out, and said to be.

mod debian;
mod envoy;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};

use crate::building;

/// Debian's: the program, its package, and how it tells its version.
const DEBIAN: [(&str, &str, &str); 5] = [
    ("haproxy", "haproxy", "-v"),
    ("nginx", "nginx-light", "-v"),
    ("wrk", "wrk", "-v"),
    ("h2load", "nghttp2-client", "--version"),
    ("nghttpd", "nghttp2-server", "--version"),
];

/// nginx's module for opaque connections, and its package.
const STREAM_MODULE: (&str, &str) = ("/usr/lib/nginx/modules/ngx_stream_module.so", "libnginx-mod-stream");

/// Name of nginx's module for opaque connections, among the programs.
pub(crate) const NGINX_STREAM: &str = "nginx's stream module";

/// Where programs are, by their names.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Programs {
    found: BTreeMap<String, PathBuf>,
    /// What each program says of its version.
    pub(crate) versions: BTreeMap<String, String>,
    /// Why others are not there, for people.
    pub(crate) missing: Vec<String>,
}

impl Programs {
    /// Finds, installs or builds those in `wanted`. `ready_built` is a folder with a weft-control and a weft-proxy.
    pub(crate) fn gather(wanted: &[&str], ready_built: Option<&Path>) -> Self {
        let mut programs = Self::default();
        let wants = |name: &str| wanted.contains(&name);
        programs.add_debian(&wants);
        if wants("envoy") {
            programs.add("envoy", envoy::program(), "--version");
        }
        if wants("weft-proxy") {
            for program in [building::CONTROL, building::PROXY] {
                programs.add(program.name, program.shipped(ready_built), "--version");
            }
        }
        programs
    }

    /// Where a program is.
    ///
    /// # Errors
    /// It is missing.
    pub(crate) fn path(&self, name: &str) -> anyhow::Result<&Path> {
        self.found.get(name).map(PathBuf::as_path).with_context(|| format!("{name} is missing"))
    }

    /// The first of `names` that is missing.
    pub(crate) fn lacks<'a>(&self, names: &[&'a str]) -> Option<&'a str> {
        names.iter().copied().find(|name| !self.found.contains_key(*name))
    }

    fn add_debian(&mut self, wants: &dyn Fn(&str) -> bool) {
        let programs = DEBIAN.iter().filter(|(name, ..)| wants(name));
        let there = |name: &str| debian::find(name).is_some();
        let mut packages: Vec<&str> =
            programs.clone().filter(|(name, ..)| !there(name)).map(|(_, package, _)| *package).collect();
        if wants(NGINX_STREAM) && !Path::new(STREAM_MODULE.0).exists() {
            packages.push(STREAM_MODULE.1);
        }
        let installed = debian::install(&packages);
        let found = |name: &str| match (debian::find(name), &installed) {
            (Some(path), _) => Ok(path),
            (None, Err(error)) => Err(anyhow::anyhow!("{error:#}")),
            (None, Ok(())) => Err(anyhow::anyhow!("it is installed, and not where programs are")),
        };
        for (name, _, version) in programs {
            self.add(name, found(name), version);
        }
        if wants(NGINX_STREAM) {
            match Path::new(STREAM_MODULE.0) {
                module if module.exists() => drop(self.found.insert(NGINX_STREAM.to_owned(), module.to_owned())),
                module => self.missing.push(format!("{NGINX_STREAM}: {} is not there", module.display())),
            }
        }
    }

    fn add(&mut self, name: &str, found: anyhow::Result<PathBuf>, version: &str) {
        match found {
            Ok(path) => {
                self.versions.extend(version_of(&path, version).map(|version| (name.to_owned(), version)));
                self.found.insert(name.to_owned(), path);
            }
            Err(error) => self.miss(name, &error),
        }
    }

    fn miss(&mut self, name: &str, error: &anyhow::Error) {
        self.missing.push(format!("{name}: {error:#}"));
    }
}

/// The first line that a program says of its version; some say it on standard error.
fn version_of(program: &Path, flag: &str) -> Option<String> {
    let output = Command::new(program).arg(flag).stdin(Stdio::null()).output().ok()?;
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let line = said.lines().find(|line| !line.trim().is_empty())?;
    // Envoy begins with the path of its program, HAProxy ends with its address.
    let line = line.rsplit_once(" version: ").map_or(line, |(_, version)| version);
    Some(line.split(" - http").next().unwrap_or(line).trim().to_owned())
}

/// Runs a command that must succeed; what it says goes to our standard error, where people see it.
fn succeed(command: &mut Command) -> anyhow::Result<()> {
    let name = command.get_program().display().to_string();
    let status = command.stdin(Stdio::null()).stdout(std::io::stderr()).status().with_context(|| format!("cannot run {name}"))?;
    ensure!(status.success(), "{name} failed ({status})");
    Ok(())
}
