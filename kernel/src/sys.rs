//! The only `unsafe` of the project.

#![allow(unsafe_code)]

use rustix::{io, thread::UnshareFlags};

/// Moves the calling thread (for [`UnshareFlags::NEWPID`]: its future children) into new namespaces.
///
/// What makes `unshare` unsafe in Rust is `CLONE_FILES`: a thread with a descriptor table of its own breaks the rule
/// that an owned descriptor is valid in every thread. That flag is removed here, so the call is sound.
pub(crate) fn unshare(flags: UnshareFlags) -> io::Result<()> {
    let flags = flags.difference(UnshareFlags::FILES);
    // SAFETY: without CLONE_FILES no descriptor loses its meaning; see above.
    unsafe { rustix::thread::unshare_unsafe(flags) }
}
