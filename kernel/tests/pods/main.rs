//! Namespaces, links, mounts and redirect rules, for real: pods in namespaces of their own, and connections between them.
//!
//! Runs as root and as an ordinary user alike. Where namespaces are not allowed it fails and says why; nothing is skipped.

// Clippy knows tests by their attribute; this harness has none.
#![allow(clippy::unwrap_used)]

mod capture;
mod force;
mod links;
mod mounts;
mod nftables;
mod processes;
mod world;

use std::process::ExitCode;

use kernel::namespace;
use libtest_mimic::{Arguments, Failed, Trial};

/// A test: what it promises, and how that is seen.
type Test = (&'static str, fn());

fn main() -> ExitCode {
    // Some tests run this program again, to be another process.
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some(processes::ANOTHER) {
        return processes::be(&arguments.next().unwrap());
    }
    // Before libtest-mimic starts threads: afterwards the kernel would refuse.
    if !rustix::process::geteuid().is_root()
        && let Err(error) = namespace::become_root()
    {
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    let tests = [capture::TESTS, force::TESTS, links::TESTS, mounts::TESTS, processes::TESTS].concat();
    let trials = tests.into_iter().map(|(name, test)| {
        Trial::test(name, move || -> Result<(), Failed> {
            test();
            Ok(())
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}
