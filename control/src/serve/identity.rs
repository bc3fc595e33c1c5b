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

/// Issues to others and to itself.
#[derive(Clone)]
pub(crate) struct Issuing {
    pub(crate) authority: Arc<Authority>,
    pub(crate) trust_domain: TrustDomain,
    /// Life of a leaf.
    pub(crate) lifetime: Duration,
    pub(crate) metrics: Metrics,
}

/// TLS of the two ports, replaced at every renewal.
#[derive(Clone)]
pub(crate) struct Configs {
    /// Discovery: clients must show a certificate.
    pub(crate) discovery: Arc<ArcSwap<ServerConfig>>,
    /// Certificates: clients that have one show it.
    pub(crate) certificates: Arc<ArcSwap<ServerConfig>>,
}

impl Issuing {
    /// The first certificate, and a task that renews it for ever.
    ///
    /// # Errors
    /// The authority cannot issue, for instance because its own time is over.
    pub(crate) fn keep(&self) -> anyhow::Result<Configs> {
        let identity = self.own()?;
        let (discovery, certificates) = servers(&identity)?;
        let configs =
            Configs { discovery: Arc::new(ArcSwap::new(discovery)), certificates: Arc::new(ArcSwap::new(certificates)) };
        tokio::spawn(self.clone().renew_for_ever(configs.clone(), identity));
        Ok(configs)
    }

    fn own(&self) -> anyhow::Result<Identity> {
        let now = clock::wall();
        let pending = Pending::new()?;
        let issued = self.authority.issue(pending.csr_pem(), &SpiffeId::control(&self.trust_domain), self.lifetime, now)?;
        let identity = pending.complete(&issued.chain_pem, self.authority.bundle(), now);
        identity.context("control's own certificate cannot be used: has the CA ended?")
    }

    async fn renew_for_ever(self, configs: Configs, mut identity: Identity) {
        loop {
            let since = identity.not_after().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
            self.metrics.certificate_ends(i64::try_from(since.as_secs()).unwrap_or(i64::MAX));
            // From now on: the beginning of its life is set back.
            let renewal = schedule::renew_at(clock::wall(), identity.not_after(), 0.5);
            while let Ok(left) = renewal.duration_since(clock::wall()) {
                tokio::time::sleep(left.min(Duration::from_secs(600))).await;
            }
            match self.own().and_then(|renewed| Ok((servers(&renewed)?, renewed))) {
                Ok(((discovery, certificates), renewed)) => {
                    configs.discovery.store(discovery);
                    configs.certificates.store(certificates);
                    identity = renewed;
                }
                Err(error) => {
                    tracing::error!("control's own certificate cannot be renewed: {error:#}");
                    tokio::time::sleep(Duration::from_secs(10)).await;
                }
            }
        }
    }
}

fn servers(identity: &Identity) -> anyhow::Result<(Arc<ServerConfig>, Arc<ServerConfig>)> {
    Ok((identity.grpc_server(ClientAuth::Required)?, identity.grpc_server(ClientAuth::Optional)?))
}
