//! From the command line to a running proxy, and out again.

use std::{
    ffi::OsString,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    process::ExitCode,
    sync::{Arc, atomic::AtomicBool},
};

use anyhow::Context as _;
use certs::store::IdentityStore;
use clap::Parser;
use tokio::{
    net::TcpListener,
    runtime::Builder,
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use crate::{
    accept::Door,
    admin::{Admin, Status},
    agent,
    config::{self, Settings},
    connect, drain,
    events::{Direction, Metrics, Registry},
    family::Family,
    feed, identity, init,
    redirected::Redirected,
    snapshot, worker,
};

/// The sidecar of the Weft service mesh.
///
/// Without a verb it carries traffic, configured by the environment (docs/operating/env.md).
#[derive(Debug, Parser)]
#[command(name = "weft-proxy", version)]
struct Arguments {
    /// Take everything from this file instead of a control component.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Install, verify, print or remove the redirect rules of the network namespace we are in.
    Init(init::InitArgs),
    /// Give an app that follows xDS itself, in a pod without a sidecar, its discovery.
    Agent(agent::AgentArgs),
}

/// Runs the program; `args` include its name. Returns when it has ended.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(args) {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let ended = match arguments.verb {
        Some(Verb::Init(args)) => init::run(args),
        Some(Verb::Agent(args)) => represent(args),
        None => carry(arguments.config),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("weft-proxy: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn represent(args: agent::AgentArgs) -> anyhow::Result<()> {
    let settings = read_settings(true)?;
    log(&settings);
    let runtime = Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
    runtime.block_on(async {
        let admin = listen(settings.ports.admin).await?;
        agent::serve(args, settings, admin, told_to_leave()).await
    })
}

fn carry(file: Option<PathBuf>) -> anyhow::Result<()> {
    let settings = Arc::new(read_settings(file.is_none())?);
    log(&settings);
    let standalone = file.map(|path| feed::load(&path)).transpose()?;
    let (trigger, drain) = drain::channel();
    let store = Arc::new(IdentityStore::new());
    let (publisher, reader, asked) = snapshot::channel();
    let registry = Registry::new(settings.series_max);
    let connected = Arc::new(AtomicBool::new(false));
    let redirected = Redirected::by_port(settings.ports.redirect_check);
    let status = Status {
        settings: settings.clone(),
        identity: store.clone(),
        snapshots: reader.clone(),
        control: connected.clone(),
        redirected: redirected.clone(),
        drain: drain.clone(),
    };
    let given = worker::Given {
        settings: settings.clone(),
        snapshots: reader.clone(),
        identity: store.clone(),
        registry: registry.clone(),
        dials: connect::Dials::default(),
        balance: Default::default(),
        budgets: Default::default(),
        redirected: redirected.clone(),
        drain: drain.clone(),
    };

    // Everything but traffic runs here: a scrape or a renewal never delays a request.
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().context("cannot start the runtime")?;
    let admin_listener = runtime.block_on(listen(settings.ports.admin))?;
    let pages = admin(status, &registry);
    runtime.spawn(::admin::serve(admin_listener, move |question| pages.answer(question)));
    let listeners = match standalone {
        Some(standalone) => {
            standalone.identity.into_iter().for_each(|identity| store.publish(identity));
            publisher.publish(standalone.snapshot);
            // Nobody writes snapshots any more, and nobody answers questions: what the file does not name is unknown.
            runtime.spawn(feed::answer_unknown(publisher, reader, asked));
            standalone.listeners
        }
        None => {
            let control = settings.control.clone().context("no control is configured")?;
            let me = Arc::new(settings.me.clone());
            let (obtained, has_identity) = watch::channel(false);
            runtime.spawn(identity::keep(me.clone(), control.clone(), store.clone(), obtained, drain.clone()));
            let given = feed::Given { me, control, identity: store, has_identity, publisher, reader, connected };
            runtime.spawn(feed::follow(given, asked, drain.clone()));
            Vec::new()
        }
    };
    runtime.spawn(redirected.complain());
    runtime.spawn(async move {
        let signal = told_to_leave().await;
        tracing::info!(signal, "leaving: open work may end");
        trigger.pull();
    });
    work(&given, &listeners)
}

/// Runs all workers; the first on this thread.
fn work(given: &worker::Given, listeners: &[feed::Listener]) -> anyhow::Result<()> {
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..given.settings.workers)
            .map(|_| scope.spawn(|| worker::run(given.clone(), || doors(&given.settings, listeners))))
            .collect();
        let first = worker::run(given.clone(), || doors(&given.settings, listeners));
        for other in others {
            other.join().unwrap_or_else(|_| Err(anyhow::anyhow!("a worker died; this is a bug of ours")))?;
        }
        first
    })
}

fn doors(settings: &Settings, listeners: &[feed::Listener]) -> anyhow::Result<Vec<Door>> {
    let mut doors = Vec::new();
    let silence_max = settings.silence_max;
    for (direction, port) in [(Direction::Outbound, settings.ports.outbound), (Direction::Inbound, settings.ports.inbound)] {
        if !listeners.is_empty() {
            break;
        }
        doors.push(Door::redirected(direction, port, Family::V4, silence_max).with_context(|| taken(port))?);
        match Door::redirected(direction, port, Family::V6, silence_max) {
            Ok(door) => doors.push(door),
            Err(error) => tracing::info!(port, %error, "not listening on IPv6"),
        }
    }
    for listener in listeners {
        let door = Door::fixed(listener.direction.into(), listener.address, listener.destination, silence_max);
        doors.push(door.with_context(|| format!("cannot listen on {}", listener.address))?);
    }
    Ok(doors)
}

fn taken(port: u16) -> String {
    format!("cannot listen on port {port}: if another program has it, stop that or choose another port (WEFT_*_PORT)")
}

async fn listen(port: u16) -> anyhow::Result<TcpListener> {
    match TcpListener::bind(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port))).await {
        Ok(listener) => Ok(listener),
        // A kernel without IPv6.
        Err(error) if error.kind() != std::io::ErrorKind::AddrInUse => {
            TcpListener::bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))).await.with_context(|| taken(port))
        }
        Err(error) => Err(error).with_context(|| taken(port)),
    }
}

fn admin(status: Status, registry: &Registry) -> Admin {
    let mut metrics = prometheus_client::registry::Registry::default();
    metrics.register_collector(Box::new(Metrics(registry.clone())));
    metrics.register_collector(Box::new(status.clone()));
    Admin { metrics, status }
}

async fn told_to_leave() -> &'static str {
    let (terminate, interrupt) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    match (terminate, interrupt) {
        (Ok(mut terminate), Ok(mut interrupt)) => tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        },
        // Without handlers the kernel's default ends us at once; there is nothing to wait for.
        _ => std::future::pending().await,
    }
}

fn read_settings(with_control: bool) -> anyhow::Result<Settings> {
    config::read(&(), with_control).map_err(|mistakes| {
        let list: Vec<String> = mistakes.iter().map(|mistake| format!("\n  {mistake}")).collect();
        anyhow::anyhow!("the environment cannot be used:{}", list.concat())
    })
}

fn log(settings: &Settings) {
    // Checked when the settings were read.
    let filter = tracing_subscriber::EnvFilter::new(&settings.log);
    let logging = tracing_subscriber::fmt().json().with_env_filter(filter).with_writer(std::io::stderr);
    // Somebody else's subscriber may be there already, in a test.
    let _ = logging.try_init();
}
