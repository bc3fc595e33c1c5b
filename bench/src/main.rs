//! Measurements beside other proxies. None exist yet; this program says so instead of pretending.

use std::process::ExitCode;

fn main() -> ExitCode {
    eprintln!("bench: nothing is measured yet");
    ExitCode::FAILURE
}
