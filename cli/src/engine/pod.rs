//! The life of one pod: its namespaces, its sidecar, its app, and their end.
//!
//! ```text
//! build ─▶ sidecar ─▶ app ─▶ ready ─▶ (asked to go) ─▶ nobody comes any more ─▶ app ends ─▶ sidecar ends
//! ```
//!
//! A pod reports what happens to it and decides nothing about others.

use std::{
    cell::Cell,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use control::manifest::kinds::ContainerPort;
use kernel::namespace::{Namespace, within};
use tokio::{
    process::Child,
    sync::{mpsc::UnboundedSender, oneshot, watch},
    time::{Instant, sleep},
};

use super::{
    Event, Place, leftovers,
    manifest::{Key, Planned},
    network::{self, ADMIN, Home, Plot},
    probe::{self, Question, Rhythm},
    sidecar,
    supervise::{Kept, Runs, keep, told},
    workload::Workload,
};
use crate::processes::{
    again,
    app::{Launch, Whom},
};

/// From "nobody may come any more" to "your app may end". Control tells every proxy within 250 ms; the rest is for
/// requests that were on their way.
const LEAVING: Duration = Duration::from_millis(1000);

/// Time a sidecar has to end what is still open when its app is gone.
const SIDECAR_GRACE: Duration = Duration::from_secs(5);

/// Whether a pod is to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// No.
    Stay,
    /// Yes, and nobody who calls it may notice.
    Politely,
    /// Yes, and nobody is left to notice: the whole mesh ends, or its app has ended already.
    AtOnce,
}

/// What a pod is.
pub(crate) struct Given {
    pub(crate) key: Key,
    /// Tells it from all pods there ever were.
    pub(crate) number: u64,
    /// Its workload's name; its own if it has none.
    pub(crate) workload: String,
    pub(crate) service_account: String,
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) ports: Vec<ContainerPort>,
    pub(crate) meshed: bool,
    pub(crate) app: App,
}

/// What runs in a pod.
pub(crate) enum App {
    /// A program of a workload.
    Ours(Planned),
    /// Something of `weft run`, which is sent the namespaces once they are ready, if it is still there.
    Theirs(Cell<Option<oneshot::Sender<Arc<Home>>>>),
}

/// What happens to a pod.
#[derive(Debug)]
pub(crate) enum News {
    /// Its sidecar is about to show a token with this hash. Answered once control can know.
    Token(String, oneshot::Sender<()>),
    /// It can be called, or cannot any more.
    Ready(bool),
    /// It is gone.
    Gone,
}

/// Lives until it is told to stop, or cannot begin.
pub(crate) async fn live(given: Given, place: Rc<Place>, events: UnboundedSender<Event>, stop: watch::Receiver<Stop>) {
    let began = Instant::now();
    let pod = Pod { given, place, events };
    match pod.build().await {
        Ok(home) => {
            pod.inhabit(&home, stop, began).await;
            home.disconnect();
            leftovers::end(&home.network);
        }
        Err(error) => pod.place.console.say(format_args!("{} cannot be set up: {error:#}", pod.given.key)),
    }
    pod.tell(News::Gone);
}

struct Pod {
    given: Given,
    place: Rc<Place>,
    events: UnboundedSender<Event>,
}

impl Pod {
    async fn build(&self) -> anyhow::Result<Arc<Home>> {
        let plot = Plot {
            name: self.given.key.name.clone(),
            namespace: self.given.key.namespace.clone(),
            number: self.given.number,
            addresses: self.given.addresses.clone(),
            redirected: self.given.meshed,
        };
        let tree = self.place.tree.clone();
        let built = tokio::task::spawn_blocking(move || network::build(&plot, &tree)).await;
        Ok(Arc::new(built.context("building was interrupted")??))
    }

