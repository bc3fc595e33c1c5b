//! What only one replica does, while it holds a Lease (`coordination.k8s.io/v1`).
//!
//! Whether another holder still lives is told by whether it goes on renewing, measured by our own clock: those of two machines need not
//! agree. Every write names the version that it was decided on, so of two that take over one fails.

use std::time::{Duration, Instant};

use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::{MicroTime, OwnerReference},
    jiff::Timestamp,
};
use kube::{Api, Client, api::PostParams, core::ObjectMeta};

use crate::clock;

/// A holder that has not renewed for so long has lost it.
const LIFE: Duration = Duration::from_secs(15);

/// How often it is renewed, and looked at by those who wait.
const RENEW: Duration = Duration::from_secs(4);

/// What a candidate knows of the Lease.
struct Candidate {
    leases: Api<Lease>,
    name: String,
    owner: Option<OwnerReference>,
    me: String,
    /// The version seen last, and when.
    seen: Option<(String, Instant)>,
}

/// Does `work` for ever while `me` holds the Lease `name` in `namespace`; it is dropped when that is lost, and begun again.
/// It belongs to `owner`.
pub(crate) async fn lead<F: Future<Output = ()>>(
    client: Client,
    namespace: &str,
    (name, owner): (&str, Option<OwnerReference>),
    me: String,
    work: impl Fn() -> F,
) {
    let mut candidate = Candidate { leases: Api::namespaced(client, namespace), name: name.to_owned(), owner, me, seen: None };
    loop {
        candidate.wait().await;
        tracing::info!(lease = name, "this replica leads");
        tokio::select! {
            () = work() => {}
            () = candidate.renew() => tracing::warn!(lease = name, "this replica does not lead any more"),
        }
    }
}

impl Candidate {
    /// Waits until it is ours.
    async fn wait(&mut self) {
        loop {
            match self.take().await {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => tracing::debug!(%error, "the lease cannot be had now"),
            }
            tokio::time::sleep(RENEW).await;
        }
    }

    /// Renews it until it is lost.
    async fn renew(&mut self) {
        let mut renewed = clock::now();
        while clock::now().saturating_duration_since(renewed) < LIFE - RENEW {
            tokio::time::sleep(RENEW).await;
            match self.take().await {
                Ok(true) => renewed = clock::now(),
                Ok(false) => return,
                // The API server may be gone for a moment.
                Err(error) => tracing::debug!(%error, "the lease cannot be renewed now"),
            }
        }
    }

    /// Takes it, or renews it, if that is fair. Says whether it is ours.
    async fn take(&mut self) -> kube::Result<bool> {
        let Some(lease) = self.leases.get_opt(&self.name).await? else {
            let new = Lease {
                metadata: ObjectMeta {
                    name: Some(self.name.clone()),
                    owner_references: self.owner.clone().map(|owner| vec![owner]),
                    ..ObjectMeta::default()
                },
                spec: Some(self.held(0)),
            };
            return won(self.leases.create(&PostParams::default(), &new).await);
        };
        let spec = lease.spec.clone().unwrap_or_default();
        let is_ours = spec.holder_identity.as_ref() == Some(&self.me);
        let is_free = spec.holder_identity.as_deref().unwrap_or_default().is_empty();
        if !is_ours && !is_free && !self.is_forsaken(lease.metadata.resource_version.clone().unwrap_or_default()) {
            return Ok(false);
        }
        let transitions = spec.lease_transitions.unwrap_or(0) + i32::from(!is_ours);
        let acquired = spec.acquire_time.filter(|_| is_ours);
        let mut held = self.held(transitions);
        held.acquire_time = acquired.or(held.acquire_time);
        // It keeps the version that was read.
        let lease = Lease { spec: Some(held), ..lease };
        won(self.leases.replace(&self.name, &PostParams::default(), &lease).await)
    }

    /// Whether nobody has renewed it for its whole life, as far as we have seen.
    fn is_forsaken(&mut self, version: String) -> bool {
        match &self.seen {
            Some((seen, when)) if *seen == version => clock::now().saturating_duration_since(*when) > LIFE,
            _ => {
                self.seen = Some((version, clock::now()));
                false
            }
        }
    }

    fn held(&self, transitions: i32) -> LeaseSpec {
        let now = MicroTime(Timestamp::try_from(clock::wall()).unwrap_or_default());
        LeaseSpec {
            holder_identity: Some(self.me.clone()),
            lease_duration_seconds: i32::try_from(LIFE.as_secs()).ok(),
            acquire_time: Some(now.clone()),
            renew_time: Some(now),
            lease_transitions: Some(transitions),
            ..LeaseSpec::default()
        }
    }
}

/// Whether a write has won: another may have been faster.
fn won(written: kube::Result<Lease>) -> kube::Result<bool> {
    match written {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if ["AlreadyExists", "Conflict"].contains(&status.reason.as_str()) => Ok(false),
        Err(error) => Err(error),
    }
}
