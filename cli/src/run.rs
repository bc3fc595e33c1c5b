//! `weft run`: one more command in a running mesh.
//!
//! It asks the mesh for a pod, enters the pod's namespaces, and starts the command as its own child: at the same terminal,
//! in the same directory, with the same environment. When it ends, however it ends, the kernel ends the command and the
//! mesh sees the connection close and removes the pod.

use std::{
    io::{self, Write},
    os::{fd::OwnedFd, unix::net::UnixStream},
    path::PathBuf,
    process::{Command, ExitCode},
};

use anyhow::{Context as _, bail};
use kernel::namespace::{Kind, Namespace};
use rustix::process::{Pid, Signal, kill_process};
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    args::RunArgs,
    exit,
    processes::{
        again,
        app::{Launch, Whom},
    },
    rendezvous::{self, ANSWER_MAX, JoinAnswer, JoinRequest},
};

/// Runs the command and ends as it ends.
pub(crate) fn run(args: RunArgs) -> ExitCode {
    match start(args) {
        Ok(code) => ExitCode::from(code),
        Err(error) => exit::because(&error, exit::NO_MESH),
    }
}

fn start(args: RunArgs) -> anyhow::Result<u8> {
    // This process has one thread until it is inside: the kernel lets nobody else change user namespaces.
    let directory = std::env::current_dir().context("cannot tell the current directory")?;
    let (connection, answer, namespaces) = join(&args)?;
    let ordinary = match answer {
        JoinAnswer::Welcome { ordinary } => ordinary,
        JoinAnswer::Refused(why) => bail!(why),
    };
    let launch = Launch {
        directory,
        env: Vec::new(),
        become_whom: ordinary.map_or(Whom::Ourselves, |(user, group)| Whom::Mapped(user, group)),
        own_session: false,
        die_with_parent: true,
        files_max: None,
    };
    let mut command = again("__app", &launch)?;
    command.args(&args.command);
    enter(namespaces)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
    // The connection is the pod's life: it stays open as long as this process.
    let code = runtime.block_on(attend(command));
    drop(connection);
    code
}

fn join(args: &RunArgs) -> anyhow::Result<(UnixStream, JoinAnswer, Vec<OwnedFd>)> {
    let shown = args.mesh.display();
    let mesh = args.mesh.canonicalize().with_context(|| format!("cannot find the mesh {shown}"))?;
    let mut connection = rendezvous::connect(&mesh).map_err(|error| match error.kind() {
        io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => {
            anyhow::anyhow!("no mesh runs for {shown}; start it with `weft up {shown}`, or name its directory with --mesh")
        }
        io::ErrorKind::PermissionDenied => anyhow::anyhow!("the mesh of {shown} is another user's"),
        _ => anyhow::Error::from(error).context(format!("cannot reach the mesh {shown}")),
    })?;
    let request = JoinRequest {
        name: args.name.clone(),
        namespace: args.namespace.clone(),
        service_account: args.service_account.clone(),
        labels: args.labels.iter().cloned().collect(),
        ports: args.ports.clone(),
    };
    let mut line = serde_json::to_vec(&request)?;
    line.push(b'\n');
    connection.write_all(&line).context("the mesh does not listen")?;
    let mut buffer = vec![0; ANSWER_MAX];
    let (length, descriptors) = rendezvous::receive(&connection, &mut buffer).context("the mesh does not answer")?;
    if length == 0 {
        bail!("the mesh of {shown} has ended");
    }
    let answer = serde_json::from_slice(&buffer[..length]).context("the mesh's answer cannot be read; is it another version?")?;
    Ok((connection, answer, descriptors))
}

/// Enters the pod: the mesh's user namespace first, which gives the power to enter the others.
fn enter(descriptors: Vec<OwnedFd>) -> anyhow::Result<()> {
    let kinds = [Kind::Network, Kind::Mount, Kind::Process, Kind::User];
    if descriptors.len() + 1 < kinds.len() {
        bail!("the mesh sent no namespaces");
    }
    let mut namespaces: Vec<Namespace> =
        kinds.into_iter().zip(descriptors).map(|(kind, descriptor)| Namespace::from_fd(kind, descriptor)).collect();
    while let Some(namespace) = namespaces.pop() {
        namespace.enter().context("cannot enter the pod")?;
    }
    Ok(())
}

async fn attend(command: Command) -> anyhow::Result<u8> {
    let listen = |kind| signal(kind).context("cannot listen for signals");
    // The terminal sends these to the command as well; what they mean is for the command to say.
    let (mut interrupt, mut quit) = (listen(SignalKind::interrupt())?, listen(SignalKind::quit())?);
    let (mut terminate, mut hangup) = (listen(SignalKind::terminate())?, listen(SignalKind::hangup())?);
    let mut command = tokio::process::Command::from(command);
    // `/` exists in every mount namespace; `__app` goes to the right directory itself.
    let mut child = command.current_dir(PathBuf::from("/")).spawn().context("cannot start the command")?;
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    let pass_on = |signal| {
        if let Some(pid) = pid {
            let _ = kill_process(pid, signal);
        }
    };
    loop {
        tokio::select! {
            ended = child.wait() => return Ok(exit::of(ended.context("cannot wait for the command")?)),
            _ = terminate.recv() => pass_on(Signal::TERM),
            _ = hangup.recv() => pass_on(Signal::HUP),
            _ = interrupt.recv() => {}
            _ = quit.recv() => {}
        }
    }
}
