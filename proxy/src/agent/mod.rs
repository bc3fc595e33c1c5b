//! `weft-proxy agent`: discovery for an app that follows xDS itself, and has no sidecar: a client of gRPC, or an Envoy.
//!
//! In: the app's connections, on loopback, in plaintext. Out: each as one to control's discovery, by mutual TLS with this pod's
//! certificate. Never: the app's own traffic; a key in a file.

mod bootstrap;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use ::admin::{Page, Question};
use anyhow::{Context as _, ensure};
use certs::{name::SpiffeId, store::IdentityStore};
use http::StatusCode;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};

use crate::{
    config::{Control, Me, Settings},
    drain, identity, line,
};

pub use bootstrap::bootstrap;

/// Where an agent listens unless it is told otherwise.
pub const ADDRESS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 17005);

/// How long to leave the kernel alone when it has no file descriptor for us.
const BREATH: Duration = Duration::from_millis(100);

/// Flags of `weft-proxy agent`.
#[derive(Debug, clap::Args)]
pub struct AgentArgs {
    /// Where the app's discovery comes in: an address of loopback.
    #[arg(long, value_name = "ADDRESS", default_value_t = ADDRESS)]
    listen: SocketAddr,
    /// Write gRPC's bootstrap to this file, once discovery can be followed.
    #[arg(long, value_name = "FILE")]
    bootstrap: Option<PathBuf>,
}

/// Serves until `told_to_leave`. The app ends before: there is nothing to wait for.
///
/// # Errors
/// The environment or the flags cannot be used.
pub async fn serve(
    args: AgentArgs,
    settings: Settings,
    admin: TcpListener,
    told_to_leave: impl Future<Output = &'static str>,
) -> anyhow::Result<()> {
    // Whoever comes in is taken for this pod.
    ensure!(
        args.listen.ip().is_loopback(),
        "--listen {}: it must be an address of loopback, or others could come in",
        args.listen
    );
    let control = settings.control.context("no control is configured")?;
    let listener = TcpListener::bind(args.listen).await.with_context(|| format!("cannot listen on {}", args.listen))?;
    let (_trigger, drain) = drain::channel();
    let (obtained, in_force) = watch::channel(false);
    let store = Arc::new(IdentityStore::new());
    tokio::spawn(::admin::serve(admin, page(in_force.clone())));
    tokio::spawn(identity::keep(Arc::new(settings.me.clone()), control.clone(), store.clone(), obtained, drain));
    let agent = Agent { me: settings.me, control, store, in_force };
    tokio::select! {
        ended = agent.represent(listener, args) => ended,
        signal = told_to_leave => {
            tracing::info!(signal, "leaving");
            Ok(())
        }
    }
}

fn page(in_force: watch::Receiver<bool>) -> impl Fn(Question<'_>) -> Page {
    move |question| match question.path {
        "/live" => Page::text(StatusCode::OK, "live\n"),
        "/ready" if *in_force.borrow() => Page::text(StatusCode::OK, "ready\n"),
        "/ready" => Page::text(StatusCode::SERVICE_UNAVAILABLE, "not ready: no certificate yet; control has not issued one\n"),
        _ => Page::text(StatusCode::NOT_FOUND, "there are /live and /ready\n"),
    }
}

/// Stands for a pod before control. A clone stands for the same.
#[derive(Clone, Debug)]
struct Agent {
    me: Me,
    control: Control,
    store: Arc<IdentityStore>,
    /// Whether there is a certificate; told again whenever there is a newer one.
    in_force: watch::Receiver<bool>,
}

impl Agent {
    async fn represent(&self, listener: TcpListener, args: AgentArgs) -> anyhow::Result<()> {
        self.in_force.clone().wait_for(|is_there| *is_there).await.context("nobody asks for a certificate any more")?;
        if let Some(path) = &args.bootstrap {
            let text = bootstrap(&self.me.pod, &self.me.namespace, args.listen);
            replace(path, &text).with_context(|| format!("cannot write {}", path.display()))?;
        }
        tracing::info!(address = %args.listen, "discovery is open to the app");
        loop {
            match listener.accept().await {
                Ok((app, _)) => drop(tokio::spawn(self.clone().introduce(app))),
                Err(error) => {
                    tracing::warn!(%error, "cannot take a connection");
                    tokio::time::sleep(BREATH).await;
                }
            }
        }
    }

    async fn introduce(self, app: TcpStream) {
        if let Err(error) = self.carry(app).await {
            tracing::warn!(control = %self.control.xds, "no discovery for the app: {error}");
        }
    }

    /// Carries a connection as long as its certificate is in force: control lets no stream outlive the certificate that opened it.
    async fn carry(&self, mut app: TcpStream) -> io::Result<()> {
        let mut renewed = self.in_force.clone();
        renewed.mark_unchanged();
        let identity = self.store.current().ok_or_else(|| io::Error::other("there is no certificate"))?;
        let tls = identity.grpc_client(&SpiffeId::control(&self.me.trust_domain));
        app.set_nodelay(true)?;
        let mut control = line::connect(&self.control.xds, tls, self.control.mark).await?;
        tokio::select! {
            // However one of them ends it, the other comes again.
            _ = tokio::io::copy_bidirectional(&mut app, &mut control) => {}
            _ = renewed.changed() => {}
        }
        Ok(())
    }
}

/// Writes a file that is there in whole or not at all.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let half = path.with_extension("new");
    std::fs::write(&half, text)?;
    std::fs::rename(half, path)
}
