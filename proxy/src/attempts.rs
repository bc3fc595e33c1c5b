//! Trying again: what was tried already, and what may be.

use std::{cell::RefCell, net::SocketAddr, rc::Rc, sync::Arc};

use smallvec::SmallVec;

use crate::{
    balance::{Chosen, Wanted, Work},
    clock,
    family::Family,
    refusal::{Reason, Refusal, Retry},
    snapshot::Cluster,
    world::World,
};

/// Where the same request is being worked on, of several tries at once.
pub type Busy = Rc<RefCell<SmallVec<[SocketAddr; 2]>>>;

/// What was tried already, and how often one may try.
pub struct Attempts {
    family: Family,
    key: Option<u64>,
    left: u32,
    failed: SmallVec<[SocketAddr; 4]>,
    last: Option<Refusal>,
    preferred: Option<SocketAddr>,
    /// Whether what has failed may be tried once more when nothing else is left.
    repeats: bool,
    busy: Option<Busy>,
    /// Of the busy ones, ours.
    ours: Option<SocketAddr>,
}

impl Attempts {
    /// As many as `max`, for work that was dialled at `address` and has this `key`. Endpoints that others are `busy`
    /// with are left to them.
    pub fn toward(address: SocketAddr, key: Option<u64>, max: u32, busy: Option<Busy>) -> Self {
        let (family, failed) = (Family::of(address), SmallVec::new());
        Self { family, key, left: max, failed, last: None, preferred: None, repeats: false, busy, ours: None }
    }

    /// Goes on to another attempt, or gives up with `refusal`. Only work that cannot have begun is attempted again.
    pub fn next(&mut self, refusal: Refusal) -> Result<(), Refusal> {
        self.left = self.left.saturating_sub(1);
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
        if self.busy.is_some() {
            return self.choose_beside(cluster, work, world);
        }
        self.choose_but(&[], cluster, work, world)
    }

    fn choose_but(
        &mut self,
        others: &[SocketAddr],
        cluster: &Arc<Cluster>,
        work: Work,
        world: &World,
    ) -> Result<Chosen, Refusal> {
        if let Some(address) = self.preferred.take().filter(|address| !others.contains(address))
            && let Some(chosen) = world.balance.stay(cluster, address, clock::now())
        {
            return Ok(chosen);
        }
        let mut failed = self.failed.len();
        self.failed.extend_from_slice(others);
        let (family, key, now) = (self.family, self.key, clock::now());
        let mut chosen = world.balance.choose(cluster, Wanted { work, family, key, tried: &self.failed }, now);
        if chosen.is_err() && self.repeats && failed > 0 {
            self.failed.drain(..failed);
            failed = 0;
            chosen = world.balance.choose(cluster, Wanted { work, family, key, tried: others }, now);
        }
        self.failed.truncate(failed);
        chosen.map_err(|none_left| self.last.take().unwrap_or(none_left))
    }

    fn choose_beside(&mut self, cluster: &Arc<Cluster>, work: Work, world: &World) -> Result<Chosen, Refusal> {
        let busy = self.busy.clone().unwrap_or_default();
        if let Some(ours) = self.ours.take() {
            busy.borrow_mut().retain(|address| *address != ours);
        }
        let others = busy.borrow().clone();
        let chosen = self.choose_but(&others, cluster, work, world)?;
        self.ours = Some(chosen.endpoint().address);
        busy.borrow_mut().extend(self.ours);
        Ok(chosen)
    }

    /// The same, keeping away from the endpoint that failed.
    pub fn elsewhere(&mut self, refusal: Refusal, chosen: &Chosen, world: &World) -> Result<(), Refusal> {
        if refusal.reason != Reason::NoIdentity {
            world.ejected(&chosen.failed(clock::now()));
        }
        self.failed.push(chosen.endpoint().address);
        self.next(refusal)
    }

    /// One attempt more, by the leave of somebody who knows what it may do; elsewhere than where `last` was, if there is such a
    /// place.
    pub fn once_more(&mut self, last: Option<&Chosen>) {
        self.left = self.left.max(1);
        self.repeats = true;
        self.last = None;
        self.failed.extend(last.map(|chosen| chosen.endpoint().address));
    }
}
