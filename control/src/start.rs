//! From the command line to a running control component, and out again.

use std::{ffi::OsString, net::SocketAddr, path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use anyhow::{Context as _, anyhow, bail};
use certs::issue::Authority;
use kube::Client;
use tokio::{
    net::TcpListener,
    runtime::Builder,
    signal::unix::{SignalKind, signal},
};
use tonic::transport::Server;
use wire::{
    envoy::service::discovery::v3::aggregated_discovery_service_server::AggregatedDiscoveryServiceServer,
    istio::v1::auth::istio_certificate_service_server::IstioCertificateServiceServer,
};

use crate::{
    admin::{About, Admin},
    clock,
    cluster::{self, Injector},
    metrics::{self, Metrics},
    plan::Mesh,
    serve::{Certificates, Discovery, Door, Issuing, Leave, Roster, Tellers},
    settings::{Ca, NoSettings, Settings, Source},
    state::State,
    watch,
};

/// HTTP/2 windows of the gRPC servers: one slow stream does not hold up the others on its connection.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 8 << 20;

/// A client that does not answer our pings within this time is gone, whatever its network says.
const PING_EVERY: Duration = Duration::from_secs(20);
const PING_PATIENCE: Duration = Duration::from_secs(10);

/// A proxy has one stream of discovery; others may have one of each variant.
const STREAMS_MAX: u32 = 16;

/// Asking for a certificate takes no longer; who stays is shown the door, for anybody may come in here.
const CERTIFICATE_CALL_MAX: Duration = Duration::from_secs(60);

/// Clients are told that we leave, and have this long to hear it.
const FAREWELL: Duration = Duration::from_secs(2);

/// Runs the program; `args` include its name. Returns when it has ended.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let settings = match Settings::read(args) {
        Ok(settings) => settings,
        Err(NoSettings::Flags(error)) => {
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
        Err(NoSettings::Mistakes(mistakes)) => {
            eprintln!("weft-control: the arguments cannot be used:\n  {}", mistakes.join("\n  "));
            return ExitCode::from(2);
        }
    };
    match control(settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("weft-control: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn control(mut settings: Settings) -> anyhow::Result<()> {
    let filter = std::mem::take(&mut settings.log);
    let _ = tracing_subscriber::fmt().json().with_env_filter(filter).with_writer(std::io::stderr).try_init();
    Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")?.block_on(serve(settings))
}

/// What is followed, found.
enum Followed {
    Folder(PathBuf),
    Cluster(Client),
}

impl Followed {
    async fn find(source: &Source) -> anyhow::Result<Self> {
        Ok(match source {
            Source::Folder(folder) => Self::Folder(folder.clone()),
            Source::Cluster => Self::Cluster(cluster::connect().await?),
        })
    }
}

async fn authority(settings: &Settings, followed: &Followed) -> anyhow::Result<Authority> {
    let (trust_domain, now) = (&settings.trust_domain, clock::wall());
    let authority = match (&settings.ca, followed) {
        (Ca::Folder(folder), _) => Authority::open_or_create(folder, trust_domain, now).map_err(Into::into),
        (Ca::Files { certificate, key }, _) => Authority::from_files(certificate, key).map_err(Into::into),
        (Ca::Secret(name), Followed::Cluster(client)) => {
            cluster::authority(client.clone(), &settings.namespace, name, trust_domain, now).await
        }
        // The settings do not let that come about.
        (Ca::Secret(_), Followed::Folder(_)) => Err(anyhow!("a Secret is in a cluster, and a directory is followed")),
    };
    authority.context("there is no CA to issue with")
}

async fn serve(settings: Settings) -> anyhow::Result<()> {
    let told = told_to_leave()?;
    let followed = Followed::find(&settings.source).await?;
    let authority = authority(&settings, &followed).await?;
    if let Some(path) = &settings.bundle_out {
        std::fs::write(path, authority.bundle().to_pem()).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let Listeners { xds, certificates, admin, webhook } = Listeners::open(&settings).await?;
    let metrics = Metrics::new();
    let state = State::new(Mesh {
        trust_domain: settings.trust_domain.clone(),
        default_policy: settings.default_policy,
        root_namespace: settings.namespace.clone(),
    });
    let roster = Roster::default();
    let issuing = Issuing {
        authority: Arc::new(authority),
        trust_domain: settings.trust_domain.clone(),
        lifetime: settings.leaf_lifetime,
        metrics: metrics.clone(),
    };
    let held = issuing.keep()?;
    let (watched, tellers) = match followed {
        Followed::Folder(folder) => {
            let watched = watch::folder(folder, state.clone(), metrics.clone()).context("cannot follow the source")?;
            (watched, Tellers::source())
        }
        Followed::Cluster(client) => {
            if let (Some(injection), Some(listener)) = (settings.injection.clone(), webhook) {
                let (authority, state, replica) = (issuing.authority.clone(), state.clone(), settings.replica.clone());
                let (client, namespace) = (client.clone(), settings.namespace.clone());
                let metrics = metrics.clone();
                let injector = Injector { client, authority, state, metrics, namespace, replica, injection, listener };
                injector.begin().await.context("sidecars cannot be added")?;
            }
            (watch::cluster(client.clone(), state.clone(), metrics.clone()), Tellers::cluster(client))
        }
    };
    let pages = Admin {
        state: state.clone(),
        metrics: metrics.clone(),
        roster: roster.clone(),
        about: About { source: settings.source.to_string(), leaf_lifetime: settings.leaf_lifetime, held: held.clone() },
        address: settings.admin_listen,
    };
    tokio::spawn(::admin::serve(admin, move |question| pages.answer(question)));
    let (leave, leaving) = Leave::new();
    let goes = || {
        let mut leaving = leaving.clone();
        async move { leaving.begins().await }
    };
    let door = |name, listener, config| Door { name, listener, config, metrics: metrics.clone() }.lines();
    let discovery = Discovery { state: state.clone(), metrics: metrics.clone(), roster, leaving: leaving.clone() };
    let discovery = server()
        .max_concurrent_streams(STREAMS_MAX)
        .add_service(AggregatedDiscoveryServiceServer::new(discovery))
        .serve_with_incoming_shutdown(door(metrics::DISCOVERY, xds, held.discovery), goes());
    let issuer = server()
        .max_concurrent_streams(STREAMS_MAX)
        .max_connection_age(CERTIFICATE_CALL_MAX)
        .max_connection_age_grace(Duration::ZERO)
        .add_service(IstioCertificateServiceServer::new(Certificates::new(issuing, state, tellers)))
        .serve_with_incoming_shutdown(door(metrics::CERTIFICATES, certificates, held.certificates), goes());
    let serving = async { tokio::try_join!(discovery, issuer) };
    tokio::pin!(serving);
    tracing::info!(listen = %settings.listen, xds = settings.xds_port, certificates = settings.certs_port, "serving");
    tokio::select! {
        served = &mut serving => served.map(drop).context("serving ended"),
        _ = watched => bail!("the source is not followed any more"),
        signal = told => {
            tracing::info!(signal, "leaving");
            leave.now();
            // Whoever has not gone by then is let down: he keeps what he has, and comes again.
            let _ = tokio::time::timeout(FAREWELL, serving).await;
            Ok(())
        }
    }
}

fn server() -> Server {
    Server::builder()
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .http2_keepalive_interval(Some(PING_EVERY))
        .http2_keepalive_timeout(Some(PING_PATIENCE))
}

/// The ports we serve at.
struct Listeners {
    xds: TcpListener,
    certificates: TcpListener,
    admin: TcpListener,
    /// Where sidecars are added.
    webhook: Option<TcpListener>,
}

impl Listeners {
    /// Listens on all of them, or says which cannot be had.
    async fn open(settings: &Settings) -> anyhow::Result<Self> {
        let listen = async |ip, port, what| {
            let address = SocketAddr::new(ip, port);
            TcpListener::bind(address).await.map_err(|error| {
                let why = match error.kind() {
                    std::io::ErrorKind::AddrInUse => format!("port {port} is taken by another program"),
                    std::io::ErrorKind::AddrNotAvailable => format!("{ip} is not an address of this machine"),
                    _ => error.to_string(),
                };
                format!("cannot listen on {address} for {what}: {why}")
            })
        };
        let xds = listen(settings.listen, settings.xds_port, "discovery (--xds-port)").await;
        let certificates = listen(settings.listen, settings.certs_port, "certificates (--certs-port)").await;
        let admin = listen(settings.admin_listen, settings.admin_port, "metrics (--admin-port)").await;
        let webhook = match &settings.injection {
            Some(injection) => listen(settings.listen, injection.port, "the webhook (--webhook-port)").await.map(Some),
            None => Ok(None),
        };
        match (xds, certificates, admin, webhook) {
            (Ok(xds), Ok(certificates), Ok(admin), Ok(webhook)) => Ok(Self { xds, certificates, admin, webhook }),
            (xds, certificates, admin, webhook) => {
                let webhook = webhook.err();
                let mistakes: Vec<String> =
                    [xds, certificates, admin].into_iter().filter_map(Result::err).chain(webhook).collect();
                bail!("{}", mistakes.join("\n  "))
            }
        }
    }
}

/// Resolves to the name of the signal that asks us to leave.
fn told_to_leave() -> anyhow::Result<impl Future<Output = &'static str>> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot hear of SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot hear of SIGINT")?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        }
    })
}
