//! Control's own certificate: issued by itself, to itself, and renewed like everybody's.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use anyhow::Context as _;
use arc_swap::ArcSwap;
use certs::{
    issue::Authority,
    name::{SpiffeId, TrustDomain},
    request::Pending,
    schedule,
    store::{ClientAuth, Identity},
};
use rustls::ServerConfig;

use crate::{clock, metrics::Metrics};

/// A machine that was suspended must not sleep through the end of its certificate: the calendar is looked at so often.
const LOOK_AGAIN: Duration = Duration::from_secs(600);

/// The pause after a renewal that failed.
const PAUSE: Duration = Duration::from_secs(10);

/// What it takes to issue.
#[derive(Clone)]
pub(crate) struct Issuing {
    pub(crate) authority: Arc<Authority>,
    pub(crate) trust_domain: TrustDomain,
    /// Life of a leaf.
    pub(crate) lifetime: Duration,
    pub(crate) metrics: Metrics,
}

/// Our certificate, and TLS of the two ports. Replaced at every renewal.
#[derive(Clone)]
pub(crate) struct Held {
    /// Discovery: clients must show a certificate.
    pub(crate) discovery: Arc<ArcSwap<ServerConfig>>,
    /// Certificates: clients that have one show it.
    pub(crate) certificates: Arc<ArcSwap<ServerConfig>>,
    /// The certificate itself.
    pub(crate) identity: Arc<ArcSwap<Identity>>,
}

impl Issuing {
    /// The first certificate, and a task that renews it for ever.
    ///
    /// # Errors
    /// The authority cannot issue, for instance because its own time is over.
    pub(crate) fn keep(&self) -> anyhow::Result<Held> {
        let identity = self.own()?;
        let (discovery, certificates) = servers(&identity)?;
        let swap = |config| Arc::new(ArcSwap::new(config));
        let held = Held {
            discovery: swap(discovery),
            certificates: swap(certificates),
            identity: Arc::new(ArcSwap::from_pointee(identity)),
        };
        tokio::spawn(self.clone().renew_for_ever(held.clone()));
        Ok(held)
    }

    fn own(&self) -> anyhow::Result<Identity> {
        let now = clock::wall();
        let pending = Pending::new()?;
        let issued = self.authority.issue(pending.csr_pem(), &SpiffeId::control(&self.trust_domain), self.lifetime, now)?;
        let identity = pending.complete(&issued.chain_pem, self.authority.bundle(), now);
        identity.context("control's own certificate cannot be used: has the CA ended?")
    }

    async fn renew_for_ever(self, held: Held) {
        loop {
            let identity = held.identity.load_full();
            self.metrics.certificate_ends(identity.not_after());
            sleep_until(schedule::renew_at(identity.not_before(), identity.not_after(), 0.5)).await;
            if let Err(error) = self.renew(&held) {
                tracing::error!("control's own certificate cannot be renewed: {error:#}");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    fn renew(&self, held: &Held) -> anyhow::Result<()> {
        let identity = self.own()?;
        let (discovery, certificates) = servers(&identity)?;
        tracing::info!(serial = identity.serial(), "control's own certificate is renewed");
        held.discovery.store(discovery);
        held.certificates.store(certificates);
        held.identity.store(Arc::new(identity));
        Ok(())
    }
}

async fn sleep_until(time: SystemTime) {
    while let Ok(left) = time.duration_since(clock::wall()) {
        tokio::time::sleep(left.min(LOOK_AGAIN)).await;
    }
}

fn servers(identity: &Identity) -> anyhow::Result<(Arc<ServerConfig>, Arc<ServerConfig>)> {
    Ok((identity.grpc_server(ClientAuth::Required)?, identity.grpc_server(ClientAuth::Optional)?))
}
