//! Namespaces: making them, entering them, working inside.

use std::{
    fs, io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    thread,
};

use rustix::{
    fs::{Mode, OFlags, open},
    process::{Pid, Signal, getppid, set_parent_process_death_signal},
    thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space},
};

use crate::sys;

/// What a namespace keeps apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Links, addresses, routes, rules, ports.
    Network,
    /// File systems.
    Mount,
    /// Users and their powers.
    User,
    /// Process ids.
    Process,
}

impl Kind {
    fn file(self) -> &'static str {
        match self {
            Self::Network => "net",
            Self::Mount => "mnt",
            Self::User => "user",
            Self::Process => "pid",
        }
    }

    fn link_type(self) -> LinkNameSpaceType {
        match self {
            Self::Network => LinkNameSpaceType::Network,
            Self::Mount => LinkNameSpaceType::Mount,
            Self::User => LinkNameSpaceType::User,
            Self::Process => LinkNameSpaceType::ProcessID,
        }
    }

    fn flag(self) -> UnshareFlags {
        match self {
            Self::Network => UnshareFlags::NEWNET,
            Self::Mount => UnshareFlags::NEWNS,
            Self::User => UnshareFlags::NEWUSER,
            Self::Process => UnshareFlags::NEWPID,
        }
    }
}

/// A namespace, kept alive by this handle whether or not a process lives in it.
#[derive(Debug)]
pub struct Namespace {
    kind: Kind,
    fd: OwnedFd,
}

impl Namespace {
    /// A handle that came from elsewhere: over a socket, or by inheritance.
    pub fn from_fd(kind: Kind, fd: OwnedFd) -> Self {
        Self { kind, fd }
    }

    /// The calling thread's own.
    ///
    /// # Errors
    /// `/proc` is not there.
    pub fn current(kind: Kind) -> io::Result<Self> {
        let path = format!("/proc/thread-self/ns/{}", kind.file());
        let fd = open(path.as_str(), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Self { kind, fd })
    }

    /// A new one, made beside the calling thread's. Network and mount namespaces need CAP_SYS_ADMIN. A mount namespace
    /// begins as a copy that no longer hears of mounts elsewhere.
    ///
    /// # Errors
    /// The power is missing, or the kernel allows no more namespaces.
    pub fn new(kind: Kind) -> io::Result<Self> {
        on_a_thread(move || {
            sys::unshare(kind.flag() | UnshareFlags::FS)?;
            if kind == Kind::Mount {
                crate::mount::keep_to_ourselves()?;
            }
            Self::current(kind)
        })?
    }

    /// The handle itself, to be sent elsewhere.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Moves the calling thread in. For [`Kind::Process`] it moves its future children. For [`Kind::User`] the process
    /// must have no other thread.
    ///
    /// # Errors
    /// The power is missing: CAP_SYS_ADMIN in the namespace's user namespace.
    pub fn enter(&self) -> io::Result<()> {
        if self.kind == Kind::Mount {
            // Threads that share a working directory may not live in different mount namespaces.
            sys::unshare(UnshareFlags::FS)?;
        }
        Ok(move_into_link_name_space(self.fd.as_fd(), Some(self.kind.link_type()))?)
    }
}

/// Does `work` on a thread of its own inside `namespaces`. Sockets opened and commands spawned there stay there.
///
/// # Errors
/// A namespace cannot be entered.
pub fn within<T: Send>(namespaces: &[&Namespace], work: impl FnOnce() -> T + Send) -> io::Result<T> {
    on_a_thread(|| {
        for namespace in namespaces {
            namespace.enter()?;
        }
        Ok(work())
    })?
}

fn on_a_thread<T: Send>(work: impl FnOnce() -> T + Send) -> io::Result<T> {
    thread::scope(|scope| {
        let working = thread::Builder::new().name(String::from("namespace")).spawn_scoped(scope, work)?;
        working.join().map_err(|_| io::Error::other("the work inside a namespace panicked"))
    })
}

/// Moves this process into new namespaces of `kinds`; of [`Kind::Process`] only its future children. The process must have
/// no other thread.
///
/// # Errors
/// CAP_SYS_ADMIN is missing, or the kernel allows no more namespaces.
pub fn leave_for_new(kinds: &[Kind]) -> io::Result<()> {
    let flags = kinds.iter().fold(UnshareFlags::empty(), |flags, kind| flags | kind.flag());
    sys::unshare(flags)?;
    if kinds.contains(&Kind::Mount) { crate::mount::keep_to_ourselves() } else { Ok(()) }
}

/// Why this user may have no user namespace.
#[derive(Debug, thiserror::Error)]
#[error("this machine does not let ordinary users make user namespaces: {error}.{remedy}\nOr run as root, which needs none.")]
pub struct UserNamespaceError {
    /// What the kernel said.
    error: io::Error,
    /// What probably forbids it, and how to allow it.
    remedy: String,
}

/// Makes this process root of a new user namespace, with power over what it makes from now on and over nothing else. The
/// process must have no other thread.
///
/// # Errors
/// The machine does not allow it; the error says which setting is in the way.
pub fn become_root() -> Result<(), UserNamespaceError> {
    map_into_new_user_namespace(0, 0)
}

/// Moves this process into a new user namespace in which it is `user` and `group`, without any power over the namespaces
/// it came from. The process must have no other thread.
///
/// # Errors
/// As for [`become_root`].
pub fn become_ordinary(user: u32, group: u32) -> Result<(), UserNamespaceError> {
    map_into_new_user_namespace(user, group)
}

fn map_into_new_user_namespace(user: u32, group: u32) -> Result<(), UserNamespaceError> {
    let (was_user, was_group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let mapped = sys::unshare(UnshareFlags::NEWUSER).map_err(io::Error::from).and_then(|()| {
        // Without this an ordinary user may not map a group: dropping groups could open files that deny them.
        fs::write("/proc/self/setgroups", "deny")?;
        fs::write("/proc/self/uid_map", format!("{user} {was_user} 1"))?;
        fs::write("/proc/self/gid_map", format!("{group} {was_group} 1"))
    });
    mapped.map_err(|error| UserNamespaceError { error, remedy: remedies() })
}

/// Every setting known to forbid user namespaces that is set that way here.
fn remedies() -> String {
    let settings = [
        ("/proc/sys/user/max_user_namespaces", "0", "user.max_user_namespaces=15000"),
        ("/proc/sys/kernel/unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone=1"),
        ("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1", "kernel.apparmor_restrict_unprivileged_userns=0"),
    ];
    let found: Vec<String> = settings
        .into_iter()
        .filter(|(path, forbids, _)| fs::read_to_string(path).is_ok_and(|value| value.trim() == *forbids))
        .map(|(_, _, setting)| format!("\nTo allow it: sudo sysctl -w {setting}"))
        .collect();
    if found.is_empty() {
        return String::from(
            "\nA container or security profile (seccomp, SELinux) probably forbids it; ask for one that allows `unshare`.",
        );
    }
    found.concat()
}

/// Has the kernel kill this process when the thread that started it ends, however it ends.
///
/// # Errors
/// The parent is gone already; then it is too late, and the caller should end.
pub fn die_with_parent(parent: Option<u32>) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let expected = parent.and_then(|parent| i32::try_from(parent).ok()).and_then(Pid::from_raw);
    match expected {
        Some(expected) if getppid() != Some(expected) => Err(io::Error::other("the parent process has ended")),
        _ => Ok(()),
    }
}
