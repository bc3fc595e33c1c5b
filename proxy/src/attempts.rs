//! Trying again: what was tried already, and what may be.

use std::{net::SocketAddr, sync::Arc};

use smallvec::SmallVec;

use crate::{
    balance::{Chosen, Wanted, Work},
    clock,
    family::Family,
    refusal::{Reason, Refusal, Retry},
    snapshot::Cluster,
    world::World,
};

/// What was tried already, and how often one may try.
pub struct Attempts {
    family: Family,
    key: Option<u64>,
    left: u32,
    failed: SmallVec<[SocketAddr; 4]>,
    last: Option<Refusal>,
    preferred: Option<SocketAddr>,
}

impl Attempts {
    /// As many as `max`, for work that was dialled at `address` and has this `key`.
    pub fn toward(address: SocketAddr, key: Option<u64>, max: u32) -> Self {
        Self { family: Family::of(address), key, left: max, failed: SmallVec::new(), last: None, preferred: None }
    }

    /// Goes on to another attempt, or gives up with `refusal`. Only work that cannot have begun is attempted again.
    pub fn next(&mut self, refusal: Refusal) -> Result<(), Refusal> {
        self.left -= 1;
        if self.left == 0 || refusal.retry == Retry::Unsafe {
            return Err(refusal);
        }
        tracing::debug!(%refusal, "trying again");
        self.last = Some(refusal);
        Ok(())
    }

    /// Begins with the endpoint at `address`, as long as it may be chosen.
    pub fn prefer(&mut self, address: Option<SocketAddr>) {
        self.preferred = address;
    }

    /// Chooses an endpoint that has not failed yet. When none is left, the last failure says more than that.
    pub fn choose(&mut self, cluster: &Arc<Cluster>, work: Work, world: &World) -> Result<Chosen, Refusal> {
        if let Some(address) = self.preferred.take()
            && let Some(chosen) = world.balance.stay(cluster, address, clock::now())
        {
            return Ok(chosen);
        }
        let wanted = Wanted { work, family: self.family, key: self.key, tried: &self.failed };
        let chosen = world.balance.choose(cluster, wanted, clock::now());
        chosen.map_err(|none_left| self.last.take().unwrap_or(none_left))
    }

    /// The same, keeping away from the endpoint that failed.
    pub fn elsewhere(&mut self, refusal: Refusal, chosen: &Chosen, world: &World) -> Result<(), Refusal> {
        if refusal.reason != Reason::NoIdentity {
            world.ejected(&chosen.failed(clock::now()));
        }
        self.failed.push(chosen.endpoint().address);
        self.next(refusal)
    }
}
