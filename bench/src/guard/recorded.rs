//! The figures that the code is held to: `bench/instructions.yaml`.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use serde::Deserialize;

use super::ground::Ground;

const HEAD: &str = "\
# Instructions that each proxy of a pair executes per request, exchange, connection or KiB (see bench/src/guard/scenario.rs).
# `cargo run -p bench -- guard` counts them anew and compares; with --record it writes this file. Commit it with the change that
# moved them, and say there why.
";

/// What was recorded.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recorded {
    /// Where they were counted.
    pub ground: Ground,
    /// By the scenario's name.
    pub scenarios: BTreeMap<String, Figures>,
}

/// Instructions per unit of a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figures {
    /// Of the proxy at the client.
    pub outbound: u64,
    /// Of the proxy at the app.
    pub inbound: u64,
}

/// One of the pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proxy {
    /// The one at the client.
    Outbound,
    /// The one at the app.
    Inbound,
}

impl Proxy {
    /// Both, in the order in which a request meets them.
    pub const BOTH: [Self; 2] = [Self::Outbound, Self::Inbound];

    /// As it is called in files and tables.
    pub fn word(self) -> &'static str {
        match self {
            Self::Outbound => "outbound",
            Self::Inbound => "inbound",
        }
    }
}

impl Figures {
    /// Those of one proxy.
    pub fn of(self, proxy: Proxy) -> u64 {
        match proxy {
            Proxy::Outbound => self.outbound,
            Proxy::Inbound => self.inbound,
        }
    }
}

impl Recorded {
    /// Reads the file; `None` when there is none yet.
    ///
    /// # Errors
    /// What is wrong with it, and in which line.
    pub fn read() -> anyhow::Result<Option<Self>> {
        let path = path();
        if !path.exists() {
            return Ok(None);
        }
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let recorded = serde_saphyr::from_str(&text).map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))?;
        Ok(Some(recorded))
    }

    /// Writes the file.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self) -> anyhow::Result<()> {
        let path = path();
        fs::write(&path, self.to_yaml()).with_context(|| format!("cannot write {}", path.display()))
    }

    fn to_yaml(&self) -> String {
        let Ground { compiler, valgrind, processor } = &self.ground;
        let mut text = format!(
            "{HEAD}\nground:\n  compiler: \"{compiler}\"\n  valgrind: \"{valgrind}\"\n  processor: \"{processor}\"\n\nscenarios:\n"
        );
        for (name, Figures { outbound, inbound }) in &self.scenarios {
            // A `String` takes whatever is written.
            let _ = writeln!(text, "  {name}: {{outbound: {outbound}, inbound: {inbound}}}");
        }
        text
    }
}

/// Where the file is.
pub fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("instructions.yaml")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let ground = Ground {
            compiler: "rustc 1.95.0 (59807616e)".into(),
            valgrind: "valgrind-3.19.0".into(),
            processor: "x86_64".into(),
        };
        let scenarios = [("bulk".to_owned(), Figures { outbound: 5_400, inbound: 4_100 })].into();
        let recorded = Recorded { ground, scenarios };
        assert_eq!(serde_saphyr::from_str::<Recorded>(&recorded.to_yaml()).unwrap(), recorded);
    }

    #[test]
    fn the_file_names_scenarios_that_exist() {
        let recorded = Recorded::read().unwrap().expect("figures are recorded");
        let existing: Vec<&str> = super::super::scenario::ALL.iter().map(|scenario| scenario.name).collect();
        for name in recorded.scenarios.keys() {
            assert!(existing.contains(&name.as_str()), "{name} is recorded, and is no scenario any more: remove its line");
        }
        assert_eq!(recorded.scenarios.len(), existing.len(), "a scenario is not recorded: `guard --record`");
    }
}
