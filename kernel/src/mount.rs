//! Mounts that only one namespace sees, with nothing on the disk. All of it needs CAP_SYS_ADMIN over the mount namespace,
//! which root of a user namespace has over those it made. Linux 5.2 and later.

use std::{
    ffi::CString,
    fs::File,
    io::{self, Write},
    os::fd::{AsFd, OwnedFd},
    path::Path,
};

use rustix::{
    fs::{CWD, Mode, OFlags, fchmod, openat},
    mount::{
        FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags,
        fsconfig_create, fsconfig_set_string, fsmount, fsopen, mount, mount_change, move_mount, open_tree,
    },
    thread::UnshareFlags,
};

use crate::{namespace::on_a_thread, sys};

/// From now on this namespace neither hears of mounts elsewhere nor tells of its own.
///
/// # Errors
/// The power is missing.
pub fn keep_to_ourselves() -> io::Result<()> {
    Ok(mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?)
}

/// Puts an empty file system in memory over the folder `target`; only its maker can look inside.
///
/// # Errors
/// There is no such folder, or the power is missing.
pub fn memory_over(target: &Path) -> io::Result<()> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    let mode = CString::from(c"mode=0700");
    Ok(mount("tmpfs", target, "tmpfs", flags, Some(mode.as_c_str()))?)
}

/// Makes `/proc` show the processes of this process namespace; the calling process must live in it.
///
/// # Errors
/// Some containers forbid it; then `/proc` keeps showing what it did.
pub fn fresh_proc() -> io::Result<()> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    Ok(mount("proc", "/proc", "proc", flags, None)?)
}

/// Puts a file with `contents`, readable by everybody, over the file `target`, for this mount namespace alone. A symbolic
/// link is followed. Nothing is written to a disk.
///
/// # Errors
/// `target` does not exist, or the power is missing.
pub fn replace_file(target: &Path, contents: &[u8]) -> io::Result<()> {
    let resolved = target.canonicalize()?;
    let file = on_a_thread(|| file_in_memory(contents))??;
    Ok(move_mount(&file, "", CWD, &resolved, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?)
}

/// A file on a file system of its own in memory, as a mount that can be attached anywhere.
///
/// The file system must be mounted somewhere for that: before Linux 6.15 a part of a mount that hangs nowhere cannot be
/// taken. So this thread takes a mount namespace of its own, where nobody is in the way, and leaves with it.
fn file_in_memory(contents: &[u8]) -> io::Result<OwnedFd> {
    sys::unshare(UnshareFlags::NEWNS | UnshareFlags::FS)?;
    keep_to_ourselves()?;
    let file_system = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(file_system.as_fd(), "mode", "0755")?;
    fsconfig_create(file_system.as_fd())?;
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    let mounted = fsmount(file_system.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)?;
    let file = openat(&mounted, "file", OFlags::CREATE | OFlags::WRONLY | OFlags::CLOEXEC, Mode::RUSR | Mode::WUSR)?;
    // Whatever this process masks: resolvers run as other users.
    fchmod(&file, Mode::from_raw_mode(0o644))?;
    File::from(file).write_all(contents)?;
    move_mount(&mounted, "", CWD, "/", MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?;
    Ok(open_tree(&mounted, "file", OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC)?)
}
