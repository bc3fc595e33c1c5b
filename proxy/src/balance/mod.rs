//! Which endpoint now?
//!
//! In: a cluster from the snapshot. Out: [`Chosen`], which counts as load on its endpoint for as long as it lives.
//! Never: a socket, or a clock of its own.

mod affinity;
mod eject;
mod load;
mod p2c;

use std::{
    cell::{Cell, RefCell},
    net::SocketAddr,
    rc::Rc,
    sync::Arc,
    time::Instant,
};

use foldhash::{HashMap, HashMapExt};

use crate::{
    dice::Dice,
    family::Family,
    refusal::{Reason, Refusal},
    snapshot::{Cluster, Endpoint},
};
pub use affinity::Affinities;
use eject::Ejection;
use load::Load;

/// What a choice is for; the two have different notions of load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// A request: the endpoint that would answer soonest (peak-EWMA of latency, times what it has to do already).
    Request,
    /// An opaque connection: the endpoint with the fewest.
    Connection,
}

/// A worker's memory of every endpoint it has balanced over.
#[derive(Debug)]
pub struct State {
    groups: RefCell<HashMap<Arc<str>, Group>>,
    dice: Dice,
    affinities: Affinities,
}

/// The live side of one cluster.
#[derive(Debug)]
struct Group {
    /// The cluster as it was when the candidates were last brought in line with it.
    cluster: Arc<Cluster>,
    candidates: Vec<Rc<Candidate>>,
}

/// An endpoint and what this worker has learned about it.
#[derive(Debug)]
pub struct Candidate {
    /// The endpoint as discovery described it.
    pub endpoint: Arc<Endpoint>,
    load: Load,
    ejection: Ejection,
}

/// An endpoint that was chosen. It carries the load of this choice until it is dropped.
#[derive(Debug)]
pub struct Chosen {
    candidate: Rc<Candidate>,
    /// When it was given its work.
    since: Cell<Instant>,
}

impl State {
    /// An empty memory, beside what all workers stay with. The same seed and calls give the same choices.
    pub fn new(seed: u64, affinities: Affinities) -> Self {
        Self { groups: RefCell::new(HashMap::new()), dice: Dice::new(seed), affinities }
    }

    /// Chooses an endpoint of `cluster` that is not among `tried`, for work that was dialled at an address of `family`: as
    /// without a mesh, an endpoint of the same family, as long as there is one.
    ///
    /// # Errors
    /// [`Reason::NoEndpoint`] when none is left. Ejected endpoints are chosen only when all are ejected: a wrong guess
    /// about everybody must not turn into an outage of our own making.
    pub fn choose(
        &self,
        cluster: &Arc<Cluster>,
        work: Work,
        family: Family,
        tried: &[SocketAddr],
        now: Instant,
    ) -> Result<Chosen, Refusal> {
        if !cluster.discovered {
            return only(cluster, tried, now);
        }
        let mut groups = self.groups.borrow_mut();
        let group = groups.entry(cluster.name.clone()).or_insert_with(|| Group::new(cluster));
        group.follow(cluster);
        let pick = |families: &[Family]| {
            p2c::pick(&group.candidates, &self.dice, |candidate| {
                let address = candidate.endpoint.address;
                let eligible = families.contains(&Family::of(address)) && !tried.contains(&address);
                eligible.then(|| (candidate.ejection.holds(now), candidate.load.cost(work, now)))
            })
        };
        let anew = || pick(&[family]).or_else(|| pick(&[Family::V4, Family::V6]));
        let candidate = match cluster.affinity {
            None => anew(),
            Some(time) => self.affinities.settle((&cluster.name, family), time, now, |last| {
                let last = last.filter(|last| !tried.contains(last));
                let last = last.and_then(|last| group.candidates.iter().find(|known| known.endpoint.address == last));
                let chosen = last.filter(|last| !last.ejection.holds(now)).or_else(anew)?;
                Some((chosen.endpoint.address, chosen))
            }),
        };
        let candidate = candidate.ok_or_else(|| nothing_left(cluster, tried))?;
        candidate.load.begin();
        Ok(Chosen { candidate: candidate.clone(), since: Cell::new(now) })
    }

    /// Forgets clusters that are no longer in use, and tells which endpoints nobody will be sent to again.
    ///
    /// `in_use` are the clusters of the current snapshot.
    pub fn retire<'a>(&self, in_use: impl Iterator<Item = &'a Arc<Cluster>>) -> Vec<SocketAddr> {
        let in_use: HashMap<&str, &Arc<Cluster>> = in_use.map(|cluster| (&*cluster.name, cluster)).collect();
        let mut gone = Vec::new();
        self.affinities.retain(|name| in_use.contains_key(name));
        self.groups.borrow_mut().retain(|name, group| {
            let Some(cluster) = in_use.get(&**name) else {
                gone.extend(group.candidates.iter().map(|candidate| candidate.endpoint.address));
                return false;
            };
            gone.extend(group.follow(cluster));
            true
        });
        gone
    }
}

