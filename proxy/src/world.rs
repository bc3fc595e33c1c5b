//! What every walk on a worker shares.

use std::sync::Arc;

use certs::store::IdentityStore;
use tokio::sync::Semaphore;

use crate::{
    balance,
    budget::Budgets,
    config::Settings,
    connect, detect,
    dice::Dice,
    drain::{Drain, Occupancy},
    events::{Event, Party, Recorder},
    redirected::Redirected,
    snapshot::{Endpoint, Reader},
    tide::Tide,
};

/// One worker's world. It never leaves its thread, so nothing in it is locked but what is shared on purpose.
#[derive(Debug)]
pub struct World {
    /// Limits and timeouts, parsed once at start.
    pub settings: Arc<Settings>,
    /// Who this proxy stands for, as telemetry names it. Its identity is in `identity`.
    pub me: Party,
    /// What control told us.
    pub snapshots: Reader,
    /// Our certificate and the roots we trust, when we have them.
    pub identity: Arc<IdentityStore>,
    /// What is known about the load of every endpoint.
    pub balance: balance::State,
    /// How many requests may be sent once more.
    pub budgets: Budgets,
    /// Places for copies of requests.
    pub copies: Arc<Semaphore>,
    /// Places for requests that are held up for a trial.
    pub held: Semaphore,
    /// What decides where several share requests.
    pub dice: Dice,
    /// Ready lines to endpoints.
    pub lines: connect::Lines,
    /// Our own connections that are open, so that one that comes back is recognised.
    pub dials: connect::Dials,
    /// What ports were heard to speak.
    pub memory: detect::Memory,
    /// Where to tell what happened.
    pub recorder: Recorder,
    /// Whether the redirect rules are there.
    pub redirected: Redirected,
    /// Whether we are leaving.
    pub drain: Drain,
    /// Who is still inside.
    pub occupancy: Occupancy,
    /// Told when work begins and ends.
    pub tide: Tide,
}

impl World {
    /// Tells of endpoints that were put out.
    pub fn ejected(&self, causes: &balance::Ejected) {
        causes.iter().for_each(|cause| self.recorder.on(Event::Ejected { cause: *cause }));
    }

    /// Whether `endpoint` is reached over mesh TLS: it has an identity, and is not this very pod. A pod that calls itself
    /// leaves by its loopback link, past every redirect, so nobody would be there to end the TLS.
    pub fn goes_by_mesh(&self, endpoint: &Endpoint) -> bool {
        endpoint.identity.is_some() && !self.settings.me.addresses.contains(&endpoint.address.ip())
    }
}
