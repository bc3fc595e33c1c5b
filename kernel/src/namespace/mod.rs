//! Namespaces: making them, entering them, working inside. User namespaces, which come with powers, are in `user`.

mod user;

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    panic, thread,
};

use rustix::{
    fs::{Mode, OFlags, open},
    process::{Pid, Signal, getppid, set_parent_process_death_signal},
    thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space},
};

pub use self::user::{UserNamespaceError, become_ordinary, become_root};
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

    /// The calling thread's own. Needs no power.
    ///
    /// # Errors
    /// `/proc` is not there.
    pub fn current(kind: Kind) -> io::Result<Self> {
        let path = format!("/proc/thread-self/ns/{}", kind.file());
        let fd = open(path.as_str(), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Self { kind, fd })
    }

    /// A new network or mount namespace, made beside the calling thread's; needs CAP_SYS_ADMIN. A mount namespace begins as
    /// a copy of the calling thread's that no longer hears of mounts elsewhere.
    ///
    /// # Errors
    /// The power is missing, or the kernel allows no more namespaces. The other kinds cannot be made without a process that
    /// lives in them: see [`leave_for_new`] and [`become_root`].
    pub fn new(kind: Kind) -> io::Result<Self> {
        if matches!(kind, Kind::User | Kind::Process) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "this kind of namespace needs a process of its own"));
        }
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
    /// must have no other thread. Needs CAP_SYS_ADMIN in the namespace's user namespace.
    ///
    /// # Errors
    /// The power is missing.
    pub fn enter(&self) -> io::Result<()> {
        if self.kind == Kind::Mount {
            // Threads that share a working directory may not live in different mount namespaces.
            sys::unshare(UnshareFlags::FS)?;
        }
        Ok(move_into_link_name_space(self.fd.as_fd(), Some(self.kind.link_type()))?)
    }
}

/// Does `work` on a thread of its own inside `namespaces`. Sockets opened and commands spawned there stay there. Needs
/// CAP_SYS_ADMIN in their user namespaces.
///
/// A command that is to [`die_with_parent`] must not be spawned in there: what the kernel calls a parent is this thread,
/// and it ends with `work`.
///
/// # Errors
/// A namespace cannot be entered.
///
/// # Panics
/// As `work` does.
pub fn within<T: Send>(namespaces: &[&Namespace], work: impl FnOnce() -> T + Send) -> io::Result<T> {
    on_a_thread(|| {
        for namespace in namespaces {
            namespace.enter()?;
        }
        Ok(work())
    })?
}

/// Does `work` on a thread whose namespaces may change without anybody noticing.
pub(crate) fn on_a_thread<T: Send>(work: impl FnOnce() -> T + Send) -> io::Result<T> {
    thread::scope(|scope| {
        let working = thread::Builder::new().name(String::from("namespace")).spawn_scoped(scope, work)?;
        Ok(working.join().unwrap_or_else(|panic| panic::resume_unwind(panic)))
    })
}

/// Moves this process into new namespaces of `kinds`; of [`Kind::Process`] only its future children. The process must have
/// no other thread. Needs CAP_SYS_ADMIN.
///
/// # Errors
/// The power is missing, or the kernel allows no more namespaces.
pub fn leave_for_new(kinds: &[Kind]) -> io::Result<()> {
    let flags = kinds.iter().fold(UnshareFlags::empty(), |flags, kind| flags | kind.flag());
    sys::unshare(flags)?;
    if kinds.contains(&Kind::Mount) { crate::mount::keep_to_ourselves() } else { Ok(()) }
}

/// Has the kernel kill this process when the thread that started it ends, however it ends. Where the parent's id is known,
/// and is visible from here, it should be given: a parent that ended before this call kills nobody.
///
/// The kernel forgets this when the process changes its user, group or powers, or enters a user namespace: call it again
/// afterwards. It needs no power.
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
