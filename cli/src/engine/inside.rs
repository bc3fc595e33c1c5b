//! Starting processes inside a pod.

use std::process::{Command, Stdio};

use anyhow::Context as _;
use kernel::namespace::{Namespace, within};
use tokio::process::Child;

/// Where a process writes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// To us, who read it.
    Read,
    /// To nobody.
    Nowhere,
}

/// Starts `command` inside `namespaces`, with nothing to read. It is killed when the result is dropped.
pub(crate) fn spawn(mut command: Command, namespaces: &[&Namespace], output: Output) -> anyhow::Result<Child> {
    let to = || match output {
        Output::Read => Stdio::piped(),
        Output::Nowhere => Stdio::null(),
    };
    command.stdin(Stdio::null()).stdout(to()).stderr(to());
    let runtime = tokio::runtime::Handle::current();
    let mut command = tokio::process::Command::from(command);
    command.kill_on_drop(true);
    within(namespaces, || {
        let _inside = runtime.enter();
        command.spawn()
    })?
    .context("cannot start a process in a pod")
}
