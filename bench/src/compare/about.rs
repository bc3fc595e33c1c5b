//! What a comparison ran on, with and how.

use std::{collections::BTreeMap, fs, process::Command, thread};

use serde::{Deserialize, Serialize};

use super::{Arguments, folders, inside::Task};
use crate::clock;

/// Machine, programs, command, date.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct About {
    /// As the processor calls itself.
    pub(crate) processor: String,
    /// How many threads it runs at once.
    pub(crate) threads: usize,
    pub(crate) memory_mib: u64,
    pub(crate) kernel: String,
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
            processor: line_of("/proc/cpuinfo", "model name").unwrap_or_else(|| String::from("unknown")),
            threads: thread::available_parallelism().map_or(0, usize::from),
            memory_mib: memory_kib() / 1024,
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
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

fn line_of(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn memory_kib() -> u64 {
    let total = line_of("/proc/meminfo", "MemTotal");
    total.and_then(|total| total.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// The commit, and whether there is more than that.
fn commit() -> Option<String> {
    let mut git = Command::new("git");
    let output = git.arg("-C").arg(folders::workspace()).args(["describe", "--always", "--dirty"]).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
