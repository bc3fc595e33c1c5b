//! User namespaces: powers for those who have none, and none for those who should not have them.

use std::{fs, io};

use rustix::thread::UnshareFlags;

use crate::sys;

/// Why this process may have no user namespace.
#[derive(Debug, thiserror::Error)]
#[error("cannot make a user namespace ({step}: {error}).{remedy}")]
pub struct UserNamespaceError {
    /// What was refused.
    step: &'static str,
    /// What the kernel said.
    error: io::Error,
    /// What forbids it, as far as it can be seen, and how to allow it.
    remedy: String,
}

/// Makes this process root of a new user namespace, with power over what it makes from now on and over nothing else. The
/// process must have no other thread. Needs no power, but the machine's leave.
///
/// # Errors
/// The machine does not allow it; the error says which setting is in the way.
pub fn become_root() -> Result<(), UserNamespaceError> {
    map_into_new(0, 0)
}

/// Moves this process into a new user namespace in which it is `user` and `group`, without any power over the namespaces
/// it came from; what powers it has in the new one are lost by the next program it becomes, unless `user` is 0. The process
/// must have no other thread.
///
/// # Errors
/// As for [`become_root`].
pub fn become_ordinary(user: u32, group: u32) -> Result<(), UserNamespaceError> {
    map_into_new(user, group)
}

fn map_into_new(user: u32, group: u32) -> Result<(), UserNamespaceError> {
    let (was_user, was_group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    attempt("unshare", || Ok(sys::unshare(UnshareFlags::NEWUSER)?))?;
    // Without this an ordinary user may not map a group: dropping groups could open files that deny them.
    attempt("setgroups", || fs::write("/proc/self/setgroups", "deny"))?;
    attempt("uid_map", || fs::write("/proc/self/uid_map", format!("{user} {was_user} 1")))?;
    attempt("gid_map", || fs::write("/proc/self/gid_map", format!("{group} {was_group} 1")))
}

fn attempt(step: &'static str, act: impl FnOnce() -> io::Result<()>) -> Result<(), UserNamespaceError> {
    act().map_err(|error| {
        let remedy = remedy(&error, |setting| fs::read_to_string(setting).ok());
        UserNamespaceError { step, error, remedy }
    })
}

/// A setting that can forbid user namespaces.
struct Setting {
    file: &'static str,
    /// The value that forbids.
    forbids: &'static str,
    /// What allows.
    allow: &'static str,
}

const SETTINGS: [Setting; 3] = [
    Setting { file: "/proc/sys/user/max_user_namespaces", forbids: "0", allow: "user.max_user_namespaces=15000" },
    // Debian's and Ubuntu's own.
    Setting { file: "/proc/sys/kernel/unprivileged_userns_clone", forbids: "0", allow: "kernel.unprivileged_userns_clone=1" },
    // Ubuntu 23.10 and later: the namespace is made, and then has no powers.
    Setting {
        file: "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
        forbids: "1",
        allow: "kernel.apparmor_restrict_unprivileged_userns=0",
    },
];

/// What to do about `error`; `read` reads a setting.
fn remedy(error: &io::Error, read: impl Fn(&str) -> Option<String>) -> String {
    match error.kind() {
        // The kernel's answer to several threads, and it is ours to see to.
        io::ErrorKind::InvalidInput => return String::from(" The process must have no other thread at that moment."),
        io::ErrorKind::Unsupported => return String::from(" This kernel is built without them (CONFIG_USER_NS)."),
        _ => {}
    }
    let found: Vec<String> = SETTINGS
        .iter()
        .filter(|setting| read(setting.file).is_some_and(|value| value.trim() == setting.forbids))
        .map(|setting| format!("\nTo allow it: sudo sysctl -w {}", setting.allow))
        .collect();
    let advice = if !found.is_empty() {
        found.concat()
    } else if error.kind() == io::ErrorKind::StorageFull {
        // ENOSPC: the limit, or the depth, is reached.
        String::from("\nToo many exist, or they are nested too deeply: see /proc/sys/user/max_user_namespaces.")
    } else {
        String::from(
            "\nA container or security profile (seccomp, SELinux) probably forbids it; ask for one that allows `unshare`.",
        )
    };
    advice + "\nOr run as root, which needs none."
}

#[cfg(test)]
mod tests {
    use rustix::io::Errno;

    use super::*;

    fn remedy_for(errno: Errno, settings: &[(&str, &str)]) -> String {
        remedy(&errno.into(), |file| {
            settings.iter().find(|(name, _)| file.ends_with(name)).map(|(_, value)| format!("{value}\n"))
        })
    }

    #[test]
    fn the_setting_that_forbids_is_named_and_no_other() {
        let settings = [
            ("max_user_namespaces", "96365"),
            ("unprivileged_userns_clone", "1"),
            ("apparmor_restrict_unprivileged_userns", "1"),
        ];
        let remedy = remedy_for(Errno::ACCESS, &settings);
        assert_eq!(
            remedy,
            "\nTo allow it: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0\nOr run as root, which needs none."
        );
        assert!(remedy_for(Errno::NOSPC, &[("max_user_namespaces", "0")]).contains("user.max_user_namespaces=15000"));
    }

    #[test]
    fn where_no_setting_forbids_the_error_itself_tells() {
        assert!(remedy_for(Errno::PERM, &[]).contains("seccomp"));
        assert!(remedy_for(Errno::NOSPC, &[("max_user_namespaces", "1000")]).contains("Too many"));
        assert!(remedy_for(Errno::INVAL, &[]).contains("no other thread"));
    }

    #[test]
    fn a_process_with_several_threads_is_told_so() {
        // Tests run on threads.
        let error = become_root().unwrap_err().to_string();
        assert!(error.starts_with("cannot make a user namespace (unshare: ") && error.contains("no other thread"), "{error}");
    }
}
