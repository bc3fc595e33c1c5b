//! The only `unsafe` of the project: system calls that rustix leaves to its callers, and one of the allocator's.

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
#[cfg(feature = "memory")]
pub(crate) fn collect() {
    // SAFETY: it is called through C and has no other conditions: any thread may call it at any time.
    unsafe { libmimalloc_sys::mi_collect(true) };
}

/// Takes out of memory what the program and its libraries have there of their files and never change: code and constants. Whatever is
/// needed again is read again, most likely from the kernel's cache.
#[cfg(feature = "memory")]
pub(crate) fn let_go_of_files() {
    // SAFETY: the callback is given a valid description of each loaded file, and no data; it does not unwind.
    unsafe { libc::dl_iterate_phdr(Some(let_go_of), std::ptr::null_mut()) };
}

#[cfg(feature = "memory")]
unsafe extern "C" fn let_go_of(file: *mut libc::dl_phdr_info, _: usize, _: *mut libc::c_void) -> c_int {
    // SAFETY: it has no conditions. (rustix reads the size from where programs under valgrind have none.)
    let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096);
    // SAFETY: the loader keeps both valid during the call. They may be null only where there are no headers.
    let (file, headers) = unsafe {
        let file = &*file;
        let count = usize::from(file.dlpi_phnum);
        (file, if file.dlpi_phdr.is_null() { &[][..] } else { std::slice::from_raw_parts(file.dlpi_phdr, count) })
    };
    for segment in headers {
        // What may be written has been: relocations, if nothing else. That would be lost.
        if segment.p_type != libc::PT_LOAD || segment.p_flags & libc::PF_W != 0 {
            continue;
        }
        let address = |place: u64| usize::try_from(file.dlpi_addr.wrapping_add(place)).unwrap_or(0);
        // Whole pages of the segment alone: one at its edge may be shared with another.
        let begin = address(segment.p_vaddr).next_multiple_of(page);
        let end = address(segment.p_vaddr + segment.p_filesz) / page * page;
        if begin < end {
            // SAFETY: these pages are mapped from a file, privately, and were never writable: there is nothing in them but what is
            // in the file, and that is what is found there afterwards. A failure changes nothing.
            unsafe { libc::madvise(begin as *mut libc::c_void, end - begin, libc::MADV_DONTNEED) };
        }
    }
    0
}
