//! `__mesh`: leaves the user's namespaces for new ones.

use std::{
    io,
    process::{Child, ExitCode},
};

use anyhow::Context as _;
use kernel::namespace::{self, Kind};

use super::{Task, again};
use crate::exit;

const OURS: [Kind; 3] = [Kind::Network, Kind::Process, Kind::Mount];

/// Runs `__init` in new namespaces, and ends as it ends.
pub(super) fn run(task: Task) -> anyhow::Result<ExitCode> {
    let mut init = start(task)?;
    Ok(ExitCode::from(exit::of(init.wait().context("cannot wait for the mesh")?)))
}

fn start(mut task: Task) -> anyhow::Result<Child> {
    // Ctrl-C goes to every process of the terminal's session: the mesh must end in order, told by `terminal` alone.
    rustix::process::setsid().context("cannot leave the terminal")?;
    namespace::die_with_parent(Some(task.terminal))?;
    task.rootless = leave()?;
    // Taking on other powers makes the kernel forget the promise.
    namespace::die_with_parent(Some(task.terminal))?;
    again("__init", &task)?.spawn().context("cannot start the mesh")
}

/// Returns whether it took a user namespace.
fn leave() -> anyhow::Result<bool> {
    if rustix::process::geteuid().is_root() {
        match namespace::leave_for_new(&OURS) {
            Ok(()) => return Ok(false),
            // Root of a container may lack the powers that root has elsewhere.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
            Err(error) => return Err(error).context("cannot make namespaces"),
        }
    }
    namespace::become_root()?;
    namespace::leave_for_new(&OURS).context("cannot make namespaces")?;
    Ok(true)
}
