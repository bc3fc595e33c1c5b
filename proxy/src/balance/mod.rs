//! Which endpoint now?
//!
//! In: a cluster from the snapshot. Out: [`Chosen`], which counts as load on its endpoint for as long as it lives; and a
//! [`Place`], where only so much may be under way. Never: a socket, or a clock of its own.

mod affinity;
mod candidate;
mod eject;
mod group;
mod levels;
mod limits;
mod load;
mod neighbours;
mod pick;
mod record;

use std::{cell::RefCell, net::SocketAddr, sync::Arc, time::Instant};

use foldhash::{HashMap, HashMapExt};

use crate::{
    dice::Dice,
    family::Family,
    refusal::{Reason, Refusal},
    snapshot::Cluster,
};
use affinity::Affinities;
pub use candidate::{Candidate, Chosen};
use group::{Group, Picked};
use limits::Places;
pub use limits::{Limited, Place};
pub use neighbours::Ejected;
pub use record::Outcome;

/// What a choice is for; the two have different notions of load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// A request: the endpoint that would answer soonest (peak-EWMA of latency, times what it has to do already).
    Request,
    /// An opaque connection: the endpoint with the fewest.
    Connection,
}

/// What an endpoint is wanted for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// What it is to do.
    pub work: Work,
    /// Family of the address that was dialled: as without a mesh, an endpoint of the same, as long as there is one.
    pub family: Family,
    /// To whom it belongs, where a key decides.
    pub key: Option<u64>,
    /// Who has failed already.
    pub tried: &'a [SocketAddr],
}

/// What all workers share of balancing. A clone is another handle to the same.
#[derive(Clone, Debug, Default)]
pub struct Shared {
    affinities: Affinities,
    places: Places,
}

/// A worker's memory of every endpoint it has balanced over.
#[derive(Debug)]
pub struct State {
    groups: RefCell<HashMap<Arc<str>, Group>>,
    dice: Dice,
    shared: Shared,
}

impl State {
    /// An empty memory, beside what all workers share. The same seed and calls give the same choices.
    pub fn new(seed: u64, shared: Shared) -> Self {
        Self { groups: RefCell::new(HashMap::new()), dice: Dice::new(seed), shared }
    }

    /// Chooses an endpoint of `cluster`, as it is wanted.
    ///
    /// # Errors
    /// [`Reason::NoEndpoint`] when none is left. Ejected endpoints are chosen only when all are ejected: a wrong guess
    /// about everybody must not turn into an outage of our own making.
    pub fn choose(&self, cluster: &Arc<Cluster>, wanted: Wanted<'_>, now: Instant) -> Result<Chosen, Refusal> {
        if !cluster.discovered {
            return only(cluster, wanted.tried, now);
        }
        let mut groups = self.groups.borrow_mut();
        let group = self.group(&mut groups, cluster, now);
        let anew = || group.pick(&wanted, &self.dice, now);
        let picked = match cluster.affinity {
            None => anew(),
            Some(time) => self.shared.affinities.settle((&cluster.name, wanted.family), time, now, |last| {
                let last = last.filter(|last| !wanted.tried.contains(last)).and_then(|last| group.at(last));
                let picked = last.filter(|last| !last.candidate.ejection.holds(now)).or_else(anew)?;
                Some((picked.candidate.endpoint.address, picked))
            }),
        };
        let Picked { candidate, neighbours } = picked.ok_or_else(|| nothing_left(cluster, wanted.tried))?;
        Ok(Chosen::new(candidate.clone(), neighbours.cloned(), now))
    }

    /// What the limits of `cluster` leave, if it has any.
    pub fn limited(&self, cluster: &Arc<Cluster>, now: Instant) -> Option<Arc<Limited>> {
        cluster.balancing.limits?;
        let mut groups = self.groups.borrow_mut();
        self.group(&mut groups, cluster, now).limited.clone()
    }

    fn group<'a>(&self, groups: &'a mut HashMap<Arc<str>, Group>, cluster: &Arc<Cluster>, now: Instant) -> &'a Group {
        let group = groups.entry(cluster.name.clone()).or_insert_with(|| {
            let mut group = Group::new(cluster, &self.dice, now);
            group.limited = self.shared.places.of(cluster);
            group
        });
        if !group.is_of(cluster) {
            self.follow(group, cluster, now);
        }
        group
    }

    fn follow(&self, group: &mut Group, cluster: &Arc<Cluster>, now: Instant) -> Vec<SocketAddr> {
        group.limited = self.shared.places.of(cluster);
        group.follow(cluster, &self.dice, now)
    }

    /// The endpoint of `cluster` at `address`, for a client that stays with it; `None` when it has gone, is going or is ejected.
    pub fn stay(&self, cluster: &Arc<Cluster>, address: SocketAddr, now: Instant) -> Option<Chosen> {
        let mut groups = self.groups.borrow_mut();
        let Picked { candidate, neighbours } = self.group(&mut groups, cluster, now).at(address)?;
        (!candidate.ejection.holds(now)).then(|| Chosen::new(candidate.clone(), neighbours.cloned(), now))
    }

    /// Forgets clusters that are no longer in use, and tells which endpoints nobody will be sent to again.
    ///
    /// `in_use` are the clusters of the current snapshot.
    pub fn retire<'a>(&self, in_use: impl Iterator<Item = &'a Arc<Cluster>>, now: Instant) -> Vec<SocketAddr> {
        let in_use: HashMap<&str, &Arc<Cluster>> = in_use.map(|cluster| (&*cluster.name, cluster)).collect();
        let mut gone = Vec::new();
        self.shared.affinities.retain(|name| in_use.contains_key(name));
        self.shared.places.retain(|name| in_use.contains_key(name));
        self.groups.borrow_mut().retain(|name, group| {
            let Some(cluster) = in_use.get(&**name) else {
                gone.extend(group.addresses());
                return false;
            };
            if !group.is_of(cluster) {
                gone.extend(self.follow(group, cluster, now));
            }
            true
        });
        gone
    }
}

/// The endpoint of a cluster that has just the address somebody dialled. Nothing is remembered of it.
fn only(cluster: &Cluster, tried: &[SocketAddr], now: Instant) -> Result<Chosen, Refusal> {
    let endpoint = cluster.endpoints.first().filter(|endpoint| !tried.contains(&endpoint.address));
    let candidate = Candidate::new(endpoint.ok_or_else(|| nothing_left(cluster, tried))?.clone(), None);
    Ok(Chosen::new(candidate, None, now))
}

fn nothing_left(cluster: &Cluster, tried: &[SocketAddr]) -> Refusal {
    let name = &cluster.name;
    let total = cluster.endpoints.len();
    let detail = match (total, tried.len()) {
        (0, _) => format!("{name} has no endpoint that is ready"),
        (_, 0) => format!("all {total} endpoints of {name} are leaving"),
        (_, tried) => format!("all {tried} endpoints of {name} that could be tried have failed"),
    };
    Refusal::new(Reason::NoEndpoint, detail)
}

#[cfg(test)]
mod sim;
#[cfg(test)]
mod tests;
