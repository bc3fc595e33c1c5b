//! Debian's packages.

use std::{
    env, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context as _;

use super::succeed;

/// Asked by packages whether they may start servers.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// Where a program is. Servers are in folders that people's paths may lack.
#[allow(clippy::disallowed_methods)]
pub(super) fn find(name: &str) -> Option<PathBuf> {
    let path = env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// Installs packages, if there are any to install, and starts no server.
///
/// # Errors
/// There is no apt, no root and no sudo, or apt failed.
pub(super) fn install(packages: &[&str]) -> anyhow::Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    find("apt-get").with_context(|| format!("this is no Debian; install {} by hand", packages.join(", ")))?;
    let policy = Policy::set()?;
    as_root(&["apt-get", "update", "-q"])?;
    let install = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-qy", "--no-install-recommends"];
    let installed = as_root(&[&install, packages].concat());
    drop(policy);
    installed
}

fn as_root(words: &[&str]) -> anyhow::Result<()> {
    let root = rustix::process::geteuid().is_root();
    let words = if root { words.to_vec() } else { [&["sudo", "--non-interactive"], words].concat() };
    succeed(Command::new(words[0]).args(&words[1..]))
}

/// As long as it is there, packages start no servers. Nothing if somebody else's is in force.
struct Policy(bool);

impl Policy {
    fn set() -> anyhow::Result<Self> {
        if Path::new(POLICY).exists() {
            return Ok(Self(false));
        }
        let file = env::temp_dir().join(format!("weft-bench-policy-{}", std::process::id()));
        fs::write(&file, "#!/bin/sh\nexit 101\n")?;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755))?;
        let copied = as_root(&["cp", &file.display().to_string(), POLICY]);
        fs::remove_file(&file)?;
        copied.map(|()| Self(true))
    }
}

impl Drop for Policy {
    fn drop(&mut self) {
        if self.0 && as_root(&["rm", "-f", POLICY]).is_err() {
            eprintln!("bench: cannot remove {POLICY}, which keeps packages from starting servers; please do");
        }
    }
}
