//! `__init`: process 1 of the mesh.

use std::process::ExitCode;

use anyhow::Context as _;
use kernel::{mount, namespace};
use rustix::process::{WaitOptions, wait};

use super::{Task, again};
use crate::exit;

/// Runs `__engine`, buries every orphan, and ends as the engine ends. With it ends everything else.
pub(super) fn run(task: &Task) -> anyhow::Result<ExitCode> {
    // The parent is outside of our process namespace: there is no id to compare.
    namespace::die_with_parent(None)?;
    // Where a container forbids it, `/proc` goes on showing the processes of outside.
    let _ = mount::fresh_proc();
    let engine = again("__engine", task)?.spawn().context("cannot start the engine")?;
    loop {
        match wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if u32::try_from(pid.as_raw_nonzero().get()) == Ok(engine.id()) => {
                let code = status.exit_status().and_then(|code| u8::try_from(code).ok());
                return Ok(ExitCode::from(code.unwrap_or(exit::FAILED)));
            }
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error).context("lost the engine"),
        }
    }
}
