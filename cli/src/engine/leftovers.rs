//! Ending what an app left running in its pod: daemons that left its session.

use std::{fs, os::unix::fs::MetadataExt, path::Path};

use kernel::namespace::Namespace;
use rustix::process::{Pid, Signal, kill_process};

/// Kills every process in the network namespace `home`.
pub(crate) fn end(home: &Namespace) {
    // A `/proc` of another process namespace would name strangers.
    let own = fs::read_link("/proc/self").is_ok_and(|link| link == Path::new(&std::process::id().to_string()));
    let (Ok(home), true) = (rustix::fs::fstat(home.fd()), own) else { return };
    let Ok(entries) = fs::read_dir("/proc") else { return };
    for entry in entries.flatten() {
        let lives_here = fs::metadata(entry.path().join("ns/net")).is_ok_and(|namespace| namespace.ino() == home.st_ino);
        let pid = entry.file_name().to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw);
        if let Some(pid) = pid.filter(|_| lives_here) {
            // It may just have ended by itself.
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}
