//! The processes behind `weft up`, each started by the one before:
//!
//! ```text
//! terminal ─▶ __mesh ─▶ __init ─▶ __engine ─▶ control, sidecars, __app ─▶ an app
//! ```
//!
//! | process | why it is one of its own |
//! |---|---|
//! | terminal | stays in the user's namespaces: Ctrl-C and the terminal belong to it |
//! | `__mesh` | becomes root of a user namespace and makes the others; must have one thread |
//! | `__init` | process 1 of the mesh: when it ends, however it ends, the kernel ends every process in there |
//! | `__engine` | runs the mesh (see `engine`) |
//! | `__app` | gives up what an app must not have, then becomes the app |
//!
//! The kernel kills each of the first three's children with it. Bridge, pods, rules and files live only in the mesh's
//! namespaces. So nothing can be left behind, whatever dies.

pub(crate) mod app;
mod init;
mod mesh;

use std::{ffi::OsString, os::unix::process::CommandExt, path::PathBuf, process::Command, process::ExitCode};

use anyhow::Context as _;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{demo, engine, exit};

/// What the chain of processes is to run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Task {
    pub(crate) source: Source,
    /// Process id of the terminal's process.
    pub(crate) terminal: u32,
    /// Who typed the command.
    pub(crate) user: u32,
    /// His group.
    pub(crate) group: u32,
    /// Whether the mesh lives in a user namespace. Decided by `__mesh`.
    pub(crate) rootless: bool,
    /// Whether standard output takes colours.
    pub(crate) colour: bool,
}

/// Where the mesh is described.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Source {
    /// In a directory, canonical.
    Directory(PathBuf),
    /// In this program.
    Demo {
        /// Milliseconds after which it ends by itself.
        time_ms: Option<u64>,
        /// When the command was given, in milliseconds of Unix time.
        began_ms: u64,
        /// Whether a JSON object is printed at the end, instead of a table all along.
        json: bool,
    },
}

/// Runs a hidden verb.
pub(crate) fn run(verb: &str, rest: &[OsString]) -> ExitCode {
    let ended = match verb {
        "__mesh" => told(rest).and_then(mesh::run),
        "__init" => told(rest).and_then(|task| init::run(&task)),
        "__engine" => told(rest).and_then(engine::run),
        "__app" => told(rest).and_then(|launch| app::run(&launch, rest.get(1..).unwrap_or_default())),
        "__demo" => demo::app::run(rest),
        _ => Err(anyhow::anyhow!("there is no verb {verb}")),
    };
    ended.unwrap_or_else(|error| exit::because(&error, exit::FAILED))
}

/// This very program, started anew with a hidden verb. Works even if its file was replaced meanwhile.
pub(crate) fn again(verb: &str, told: &impl Serialize) -> anyhow::Result<Command> {
    let told = serde_json::to_string(told).context("cannot tell a process of ours what to do")?;
    let mut command = Command::new("/proc/self/exe");
    command.arg0("weft").arg(verb).arg(told);
    Ok(command)
}

fn told<T: DeserializeOwned>(rest: &[OsString]) -> anyhow::Result<T> {
    let text = rest.first().and_then(|text| text.to_str()).context("this verb is for weft itself")?;
    serde_json::from_str(text).context("this verb is for weft itself")
}
