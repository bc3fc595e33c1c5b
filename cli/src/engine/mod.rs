//! `__engine`: runs a mesh on this machine. It is what the API server, the scheduler and the kubelets are to a cluster.
//!
//! ```text
//! folder ─▶ manifest ─▶ plan ─▶ pods (network, sidecar, app, probe)
//!                         ▲        │ news
//!                         └──── table ─▶ state ─▶ control ─▶ sidecars
//!                                  └───▶ dns
//! ```
//!
//! One loop (`mesh`) owns everything that changes. Whatever happens becomes an event; after each, the plan is asked what to
//! start and stop, and control and DNS are told how things are. Pods live in tasks of their own and only report.

mod addresses;
mod app;
mod console;
mod dns;
mod folder;
mod inside;
mod join;
mod leftovers;
mod manifest;
mod mesh;
mod network;
mod plan;
mod pod;
mod probe;
mod sidecar;
mod state;
mod supervise;
mod table;
mod words;
mod workload;

use std::{
    cell::Cell,
    fs,
    net::IpAddr,
    os::{fd::AsFd, unix::net::UnixStream},
    path::{Path, PathBuf},
    process::ExitCode,
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, ensure};
use kernel::{
    mount,
    namespace::{self, Kind, Namespace},
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{
    process::Child,
    sync::{
        mpsc::{UnboundedReceiver, unbounded_channel},
        watch,
    },
    task::LocalSet,
};

pub(crate) use console::Console;
pub(crate) use manifest::Key;
pub(crate) use mesh::Event;

use crate::{
    demo, exit,
    processes::{Source, Task},
    rendezvous,
};

/// Folders that the mesh may cover with its own files, for itself alone. Nothing of ours needs what is in them.
const COVERABLE: [&str; 6] = ["/run", "/mnt", "/srv", "/media", "/opt", "/tmp"];

/// Time control has to end.
const CONTROL_GRACE: Duration = Duration::from_secs(2);

/// What all pods have in common.
#[derive(Debug)]
pub(crate) struct Place {
    /// The user's directory.
    pub(crate) directory: PathBuf,
    /// The mesh's own files: tokens, certificates, what control is told. In memory, and in no app's sight.
    pub(crate) private: PathBuf,
    /// The mount namespace that pods' are copied from. It does not contain `private`.
    pub(crate) tree: Arc<Namespace>,
    /// The mesh's processes.
    pub(crate) processes: Namespace,
    /// The mesh's user namespace, if it has one.
    pub(crate) users: Option<Namespace>,
    /// Who the person is, where a user namespace hides it.
    pub(crate) ordinary: Option<(u32, u32)>,
    /// How many open files apps are given; we allow ourselves more.
    pub(crate) files_max: Option<u64>,
    pub(crate) ipv6: bool,
    pub(crate) console: Console,
}

impl Place {
    /// Shows people what a child writes.
    pub(crate) fn pass_on(&self, child: &mut Child, name: &str) {
        if let Some(out) = child.stdout.take() {
            tokio::task::spawn_local(self.console.clone().pass_on(name.to_owned(), out));
        }
        if let Some(errors) = child.stderr.take() {
            tokio::task::spawn_local(self.console.clone().pass_on(name.to_owned(), errors));
        }
    }
}

/// Runs the mesh until its lifeline, which is standard input, is cut.
pub(crate) fn run(task: Task) -> anyhow::Result<ExitCode> {
    namespace::die_with_parent(Some(1))?;
    let lifeline = UnixStream::from(std::io::stdin().as_fd().try_clone_to_owned().context("no lifeline")?);
    let (_, descriptors) = rendezvous::receive(&lifeline, &mut [0; 8]).context("no lifeline")?;

    // Before any thread starts: pods are given the tree as it is now, without what is mounted below.
    let tree = Namespace::current(Kind::Mount).context("no /proc")?;
    namespace::leave_for_new(&[Kind::Mount]).context("cannot make a mount namespace")?;
    let private = make_private(&task)?;
    let directory = match &task.source {
        Source::Directory(directory) => directory.clone(),
        Source::Demo { .. } => demo::unpack(&private)?,
    };
    let files_max = allow_many_files();
    let ipv6 = network::has_ipv6();
    network::create_bridge(ipv6)?;

    let (listener, said) = unbounded_channel();
    let listener = matches!(task.source, Source::Demo { .. }).then_some(listener);
    let (console, writer) = Console::open(task.colour, listener).context("no thread")?;
    let place = Rc::new(Place {
        directory,
        private,
        tree: Arc::new(tree),
        processes: Namespace::current(Kind::Process).context("no /proc")?,
        users: task.rootless.then(|| Namespace::current(Kind::User)).transpose().context("no /proc")?,
        ordinary: task.rootless.then_some((task.user, task.group)),
        files_max,
        ipv6,
        console,
    });
    let listener = descriptors.into_iter().next().map(std::os::unix::net::UnixListener::from);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
    let code = LocalSet::new().block_on(&runtime, serve(&task, place, lifeline, listener, said));
    // The pods' last words.
    drop(runtime);
    let _ = writer.join();
    code.map(ExitCode::from)
}

async fn serve(
    task: &Task,
    place: Rc<Place>,
    lifeline: UnixStream,
    listener: Option<std::os::unix::net::UnixListener>,
    said: UnboundedReceiver<(String, String)>,
) -> anyhow::Result<u8> {
    let accepted = match manifest::read(&place.directory) {
        Ok(accepted) => accepted,
        Err(problems) => {
            words::tell(&place.console, &problems);
            place.console.say("nothing was started");
            return Ok(exit::MISTAKE);
        }
    };
    let names = dns::Shared::default();
    let dns = dns::serve(IpAddr::V4(addresses::ENGINE), names.clone()).await.context("cannot serve DNS")?;
    let mut mesh = mesh::Mesh::new(place.clone(), names)?;
    if let Some(listener) = listener {
        listener.set_nonblocking(true)?;
        let listener = tokio::net::UnixListener::from_std(listener)?;
        tokio::task::spawn_local(join::serve(listener, place.clone(), mesh.events()));
    }
    lifeline.set_nonblocking(true)?;
    let lifeline = tokio::net::UnixStream::from_std(lifeline)?;
    mesh.accept(accepted);
    let (stop_control, stop) = watch::channel(false);
    let control = tokio::task::spawn_local(keep_control(place.clone(), stop));
    wait_for_bundle(&place.private.join(sidecar::BUNDLE)).await?;

    let good = match &task.source {
        Source::Directory(_) => {
            mesh.introduce();
            let cut = async {
                let _ = lifeline.readable().await;
            };
            mesh.run(cut).await;
            true
        }
        Source::Demo { time_ms, began_ms, json } => {
            let wish = demo::Wish { time: time_ms.map(Duration::from_millis), json: *json, began_ms: *began_ms };
            let outcome = Cell::new(false);
            let showing = demo::show(wish, mesh.events(), said, place.console.clone(), lifeline);
            mesh.run(async { outcome.set(showing.await) }).await;
            outcome.get()
        }
    };
    stop_control.send_replace(true);
    let _ = control.await;
    drop(dns);
    Ok(if good { 0 } else { exit::FAILED })
}

/// An empty file system in memory, over a folder that nobody needs.
fn make_private(task: &Task) -> anyhow::Result<PathBuf> {
    let needed = match &task.source {
        Source::Directory(directory) => Some(directory.as_path()),
        Source::Demo { .. } => None,
    };
    let covers = |folder: &&&str| Path::new(folder).is_dir() && needed.is_none_or(|needed| !needed.starts_with(folder));
    let folder = Path::new(COVERABLE.iter().find(covers).context("there is no folder for the mesh's own files")?);
    mount::memory_over(folder).context("cannot make a file system in memory")?;
    for name in ["tokens", "state", "ca"] {
        fs::create_dir(folder.join(name)).context("cannot make a folder in memory")?;
    }
    Ok(folder.to_owned())
}

/// Lets this process open as many files as it may; returns how many it could before.
fn allow_many_files() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }).ok()?;
    limit.current
}

async fn keep_control(place: Rc<Place>, stop: watch::Receiver<bool>) {
    let grace = Rc::new(Cell::new(CONTROL_GRACE));
    let kept = supervise::Kept { name: String::from("control"), grace, console: place.console.clone() };
    let runs = watch::channel(None).0;
    supervise::keep(&kept, &runs, stop, async || {
        let mut command = sidecar::ours("weft-control");
        command.arg("--source").arg(place.private.join("state"));
        command.arg("--ca-dir").arg(place.private.join("ca"));
        command.arg("--bundle-out").arg(place.private.join(sidecar::BUNDLE));
        command.arg("--listen").arg(addresses::ENGINE.to_string());
        let mut command = tokio::process::Command::from(command);
        command.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        let mut child = command.kill_on_drop(true).spawn().context("cannot start control")?;
        place.pass_on(&mut child, "control");
        Ok(child)
    })
    .await;
}

/// Sidecars read the bundle when they start.
async fn wait_for_bundle(bundle: &Path) -> anyhow::Result<()> {
    for _ in 0..2000 {
        if fs::metadata(bundle).is_ok_and(|file| file.len() > 0) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    ensure!(bundle.exists(), "control did not start within 10 s");
    Ok(())
}
