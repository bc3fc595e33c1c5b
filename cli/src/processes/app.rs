//! `__app`: gives up what an app must not have, then becomes the app.

use std::{
    ffi::OsString,
    io,
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Command, ExitCode},
};

use anyhow::Context as _;
use kernel::namespace;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::{Deserialize, Serialize};

use crate::exit;

/// How an app is to be started. Its command follows on the command line.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Launch {
    pub(crate) directory: PathBuf,
    /// Variables set beside those inherited.
    pub(crate) env: Vec<(String, String)>,
    pub(crate) become_whom: Whom,
    /// A session of its own, so that all of its processes can be signalled; not for a command at the terminal.
    pub(crate) own_session: bool,
    /// Whether it dies with the process that started it.
    pub(crate) die_with_parent: bool,
    /// How many files it may have open, where that differs from ours.
    pub(crate) files_max: Option<u64>,
}

/// Whom the app is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Whom {
    /// Whom we are.
    #[default]
    Ourselves,
    /// This user and group, in a user namespace without power over the pod.
    Mapped(u32, u32),
    /// This user and group; takes root.
    User(u32, u32),
}

/// Becomes the app; returns only if that is impossible.
pub(super) fn run(launch: &Launch, command: &[OsString]) -> anyhow::Result<ExitCode> {
    let (program, arguments) = command.split_first().context("no command")?;
    if launch.own_session {
        rustix::process::setsid().context("cannot make a session")?;
    }
    if let Some(most) = launch.files_max {
        let limit = getrlimit(Resource::Nofile);
        setrlimit(Resource::Nofile, Rlimit { current: Some(most), maximum: limit.maximum }).context("cannot limit open files")?;
    }
    let mut app = Command::new(program);
    match launch.become_whom {
        Whom::Ourselves => {}
        Whom::Mapped(user, group) => namespace::become_ordinary(user, group)?,
        // Also drops all other groups.
        Whom::User(user, group) => drop(app.uid(user).gid(group)),
    }
    if launch.die_with_parent {
        // Last: the kernel forgets it when powers change.
        namespace::die_with_parent(None)?;
    }
    let error = app.args(arguments).current_dir(&launch.directory).envs(launch.env.iter().cloned()).exec();
    let (code, why) = match error.kind() {
        io::ErrorKind::NotFound if !launch.directory.is_dir() => {
            (exit::NOT_EXECUTABLE, format!("the directory {} does not exist", launch.directory.display()))
        }
        io::ErrorKind::NotFound => (exit::NOT_FOUND, String::from("there is no such program")),
        _ => (exit::NOT_EXECUTABLE, error.to_string()),
    };
    eprintln!("weft: cannot run {}: {why}", program.display());
    Ok(ExitCode::from(code))
}