impl Group {
    fn new(cluster: &Arc<Cluster>) -> Self {
        let candidates = welcome(cluster).map(Candidate::new).collect();
        Self { cluster: cluster.clone(), candidates }
    }

    /// Brings the candidates in line with `cluster`, keeping what is known of those that stay. Returns who left.
    fn follow(&mut self, cluster: &Arc<Cluster>) -> Vec<SocketAddr> {
        if Arc::ptr_eq(&self.cluster, cluster) {
            return Vec::new();
        }
        let mut before: HashMap<Arc<Endpoint>, Rc<Candidate>> =
            self.candidates.drain(..).map(|candidate| (candidate.endpoint.clone(), candidate)).collect();
        self.candidates
            .extend(welcome(cluster).map(|endpoint| before.remove(&endpoint).unwrap_or_else(|| Candidate::new(endpoint))));
        self.cluster = cluster.clone();
        before.into_keys().map(|endpoint| endpoint.address).collect()
    }
}

/// The endpoint of a cluster that has just the address somebody dialled. Nothing is remembered of it.
fn only(cluster: &Cluster, tried: &[SocketAddr], now: Instant) -> Result<Chosen, Refusal> {
    let endpoint = cluster.endpoints.first().filter(|endpoint| !tried.contains(&endpoint.address));
    let candidate = Candidate::new(endpoint.ok_or_else(|| nothing_left(cluster, tried))?.clone());
    candidate.load.begin();
    Ok(Chosen { candidate, since: Cell::new(now) })
}