    async fn inhabit(&self, home: &Arc<Home>, mut stop: watch::Receiver<Stop>, began: Instant) {
        let asked_to_go = stop.clone();
        let (app_runs, sidecar_runs) = (watch::channel(None).0, watch::channel(None).0);
        let (app_ready, sidecar_ready) = (watch::channel(false).0, watch::channel(false).0);
        let (app_may_end, sidecar_may_end) = (watch::channel(false).0, watch::channel(false).0);
        if !self.given.meshed {
            sidecar_ready.send_replace(true);
            sidecar_runs.send_replace(Some(0));
        }
        let sidecar_grace = Rc::new(Cell::new(SIDECAR_GRACE + Duration::from_secs(1)));
        let life = async {
            tokio::join!(
                async {
                    let asked = stop.wait_for(|stop| *stop != Stop::Stay).await.map_or(Stop::AtOnce, |stop| *stop);
                    match asked {
                        Stop::Politely if *app_ready.borrow() => sleep(LEAVING).await,
                        Stop::AtOnce => sidecar_grace.set(Duration::ZERO),
                        _ => {}
                    }
                    app_may_end.send_replace(true);
                },
                async {
                    self.app(home, &app_runs, sidecar_ready.subscribe(), app_may_end.subscribe()).await;
                    sidecar_may_end.send_replace(true);
                },
                self.sidecar(home, &sidecar_runs, sidecar_grace.clone(), sidecar_may_end.subscribe()),
            );
        };
        tokio::select! {
            () = life => {}
            () = self.attend_sidecar(&sidecar_runs, &sidecar_ready) => {}
            () = self.attend_app(home, &app_runs, &app_ready) => {}
            () = self.report([app_ready.subscribe(), sidecar_ready.subscribe()], [&app_runs, &sidecar_runs], &asked_to_go, began) => {}
        }
    }

    /// Tells whenever the pod becomes ready or ceases to be. Never returns.
    async fn report(
        &self,
        [mut app, mut sidecar]: [watch::Receiver<bool>; 2],
        runs: [&Runs; 2],
        stop: &watch::Receiver<Stop>,
        began: Instant,
    ) {
        let mut reported = false;
        let mut first = true;
        loop {
            let ready = *app.borrow_and_update() && *sidecar.borrow_and_update();
            if ready != reported {
                self.tell(News::Ready(ready));
                reported = ready;
                let console = &self.place.console;
                let key = &self.given.key;
                match (ready, *stop.borrow()) {
                    (true, _) if std::mem::take(&mut first) => {
                        console.say(format_args!("{key} is ready ({:.2} s)", began.elapsed().as_secs_f32()));
                    }
                    (true, _) => console.say(format_args!("{key} is ready again")),
                    // Of an end it is said already.
                    (false, Stop::Stay) if runs.iter().all(|runs| runs.borrow().is_some()) => {
                        console.say(format_args!("{key} is not ready any more"))
                    }
                    (false, _) => {}
                }
            }
            tokio::select! {
                _ = app.changed() => {}
                _ = sidecar.changed() => {}
            }
        }
    }

    async fn sidecar(&self, home: &Home, runs: &Runs, grace: Rc<Cell<Duration>>, mut stop: watch::Receiver<bool>) {
        if !self.given.meshed {
            return told(&mut stop).await;
        }
        let name = format!("{}'s sidecar", self.given.key);
        let kept = Kept { name, grace, console: self.place.console.clone() };
        keep(&kept, runs, stop, async || self.start_sidecar(home).await).await;
    }

    async fn start_sidecar(&self, home: &Home) -> anyhow::Result<Child> {
        let token = sidecar::Token::new(&self.place.private, self.given.number)?;
        let (known, knows) = oneshot::channel();
        self.tell(News::Token(token.hash.clone(), known));
        let _ = knows.await;
        let command = sidecar::command(&self.given, &token.path, SIDECAR_GRACE)?;
        let mut child = spawn(command, &[&home.network])?;
        self.place.pass_on(&mut child, &format!("{} sidecar", self.given.key));
        Ok(child)
    }

    async fn attend_sidecar(&self, runs: &Runs, ready: &watch::Sender<bool>) {
        if !self.given.meshed {
            return std::future::pending().await;
        }
        let Some(address) = self.given.addresses.first() else { return std::future::pending().await };
        let admin = SocketAddr::new(*address, ADMIN);
        probe::attend(runs.subscribe(), ready, &Rhythm::eager(), async || {
            let Ok(stream) = tokio::net::TcpStream::connect(admin).await else { return false };
            probe::get(stream, admin, "/ready").await.is_ok()
        })
        .await;
    }

    async fn app(&self, home: &Arc<Home>, runs: &Runs, mut sidecar: watch::Receiver<bool>, mut stop: watch::Receiver<bool>) {
        tokio::select! {
            () = told(&mut sidecar) => {}
            () = told(&mut stop) => return,
        }
        match &self.given.app {
            App::Ours(planned) => {
                let Some(program) = &planned.program else { return told(&mut stop).await };
                let name = format!("{}", self.given.key);
                let grace = Rc::new(Cell::new(planned.workload.grace()));
                let kept = Kept { name, grace, console: self.place.console.clone() };
                keep(&kept, runs, stop, async || self.start_app(home, &planned.workload, program)).await;
            }
            App::Theirs(waiting) => {
                runs.send_replace(Some(1));
                if let Some(waiting) = waiting.take() {
                    let _ = waiting.send(home.clone());
                }
                told(&mut stop).await;
            }
        }
    }

