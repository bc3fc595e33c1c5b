//! The machine that is measured on.

use std::{fmt, fs, thread};

use serde::{Deserialize, Serialize};

/// A machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Host {
    /// As the processor calls itself.
    processor: String,
    /// How many threads it runs at once.
    threads: usize,
    memory_mib: u64,
    kernel: String,
}

impl Host {
    /// This one.
    pub(crate) fn here() -> Self {
        let memory = line_of("/proc/meminfo", "MemTotal");
        let kib: Option<u64> = memory.and_then(|memory| memory.split_whitespace().next()?.parse().ok());
        Self {
            processor: line_of("/proc/cpuinfo", "model name").unwrap_or_else(|| String::from("unknown processor")),
            threads: thread::available_parallelism().map_or(0, usize::from),
            memory_mib: kib.unwrap_or(0) / 1024,
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { processor, threads, memory_mib, kernel } = self;
        write!(f, "{processor}, {threads} threads, {memory_mib} MiB, Linux {kernel}")
    }
}

fn line_of(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