/// Endpoints that may be sent new work.
fn welcome(cluster: &Cluster) -> impl Iterator<Item = Arc<Endpoint>> {
    cluster.endpoints.iter().filter(|endpoint| !endpoint.draining).cloned()
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

impl Candidate {
    fn new(endpoint: Arc<Endpoint>) -> Rc<Self> {
        Rc::new(Self { endpoint, load: Load::default(), ejection: Ejection::default() })
    }
}

impl Chosen {
    /// The endpoint.
    pub fn endpoint(&self) -> &Arc<Endpoint> {
        &self.candidate.endpoint
    }

    /// A line to it is ready: it can be reached.
    pub fn reached(&self) {
        self.candidate.ejection.forgive();
    }

    /// It is given its work at `now`. What it took to get a line there is not its latency: a cold start would make an
    /// endpoint look slow, and one that looks slow is not asked again soon.
    pub fn begins(&self, now: Instant) {
        self.since.set(now);
    }

    /// It answered at `now`.
    pub fn answered(&self, now: Instant) {
        self.candidate.load.observe(now.saturating_duration_since(self.since.get()), now);
        self.reached();
    }

    /// It could not be reached, or was not who it should be: nobody is sent there for a while.
    pub fn failed(&self, now: Instant) {
        self.candidate.ejection.strike(now);
    }
}

impl Drop for Chosen {
    fn drop(&mut self) {
        self.candidate.load.end();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn endpoint(host: u8, draining: bool) -> Arc<Endpoint> {
        let address = SocketAddr::from(([10, 77, 0, host], 80));
        Arc::new(Endpoint { address, identity: None, workload: "cart".into(), namespace: "shop".into(), draining })
    }

    fn cluster(endpoints: Vec<Arc<Endpoint>>) -> Arc<Cluster> {
        Arc::new(Cluster { name: "cart".into(), endpoints, affinity: None, discovered: true })
    }

    fn state(seed: u64) -> State {
        State::new(seed, Affinities::default())
    }

    #[test]
    fn whoever_is_to_stay_stays_with_every_worker_while_he_can() {
        let affinities = Affinities::default();
        let workers = [1, 2].map(|seed| State::new(seed, affinities.clone()));
        let now = crate::clock::now();
        let endpoints = (1..=5).map(|host| endpoint(host, false)).collect();
        let cart = Arc::new(Cluster { affinity: Some(Duration::from_secs(10)), ..Arc::into_inner(cluster(endpoints)).unwrap() });
        let choose = |tried: &[SocketAddr]| {
            let chosen = workers.iter().map(|worker| worker.choose(&cart, Work::Request, Family::V4, tried, now).unwrap());
            chosen.collect::<Vec<_>>()
        };
        let first = choose(&[])[0].endpoint().address;
        for _ in 0..50 {
            assert!(choose(&[]).iter().all(|chosen| chosen.endpoint().address == first));
        }
        let instead = choose(&[first])[0].endpoint().address;
        assert_ne!(instead, first, "what was tried is not tried again");
        assert!(choose(&[]).iter().all(|chosen| chosen.endpoint().address == instead), "and what worked instead is kept");
    }

    #[test]
    fn an_endpoint_that_leaves_is_chosen_no_more_and_reported_once() {
        let state = state(1);
        let now = crate::clock::now();
        let both = cluster(vec![endpoint(1, false), endpoint(2, false)]);
        state.choose(&both, Work::Request, Family::V4, &[], now).unwrap();
        let one = cluster(vec![endpoint(1, false), endpoint(2, true)]);
        assert_eq!(state.retire([&one].into_iter()), [endpoint(2, false).address]);
        assert_eq!(state.retire([&one].into_iter()), []);
        for _ in 0..50 {
            assert_eq!(
                state.choose(&one, Work::Request, Family::V4, &[], now).unwrap().endpoint().address,
                endpoint(1, false).address
            );
        }
    }

    #[test]
    fn what_was_tried_is_not_tried_again() {
        let state = state(1);
        let now = crate::clock::now();
        let both = cluster(vec![endpoint(1, false), endpoint(2, false)]);
        let tried = [endpoint(1, false).address, endpoint(2, false).address];
        assert_eq!(state.choose(&both, Work::Request, Family::V4, &tried[..1], now).unwrap().endpoint().address, tried[1]);
        assert_eq!(state.choose(&both, Work::Request, Family::V4, &tried, now).unwrap_err().reason, Reason::NoEndpoint);
    }

    #[test]
    fn work_goes_to_the_family_at_which_it_was_dialled() {
        let state = state(11);
        let now = crate::clock::now();
        let six = Arc::new(Endpoint { address: "[fd77::1]:80".parse().unwrap(), ..(*endpoint(9, false)).clone() });
        let both = cluster(vec![endpoint(1, false), six.clone(), endpoint(2, false)]);
        for _ in 0..50 {
            let chosen = state.choose(&both, Work::Request, Family::V6, &[], now).unwrap();
            assert_eq!(chosen.endpoint().address, six.address);
        }
        let instead = state.choose(&both, Work::Request, Family::V6, &[six.address], now).unwrap();
        assert!(instead.endpoint().address.is_ipv4(), "the other is better than none");
    }

    #[test]
    fn an_ejected_endpoint_is_avoided_until_its_time_is_over() {
        let state = state(7);
        let now = crate::clock::now();
        let both = cluster(vec![endpoint(1, false), endpoint(2, false)]);
        let bad = loop {
            let chosen = state.choose(&both, Work::Request, Family::V4, &[], now).unwrap();
            if chosen.endpoint().address == endpoint(1, false).address {
                break chosen;
            }
        };
        bad.failed(now);
        drop(bad);
        for _ in 0..50 {
            assert_eq!(
                state.choose(&both, Work::Request, Family::V4, &[], now).unwrap().endpoint().address,
                endpoint(2, false).address
            );
        }
        let later = now + Duration::from_secs(60);
        assert!((0..50).any(|_| state.choose(&both, Work::Request, Family::V4, &[], later).unwrap().endpoint().address
            == endpoint(1, false).address));
    }

    #[test]
    fn the_way_to_an_endpoint_does_not_count_as_its_latency() {
        let state = state(5);
        let now = crate::clock::now();
        let both = cluster(vec![endpoint(1, false), endpoint(2, false)]);
        let other = [endpoint(2, false).address];
        let first = state.choose(&both, Work::Request, Family::V4, &other, now).unwrap();
        let ready = now + Duration::from_secs(1);
        first.begins(ready);
        first.answered(ready + Duration::from_micros(10));
        drop(first);
        let chosen = (0..50).map(|_| state.choose(&both, Work::Request, Family::V4, &[], ready).unwrap().endpoint().address);
        assert!(chosen.into_iter().any(|address| address != other[0]), "a slow way there made it look slow");
    }

    #[test]
    fn connections_go_where_there_are_fewest() {
        let state = state(3);
        let now = crate::clock::now();
        let both = cluster(vec![endpoint(1, false), endpoint(2, false)]);
        let held: Vec<_> = (0..10).map(|_| state.choose(&both, Work::Connection, Family::V4, &[], now).unwrap()).collect();
        let first = held.iter().filter(|chosen| chosen.endpoint().address == endpoint(1, false).address).count();
        assert_eq!(first, 5);
    }
}
