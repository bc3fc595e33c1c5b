//! Exit codes, one meaning each; `weft --help` lists them.

use std::process::{ExitCode, ExitStatus};

/// Something failed while it ran.
pub(crate) const FAILED: u8 = 1;
/// What was asked for cannot be: a mistake in a command line or in a manifest.
pub(crate) const MISTAKE: u8 = 2;
/// `weft run`: the command was never started, because of the mesh.
pub(crate) const NO_MESH: u8 = 125;
/// The command cannot be executed.
pub(crate) const NOT_EXECUTABLE: u8 = 126;
/// There is no such command.
pub(crate) const NOT_FOUND: u8 = 127;
/// Ended by Ctrl-C that did not want to wait.
pub(crate) const INTERRUPTED: u8 = 130;

/// Of a child that has ended, as shells tell it: its code, or 128 and the number of the signal that ended it.
pub(crate) fn of(status: ExitStatus) -> u8 {
    use std::os::unix::process::ExitStatusExt;
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(FAILED)
}

/// Says why on standard error, and with which code the process is to end.
pub(crate) fn because(error: &anyhow::Error, code: u8) -> ExitCode {
    eprintln!("weft: {error:#}");
    ExitCode::from(code)
}
