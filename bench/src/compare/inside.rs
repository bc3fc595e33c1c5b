//! Into namespaces of our own, where a bridge can be built without root and nothing is left behind.

use std::{
    io,
    path::PathBuf,
    process::{Command, ExitCode},
};

use anyhow::Context as _;
use kernel::{
    mount,
    namespace::{self, Kind},
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::{Deserialize, Serialize};

use super::{Arguments, programs::Programs};

const OURS: [Kind; 3] = [Kind::Network, Kind::Process, Kind::Mount];

/// What is to be done inside.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Task {
    pub(crate) arguments: Arguments,
    pub(crate) programs: Programs,
    /// What was typed behind the program's name.
    pub(crate) command: String,
    /// This very program.
    pub(crate) own_program: PathBuf,
}

/// Moves this process into new namespaces, runs itself there with `task`, and ends as that ends. This process must have no
/// other thread.
///
/// # Errors
/// The machine does not allow namespaces; the error says which setting is in the way.
pub(crate) fn enter(task: &Task) -> anyhow::Result<ExitCode> {
    leave()?;
    let mut command = Command::new(&task.own_program);
    command.arg("__compare").arg(serde_json::to_string(task)?);
    let status = command.status().context("cannot start ourselves again")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What process 1 inside does before anything else. With it, everything in there ends.
///
/// # Errors
/// `/proc` cannot be mounted, without which nothing can be measured.
pub(crate) fn settle(task: &str) -> anyhow::Result<Task> {
    // The parent is outside of our process namespace: there is no id to compare.
    namespace::die_with_parent(None)?;
    mount::fresh_proc().context("cannot mount /proc; a container forbids it, where CPU and memory cannot be measured")?;
    // Hundreds of connections on each side of each proxy.
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?;
    serde_json::from_str(task).context("not a task")
}

fn leave() -> anyhow::Result<()> {
    if rustix::process::geteuid().is_root() {
        match namespace::leave_for_new(&OURS) {
            Ok(()) => return Ok(()),
            // Root of a container may lack the powers that root has elsewhere.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
            Err(error) => return Err(error).context("cannot make namespaces"),
        }
    }
    namespace::become_root()?;
    namespace::leave_for_new(&OURS).context("cannot make namespaces")
}
