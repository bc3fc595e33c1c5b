//! `weft up` and `weft demo`: the process at the terminal.
//!
//! It starts the mesh (see `processes`), holds its lifeline, and turns signals into an orderly end. The lifeline is a
//! socket: when this end of it closes, however that comes about, the mesh ends.

use std::{
    io::{self, IsTerminal},
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::{UnixListener, UnixStream},
    },
    path::Path,
    process::{ExitCode, ExitStatus},
};

use anyhow::{Context as _, bail};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{
    args::DemoArgs,
    clock, exit,
    processes::{Source, Task, again},
    rendezvous,
};

/// Runs the mesh of a directory.
pub(crate) fn directory(directory: &Path) -> ExitCode {
    let prepared = directory.canonicalize().map_err(anyhow::Error::from).and_then(|canonical| {
        if !canonical.is_dir() {
            bail!("it is not a directory");
        }
        match rendezvous::listen(&canonical) {
            Ok(listener) => Ok((canonical, listener)),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                bail!("its mesh is running already; `weft run --mesh {} …` joins it", directory.display())
            }
            Err(error) => Err(error).context("cannot listen for those who join"),
        }
    });
    match prepared.with_context(|| format!("cannot bring up {}", directory.display())) {
        Ok((canonical, listener)) => start(Source::Directory(canonical), Some(&listener)),
        Err(error) => exit::because(&error, exit::MISTAKE),
    }
}

/// Runs the demo.
pub(crate) fn demo(args: &DemoArgs) -> ExitCode {
    let time_ms = args.time.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
    start(Source::Demo { time_ms, began_ms: clock::unix_ms(), json: args.json }, None)
}

fn start(source: Source, listener: Option<&UnixListener>) -> ExitCode {
    let task = Task {
        source,
        terminal: std::process::id(),
        user: rustix::process::getuid().as_raw(),
        group: rustix::process::getgid().as_raw(),
        rootless: false,
        colour: io::stdout().is_terminal(),
    };
    // On this very thread: the kernel kills the mesh when the thread that started it ends.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the runtime");
    match runtime.and_then(|runtime| runtime.block_on(hold(&task, listener))) {
        Ok(code) => code,
        Err(error) => exit::because(&error, exit::FAILED),
    }
}

async fn hold(task: &Task, listener: Option<&UnixListener>) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::new()?;
    let (lifeline, theirs) = UnixStream::pair().context("cannot make the lifeline")?;
    let mut command = tokio::process::Command::from(again("__mesh", task)?);
    let mut mesh = command.stdin(OwnedFd::from(theirs)).spawn().context("cannot start the mesh")?;
    // Ours too would keep the lifeline open.
    drop(command);
    let descriptors: Vec<_> = listener.iter().map(AsFd::as_fd).collect();
    // If the mesh is gone already, its exit tells why.
    let _ = rendezvous::send(&lifeline, b"!", &descriptors);

    let ended = tokio::select! {
        ended = mesh.wait() => return code(ended),
        () = signals.any() => {
            drop(lifeline);
            tokio::select! {
                ended = mesh.wait() => ended,
                () = signals.any() => {
                    mesh.kill().await.context("cannot kill the mesh")?;
                    return Ok(ExitCode::from(exit::INTERRUPTED));
                }
            }
        }
    };
    code(ended)
}

fn code(ended: io::Result<ExitStatus>) -> anyhow::Result<ExitCode> {
    Ok(ExitCode::from(exit::of(ended.context("cannot wait for the mesh")?)))
}

/// The signals that mean "end".
struct Signals([Signal; 3]);

impl Signals {
    fn new() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self([listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?, listen(SignalKind::hangup())?]))
    }

    async fn any(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}
