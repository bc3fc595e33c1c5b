//! What a comparison ran on, with and how.

use std::{collections::BTreeMap, process::Command};

use serde::{Deserialize, Serialize};

use super::{Arguments, inside::Task};
use crate::{clock, folders, host::Host};

/// Machine, programs, command, date.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct About {
    pub(crate) host: Host,
    /// What each program says of its version.
    pub(crate) versions: BTreeMap<String, String>,
    /// The commit of Weft.
    pub(crate) commit: String,
    /// How Weft was built.
    pub(crate) build: String,
    pub(crate) command: String,
    pub(crate) rounds: u32,
    pub(crate) seconds: u64,
    /// Seconds of Unix time at the start.
    pub(crate) began: u64,
}

impl About {
    /// Of this machine and `task`.
    pub(crate) fn of(task: &Task) -> Self {
        let Arguments { rounds, seconds, programs, .. } = &task.arguments;
        let built = match programs {
            None => String::from("profile `dist` (fat LTO, one codegen unit), as shipped"),
            Some(folder) => format!("ready built, in {}", folder.display()),
        };
        Self {
            host: Host::here(),
            versions: task.programs.versions.clone(),
            commit: commit().unwrap_or_else(|| String::from("unknown")),
            build: built,
            command: task.command.clone(),
            rounds: *rounds,
            seconds: *seconds,
            began: clock::wall().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs()),
        }
    }

    /// The day it began, as people write it.
    pub(crate) fn day(&self) -> String {
        let began = i64::try_from(self.began).ok().and_then(|began| time::OffsetDateTime::from_unix_timestamp(began).ok());
        began.map_or_else(String::new, |began| began.date().to_string())
    }
}

/// The commit, and whether there is more than that.
fn commit() -> Option<String> {
    let mut git = Command::new("git");
    let output = git.arg("-C").arg(folders::workspace()).args(["describe", "--always", "--dirty"]).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
