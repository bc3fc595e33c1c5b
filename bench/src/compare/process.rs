//! Processes we start, and end.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context as _, bail};

use super::network::Pod;
use crate::clock;

/// How often we look whether a process has ended.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A process that runs until this is dropped. What it writes goes to a file.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command` in `pod`; without one, where we are ourselves. Its log goes to the folder `logs`.
    ///
    /// # Errors
    /// The program is not there, or the pod cannot be entered.
    pub(crate) fn start(name: &str, mut command: Command, pod: Option<&Pod>, logs: &Path) -> anyhow::Result<Self> {
        let log = logs.join(format!("{name}.log"));
        // Some programs open their standard error once more: all of them are to write at the end.
        let file = fs::write(&log, "").and_then(|()| File::options().append(true).open(&log));
        let file = file.with_context(|| format!("cannot write {}", log.display()))?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let child = match pod {
            Some(pod) => pod.within(|| command.spawn())?,
            None => command.spawn(),
        };
        let child = child.with_context(|| format!("cannot start {}", command.get_program().display()))?;
        Ok(Self { name: name.to_owned(), child, log })
    }

    /// Its number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Checks that it still runs.
    ///
    /// # Errors
    /// It has ended; the error has its last words.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("{} has ended ({status}):\n{}", self.name, self.last_words()),
        }
    }

    /// The end of what it wrote.
    pub(crate) fn last_words(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(12)..].join("\n")
    }

    /// Waits until it has written a line that is `words`, at most `limit`. Returns whether it has.
    ///
    /// # Errors
    /// It has ended.
    pub(crate) fn await_words(&mut self, words: &str, limit: Duration) -> anyhow::Result<bool> {
        let latest = clock::now() + limit;
        while clock::now() < latest {
            if fs::read_to_string(&self.log)?.lines().any(|line| line == words) {
                return Ok(true);
            }
            self.check()?;
            thread::sleep(LOOK_EVERY);
        }
        Ok(false)
    }

    /// Waits until it has ended well, at most `limit`. Returns what it wrote.
    ///
    /// # Errors
    /// It failed, or did not end; the error has its last words.
    pub(crate) fn finish(mut self, limit: Duration) -> anyhow::Result<String> {
        let latest = clock::now() + limit;
        loop {
            match self.child.try_wait()? {
                Some(status) if status.success() => return Ok(fs::read_to_string(&self.log)?),
                Some(status) => bail!("{} failed ({status}):\n{}", self.name, self.last_words()),
                None if clock::now() > latest => {
                    bail!("{} did not end within {} s:\n{}", self.name, limit.as_secs(), self.last_words())
                }
                None => thread::sleep(LOOK_EVERY),
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
