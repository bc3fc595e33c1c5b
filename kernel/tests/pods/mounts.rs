//! Mounts that one namespace sees.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::PathBuf,
};

use kernel::{
    mount,
    namespace::{Kind, Namespace},
};
use rustix::{
    fs::statfs,
    mount::{MountPropagationFlags, mount_change},
};
use tempfile::TempDir;

use crate::{Test, world::inside};

pub(crate) const TESTS: &[Test] = &[
    ("a_replaced_file_is_seen_in_its_namespace_alone", a_replaced_file_is_seen_in_its_namespace_alone),
    ("nothing_is_told_to_a_tree_that_would_hear", nothing_is_told_to_a_tree_that_would_hear),
    ("a_file_behind_a_symbolic_link_is_replaced", a_file_behind_a_symbolic_link_is_replaced),
    ("a_file_that_is_not_there_cannot_be_replaced", a_file_that_is_not_there),
    ("memory_over_a_folder_hides_it_in_its_namespace_alone", memory_over_a_folder),
];

/// `TMPFS_MAGIC`.
const IN_MEMORY: u64 = 0x0102_1994;

/// A folder with `run/real`, to which `link` leads as `/etc/resolv.conf` often does.
fn folder() -> (TempDir, PathBuf, PathBuf) {
    let folder = TempDir::new().unwrap();
    fs::create_dir_all(folder.path().join("run")).unwrap();
    fs::create_dir_all(folder.path().join("etc")).unwrap();
    let (real, link) = (folder.path().join("run/real"), folder.path().join("etc/link"));
    fs::write(&real, "old").unwrap();
    symlink("../run/real", &link).unwrap();
    (folder, real, link)
}

fn new_mounts() -> Namespace {
    Namespace::new(Kind::Mount).unwrap()
}

fn a_replaced_file_is_seen_in_its_namespace_alone() {
    let (_folder, real, _) = folder();
    let mounts = new_mounts();
    inside(&mounts, || mount::replace_file(&real, b"new").unwrap());
    assert_eq!(fs::read(&real).unwrap(), b"old");
    inside(&mounts, || {
        assert_eq!(fs::read(&real).unwrap(), b"new");
        assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o644);
        assert_eq!(u64::try_from(statfs(&real).unwrap().f_type).unwrap(), IN_MEMORY);
        // What was there beside it is there still.
        assert_eq!(fs::read_dir(real.parent().unwrap()).unwrap().count(), 1);
        mount::replace_file(&real, b"newer").unwrap();
        assert_eq!(fs::read(&real).unwrap(), b"newer");
    });
}

fn nothing_is_told_to_a_tree_that_would_hear() {
    let (_folder, real, _) = folder();
    let tree = new_mounts();
    let (mounts, before) = inside(&tree, || {
        // As the first process of most machines does: mounts made in copies of this tree appear in it.
        mount_change("/", MountPropagationFlags::SHARED | MountPropagationFlags::REC).unwrap();
        (new_mounts(), count())
    });
    inside(&mounts, || {
        mount::replace_file(&real, b"new").unwrap();
        assert_eq!(count(), before + 1);
    });
    inside(&tree, || {
        assert_eq!(fs::read(&real).unwrap(), b"old");
        assert_eq!(count(), before);
        // Nor does it hear of how the file was made.
        mount::replace_file(&real, b"new").unwrap();
        assert_eq!(count(), before + 1);
    });
}

fn count() -> usize {
    fs::read_to_string("/proc/thread-self/mountinfo").unwrap().lines().count()
}

fn a_file_behind_a_symbolic_link_is_replaced() {
    let (_folder, real, link) = folder();
    inside(&new_mounts(), || {
        mount::replace_file(&link, b"new").unwrap();
        assert_eq!(fs::read(&link).unwrap(), b"new");
        assert_eq!(fs::read(&real).unwrap(), b"new");
    });
    assert_eq!(fs::read(&link).unwrap(), b"old");
}

fn a_file_that_is_not_there() {
    let (_folder, real, link) = folder();
    fs::remove_file(&real).unwrap();
    inside(&new_mounts(), || {
        assert_eq!(mount::replace_file(&link, b"new").unwrap_err().kind(), std::io::ErrorKind::NotFound);
    });
}

fn memory_over_a_folder() {
    let (folder, real, link) = folder();
    inside(&new_mounts(), || {
        mount::memory_over(&folder.path().join("run")).unwrap();
        assert!(!link.exists());
        fs::write(&real, "new").unwrap();
    });
    assert_eq!(fs::read(&link).unwrap(), b"old");
}
