//! Mounts that only one namespace sees, with nothing on the disk. All of it needs CAP_SYS_ADMIN over the mount namespace.

use std::{
    ffi::CString,
    fs::File,
    io::{self, Write},
    os::fd::AsFd,
    path::Path,
};

use rustix::{
    fs::{CWD, Mode, OFlags, openat},
    mount::{
        FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags,
        fsconfig_create, fsconfig_set_string, fsmount, fsopen, mount, mount_change, move_mount, open_tree,
    },
};

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

/// Makes `/proc` show the processes of this process namespace.
///
/// # Errors
/// Some containers forbid it; then `/proc` keeps showing what it did.
pub fn fresh_proc() -> io::Result<()> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    Ok(mount("proc", "/proc", "proc", flags, None)?)
}

/// Puts a file with `contents` over the file `target`, for this mount namespace alone. A symbolic link is followed.
///
/// # Errors
/// `target` does not exist, or the power is missing.
pub fn replace_file(target: &Path, contents: &[u8]) -> io::Result<()> {
    let file_system = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(file_system.as_fd(), "mode", "0755")?;
    fsconfig_create(file_system.as_fd())?;
    // Attached to no folder: it lives for as long as the file that is shown of it.
    let detached = fsmount(file_system.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())?;
    let create = OFlags::CREATE | OFlags::WRONLY | OFlags::CLOEXEC;
    let file = openat(&detached, "file", create, Mode::from_raw_mode(0o644))?;
    File::from(file).write_all(contents)?;
    let tree = open_tree(&detached, "file", OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC)?;
    let resolved = target.canonicalize()?;
    Ok(move_mount(&tree, "", CWD, &resolved, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?)
}
