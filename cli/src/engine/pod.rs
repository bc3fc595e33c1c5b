//! The life of one pod: its namespaces, its sidecar, its app, and their end.
//!
//! ```text
//! build ─▶ sidecar ─▶ app ─▶ ready ─▶ (asked to go) ─▶ nobody comes any more ─▶ app ends ─▶ sidecar ends
//! ```
//!
//! In the sidecar's place there may be an agent, or nobody.
//!
//! A pod reports what happens to it and decides nothing about others.

use std::{cell::Cell, ffi::OsStr, net::IpAddr, net::SocketAddr, rc::Rc, sync::Arc, time::Duration};

use anyhow::Context as _;
use control::manifest::kinds::ContainerPort;
use tokio::{
    process::Child,
    sync::{mpsc::UnboundedSender, oneshot, watch},
    time::{Instant, sleep, timeout},
};

use super::{
    Event, Place,
    app::{self, App},
    inside::{self, Output},
    leftovers,
    manifest::Key,
    network::{self, ADMIN, Home, Plot},
    probe::{self, Question, Rhythm},
    sidecar,
    supervise::{Kept, Runs, keep, told},
    workload::Companion,
};

/// From "nobody may come any more" to "your app may end". Control tells every proxy within 250 ms; the rest is for
/// requests that were on their way.
const LEAVING: Duration = Duration::from_millis(1000);

/// Time a sidecar has to end what is still open when its app is gone.
const SIDECAR_GRACE: Duration = Duration::from_secs(5);

/// Before another try, where a pod cannot be set up.
const AGAIN: Duration = Duration::from_secs(5);

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
    pub(crate) companion: Companion,
    pub(crate) app: App,
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
pub(crate) async fn live(given: Given, place: Rc<Place>, events: UnboundedSender<Event>, mut stop: watch::Receiver<Stop>) {
    let began = Instant::now();
    let pod = Pod { given, place, events };
    match pod.build().await {
        Ok(home) => {
            pod.inhabit(&home, stop.clone(), began).await;
            home.disconnect();
            leftovers::end(&home.network);
        }
        Err(error) => {
            pod.place.console.say(format_args!("{} cannot be set up: {error:#}", pod.given.key));
            // It counts as there until then; otherwise it would be tried again at once, for ever.
            let _ = timeout(AGAIN, stop.wait_for(|stop| *stop != Stop::Stay)).await;
        }
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
            redirected: self.given.companion == Companion::Sidecar,
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
        if self.given.companion == Companion::Nobody {
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
        if self.given.companion == Companion::Nobody {
            return told(&mut stop).await;
        }
        let name = format!("{}'s {}", self.given.key, self.given.companion.word());
        let kept = Kept { name, grace, console: self.place.console.clone() };
        keep(&kept, runs, stop, async || self.start_sidecar(home).await).await;
    }

    async fn start_sidecar(&self, home: &Home) -> anyhow::Result<Child> {
        let token = sidecar::Token::new(&self.place.private, self.given.number)?;
        let (known, knows) = oneshot::channel();
        self.tell(News::Token(token.hash.clone(), known));
        let _ = knows.await;
        let command = sidecar::command(&self.given, &token.path, SIDECAR_GRACE)?;
        let mut child = inside::spawn(command, &[&home.network], Output::Read)?;
        self.place.pass_on(&mut child, &format!("{} {}", self.given.key, self.given.companion.word()));
        Ok(child)
    }

    async fn attend_sidecar(&self, runs: &Runs, ready: &watch::Sender<bool>) {
        if self.given.companion == Companion::Nobody {
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
                let command = app::command(&planned.workload, program);
                let start = || app::start(&self.given, &planned.workload, &command, &self.place, home, Output::Read);
                keep(&kept, runs, stop, async || {
                    let mut child = start()?;
                    self.place.pass_on(&mut child, &self.given.key.to_string());
                    Ok(child)
                })
                .await;
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

    async fn attend_app(&self, home: &Home, runs: &Runs, ready: &watch::Sender<bool>) {
        let (question, rhythm) = app::question(&self.given);
        probe::attend(runs.subscribe(), ready, &rhythm, async || match (&question, &self.given.app) {
            (Question::Execute(command), App::Ours(planned)) => {
                let command: Vec<&OsStr> = command.iter().map(OsStr::new).collect();
                let started = app::start(&self.given, &planned.workload, &command, &self.place, home, Output::Nowhere);
                match started {
                    Ok(mut child) => child.wait().await.is_ok_and(|status| status.success()),
                    Err(_) => false,
                }
            }
            (question, _) => probe::ask(question, home).await,
        })
        .await;
    }

    fn tell(&self, news: News) {
        // The engine listens until all pods are gone.
        let _ = self.events.send(Event::Pod(self.given.key.clone(), self.given.number, news));
    }
}