    fn start_app(&self, home: &Home, workload: &Workload, program: &PathBuf) -> anyhow::Result<Child> {
        let launch = self.launch(workload);
        let mut command = again("__app", &launch)?;
        command.arg(program).args(workload.spec.command.iter().skip(1)).args(&workload.spec.args);
        let mut child = spawn(command, &[&home.network, &home.mounts])?;
        self.place.pass_on(&mut child, &self.given.key.to_string());
        Ok(child)
    }

    fn launch(&self, workload: &Workload) -> Launch {
        let mut env = vec![(String::from("HOSTNAME"), self.given.key.name.clone())];
        env.extend(workload.spec.env.iter().map(|variable| (variable.name.clone(), variable.value.clone())));
        let directory = self.place.directory.join(workload.spec.working_dir.as_deref().unwrap_or(".".as_ref()));
        let context = &workload.spec.security_context;
        let become_whom = match (self.place.ordinary, context.run_as_user, context.run_as_group) {
            (Some((user, group)), as_user, as_group) => Whom::Mapped(as_user.unwrap_or(user), as_group.unwrap_or(group)),
            (None, None, None) => Whom::Ourselves,
            (None, user, group) => Whom::User(user.unwrap_or(0), group.or(user).unwrap_or(0)),
        };
        Launch { directory, env, become_whom, own_session: true, die_with_parent: false, files_max: self.place.files_max }
    }

    async fn attend_app(&self, home: &Home, runs: &Runs, ready: &watch::Sender<bool>) {
        let (question, rhythm) = self.question();
        probe::attend(runs.subscribe(), ready, &rhythm, async || match &question {
            Question::Execute(command) => self.execute(home, command).await,
            question => probe::ask(question, home).await,
        })
        .await;
    }

    /// What to ask the app before it is called: what its manifest says, or else whether its first port accepts connections.
    fn question(&self) -> (Question, Rhythm) {
        let Some(address) = self.given.addresses.first() else { return (Question::None, Rhythm::eager()) };
        let at = |port| SocketAddr::new(*address, port);
        if let App::Ours(planned) = &self.given.app
            && let Some(probe) = &planned.workload.spec.readiness_probe
        {
            let port = |port| planned.workload.port(port).unwrap_or_default();
            let question = match (&probe.http_get, &probe.tcp_socket, &probe.exec) {
                (Some(get), ..) => Question::Get(at(port(&get.port)), get.path.clone()),
                (_, Some(socket), _) => Question::Connect(at(port(&socket.port))),
                (_, _, Some(exec)) => Question::Execute(exec.command.clone()),
                _ => Question::None,
            };
            return (question, Rhythm::of(probe));
        }
        let question = self.given.ports.first().map_or(Question::None, |port| Question::Connect(at(port.container_port)));
        (question, Rhythm::eager())
    }

    async fn execute(&self, home: &Home, command: &[String]) -> bool {
        let App::Ours(planned) = &self.given.app else { return false };
        let start = || -> anyhow::Result<Child> {
            let mut probe = again("__app", &self.launch(&planned.workload))?;
            probe.args(command);
            spawn_silent(probe, &[&home.network, &home.mounts])
        };
        match start() {
            Ok(mut child) => child.wait().await.is_ok_and(|status| status.success()),
            Err(_) => false,
        }
    }

    fn tell(&self, news: News) {
        // The engine listens until all pods are gone.
        let _ = self.events.send(Event::Pod(self.given.key.clone(), self.given.number, news));
    }
}

/// Starts `command` inside `namespaces`, its output to be read.
fn spawn(mut command: std::process::Command, namespaces: &[&Namespace]) -> anyhow::Result<Child> {
    use std::process::Stdio;
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    spawn_inside(command, namespaces)
}

fn spawn_silent(mut command: std::process::Command, namespaces: &[&Namespace]) -> anyhow::Result<Child> {
    use std::process::Stdio;
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    spawn_inside(command, namespaces)
}

fn spawn_inside(command: std::process::Command, namespaces: &[&Namespace]) -> anyhow::Result<Child> {
    let runtime = tokio::runtime::Handle::current();
    let mut command = tokio::process::Command::from(command);
    command.kill_on_drop(true);
    within(namespaces, || {
        let _inside = runtime.enter();
        command.spawn()
    })?
    .context("cannot start a process in a pod")
}

/// Labels of a pod that joined.
pub(crate) fn ports(ports: &[(Option<String>, u16)]) -> Vec<ContainerPort> {
    let port = |(name, number): &(Option<String>, u16)| ContainerPort {
        name: name.clone(),
        container_port: *number,
        ..ContainerPort::default()
    };
    ports.iter().map(port).collect()
}
