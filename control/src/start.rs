//! From the command line to a running control component, and out again.

use std::{
    ffi::OsString,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, bail};
use certs::{
    issue::{Authority, LEAF_MAX},
    name::TrustDomain,
};
use clap::Parser;
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
    admin, clock,
    metrics::Metrics,
    serve::{Certificates, Discovery, Door, Issuing},
    state::State,
    watch,
};

/// HTTP/2 windows of the gRPC servers: one slow stream does not hold up the others on its connection.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 8 << 20;

/// The control component of the Weft service mesh: certificates, discovery and routing for its proxies.
#[derive(Debug, Parser)]
#[command(name = "weft-control", version)]
struct Arguments {
    /// Directory of manifests (Service, EndpointSlice, Pod) to follow.
    #[arg(long, env = "WEFT_SOURCE", value_name = "DIR")]
    source: PathBuf,
    /// Directory of the CA: ca.pem and ca-key.pem, made there if it holds none.
    #[arg(long, env = "WEFT_CA_DIR", value_name = "DIR", conflicts_with_all = ["ca_cert", "ca_key"])]
    ca_dir: Option<PathBuf>,
    /// Certificate of an existing CA, with its chain up to the root.
    #[arg(long, env = "WEFT_CA_CERT", value_name = "FILE", requires = "ca_key")]
    ca_cert: Option<PathBuf>,
    /// Private key of an existing CA.
    #[arg(long, env = "WEFT_CA_KEY", value_name = "FILE", requires = "ca_cert")]
    ca_key: Option<PathBuf>,
    /// Where to write the trust bundle, for proxies to read.
    #[arg(long, env = "WEFT_BUNDLE_OUT", value_name = "FILE")]
    bundle_out: Option<PathBuf>,
    /// Trust domain of the mesh.
    #[arg(long, env = "WEFT_TRUST_DOMAIN", default_value = "cluster.local")]
    trust_domain: TrustDomain,
    /// Address to listen on.
    #[arg(long, env = "WEFT_LISTEN", default_value_t = IpAddr::V4(Ipv4Addr::UNSPECIFIED), value_name = "ADDRESS")]
    listen: IpAddr,
    /// Port for discovery.
    #[arg(long, env = "WEFT_XDS_PORT", default_value_t = 17010, value_name = "PORT")]
    xds_port: u16,
    /// Port for certificates.
    #[arg(long, env = "WEFT_CERTS_PORT", default_value_t = 17011, value_name = "PORT")]
    certs_port: u16,
    /// Port for metrics and health.
    #[arg(long, env = "WEFT_CONTROL_ADMIN_PORT", default_value_t = 17013, value_name = "PORT")]
    admin_port: u16,
    /// Life of a workload's certificate, in seconds; from 10 s to 24 h.
    #[arg(long, env = "WEFT_LEAF_LIFETIME_SECONDS", default_value_t = LEAF_MAX.as_secs(), value_name = "SECONDS")]
    leaf_lifetime: u64,
    /// What is logged, in the syntax of tracing's EnvFilter.
    #[arg(long, env = "WEFT_LOG", default_value = "info", value_name = "FILTER")]
    log: String,
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
    match control(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("weft-control: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn control(arguments: Arguments) -> anyhow::Result<()> {
    arguments.check()?;
    let filter = tracing_subscriber::EnvFilter::try_new(&arguments.log).context("--log")?;
    let _ = tracing_subscriber::fmt().json().with_env_filter(filter).with_writer(std::io::stderr).try_init();
    let authority = arguments.authority()?;
    if let Some(path) = &arguments.bundle_out {
        std::fs::write(path, authority.bundle().to_pem()).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")?.block_on(serve(arguments, authority))
}

async fn serve(arguments: Arguments, authority: Authority) -> anyhow::Result<()> {
    let metrics = Metrics::new();
    let state = State::new(arguments.trust_domain.as_ref());
    let issuing = Issuing {
        authority: Arc::new(authority),
        trust_domain: arguments.trust_domain.clone(),
        lifetime: Duration::from_secs(arguments.leaf_lifetime),
        metrics: metrics.clone(),
    };
    let [xds, certificates, admin] = arguments.listeners().await?;
    let configs = issuing.keep()?;
    let (seen, counted) = (state.clone(), metrics.clone());
    tokio::spawn(::admin::serve(admin, move |question| admin::answer(question, &seen, &counted)));
    let discovery = AggregatedDiscoveryServiceServer::new(Discovery { state: state.clone(), metrics: metrics.clone() });
    let issuer = IstioCertificateServiceServer::new(Certificates { issuing, state: state.clone() });
    let xds = Door { listener: xds, config: configs.discovery, metrics: metrics.clone() };
    let certificates = Door { listener: certificates, config: configs.certificates, metrics: metrics.clone() };
    // A stream of discovery never ends by itself, so nobody waits for streams: clients keep what they have and come again.
    tokio::select! {
        served = server().add_service(discovery).serve_with_incoming(xds.lines()) => served.context("discovery ended"),
        served = server().add_service(issuer).serve_with_incoming(certificates.lines()) => served.context("certificates ended"),
        followed = watch::follow(arguments.source, state, metrics) => followed,
        signal = told_to_leave() => {
            tracing::info!(signal, "leaving");
            Ok(())
        }
    }
}

fn server() -> Server {
    Server::builder()
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .tcp_nodelay(true)
}

impl Arguments {
    /// Checks what clap cannot, all at once.
    fn check(&self) -> anyhow::Result<()> {
        let mut mistakes = Vec::new();
        if self.ca_dir.is_none() && self.ca_cert.is_none() {
            mistakes.push(String::from("name a CA: --ca-dir, or --ca-cert with --ca-key"));
        }
        if !(10..=LEAF_MAX.as_secs()).contains(&self.leaf_lifetime) {
            mistakes.push(format!("--leaf-lifetime {}: from 10 to {} seconds", self.leaf_lifetime, LEAF_MAX.as_secs()));
        }
        if !self.source.is_dir() {
            mistakes.push(format!("--source {}: there is no such directory", self.source.display()));
        }
        let ports = [self.xds_port, self.certs_port, self.admin_port];
        if ports.iter().any(|port| ports.iter().filter(|other| *other == port).count() > 1) {
            mistakes.push(String::from("--xds-port, --certs-port and --admin-port must differ"));
        }
        if !mistakes.is_empty() {
            bail!("the arguments cannot be used:\n  {}", mistakes.join("\n  "));
        }
        Ok(())
    }

    fn authority(&self) -> anyhow::Result<Authority> {
        let authority = match (&self.ca_dir, &self.ca_cert, &self.ca_key) {
            (Some(folder), ..) => Authority::open_or_create(folder, &self.trust_domain, clock::wall()),
            (None, Some(certificate), Some(key)) => Authority::from_files(certificate, key),
            _ => bail!("name a CA: --ca-dir, or --ca-cert with --ca-key"),
        };
        authority.context("there is no CA to issue with")
    }

    async fn listeners(&self) -> anyhow::Result<[TcpListener; 3]> {
        let listen = async |port, what| {
            let address = SocketAddr::new(self.listen, port);
            TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address} for {what}"))
        };
        Ok([
            listen(self.xds_port, "discovery (--xds-port)").await?,
            listen(self.certs_port, "certificates (--certs-port)").await?,
            listen(self.admin_port, "metrics (--admin-port)").await?,
        ])
    }
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
