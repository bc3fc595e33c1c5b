//! The only `unsafe` of the project: two system calls that rustix leaves to its callers, and one of the allocator's.

#![allow(unsafe_code)]

use std::{
    ffi::c_int,
    os::fd::{AsRawFd, BorrowedFd},
};

use rustix::{
    io::{self, Errno},
    thread::UnshareFlags,
};

/// Moves the calling thread (for [`UnshareFlags::NEWPID`]: its future children) into new namespaces.
///
/// What makes `unshare` unsafe in Rust is `CLONE_FILES`: a thread with a descriptor table of its own breaks the rule
/// that an owned descriptor is valid in every thread. That flag is removed here, so the call is sound.
pub(crate) fn unshare(flags: UnshareFlags) -> io::Result<()> {
    let flags = flags.difference(UnshareFlags::FILES);
    // SAFETY: without CLONE_FILES no descriptor loses its meaning; see above.
    unsafe { rustix::thread::unshare_unsafe(flags) }
}

/// What a netlink socket can be asked to add to a refusal.
#[derive(Clone, Copy, Debug)]
#[repr(i32)]
pub(crate) enum Refusals {
    /// The kernel's own words, and leave out...
    Explained = libc::NETLINK_EXT_ACK,
    /// ...the message that was refused.
    Short = libc::NETLINK_CAP_ACK,
}

/// Switches an option of a netlink socket on. rustix has no call for those.
pub(crate) fn switch_on(socket: BorrowedFd<'_>, option: Refusals) -> io::Result<()> {
    let on: c_int = 1;
    let length = libc::socklen_t::try_from(size_of::<c_int>()).map_err(|_| Errno::INVAL)?;
    // SAFETY: the descriptor stays open while it is borrowed; the kernel reads `length` bytes at the pointer, which is what
    // `on` takes, and keeps no pointer. On a socket that is not netlink the option is refused.
    let done =
        unsafe { libc::setsockopt(socket.as_raw_fd(), libc::SOL_NETLINK, option as c_int, (&raw const on).cast(), length) };
    if done == 0 { Ok(()) } else { Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)) }
}

/// Has mimalloc give the kernel what the calling thread's heap does not use. Where another allocator is in use it has nothing
/// to do.
#[cfg(feature = "heap")]
pub(crate) fn collect() {
    // SAFETY: it is called through C and has no other conditions: any thread may call it at any time.
    unsafe { libmimalloc_sys::mi_collect(true) };
}
