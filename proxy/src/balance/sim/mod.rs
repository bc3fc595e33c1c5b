//! A world in which time is a number: endpoints that take their time, one worker that sends, and nothing else. The same seed
//! gives the same world.

mod balancers;
mod outliers;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{Chosen, Outcome, Shared, State, Wanted, Work};
use crate::{
    dice::Dice,
    family::Family,
    snapshot::{Balancing, Cluster, Endpoint},
};

const MILLISECOND: Duration = Duration::from_millis(1);

/// What an endpoint does with a request at a time since the world began.
type Manner<'a> = &'a dyn Fn(usize, Duration) -> (Duration, Outcome);

/// A request that has ended.
#[derive(Clone, Copy, Debug)]
struct Ended {
    endpoint: usize,
    /// When it was sent, since the world began.
    sent: Duration,
    took: Duration,
    outcome: Outcome,
}

/// The world.
struct World {
    state: State,
    dice: Dice,
    began: Instant,
    now: Instant,
    /// Requests that an endpoint works on at once; others wait for them.
    slots: usize,
    keys: bool,
}

impl World {
    fn new(seed: u64) -> Self {
        let now = crate::clock::now();
        let state = State::new(seed, Shared::default());
        Self { state, dice: Dice::new(seed + 1), began: now, now, slots: 16, keys: false }
    }

    /// The same, where every request has a key of its own.
    fn keyed(seed: u64) -> Self {
        Self { keys: true, ..Self::new(seed) }
    }

    /// Sends `count` requests to `cluster`, one every `gap` in the mean, and waits for the last.
    fn send(&mut self, cluster: &Arc<Cluster>, count: usize, gap: Duration, manner: Manner<'_>) -> Vec<Ended> {
        let mut free: BTreeMap<usize, Vec<Instant>> = BTreeMap::new();
        let mut running: BTreeMap<usize, (Chosen, Ended)> = BTreeMap::new();
        let mut ends = BinaryHeap::new();
        let mut ended = Vec::new();
        for number in 0..count {
            // Arrivals of a Poisson process: nobody waits for anybody.
            self.now += gap.mul_f64(-f64::ln(1.0 - self.dice.fraction()));
            self.end_until(self.now, &mut ends, &mut running, &mut ended);
            let chosen = self.choose(cluster);
            let endpoint = number_of(chosen.endpoint().address);
            let sent = self.now - self.began;
            let (service, outcome) = manner(endpoint, sent);
            let slots = free.entry(endpoint).or_insert_with(|| vec![self.now; self.slots]);
            let slot = slots.iter_mut().min().unwrap();
            let end = self.now.max(*slot) + service;
            *slot = end;
            ends.push(Reverse((end, number)));
            running.insert(number, (chosen, Ended { endpoint, sent, took: end - self.now, outcome }));
        }
        let last = ends.iter().map(|Reverse((end, _))| *end).max().unwrap_or(self.now);
        self.end_until(last, &mut ends, &mut running, &mut ended);
        self.now = last;
        ended
    }

    fn choose(&self, cluster: &Arc<Cluster>) -> Chosen {
        let key = self.keys.then(|| self.dice.roll(usize::MAX) as u64);
        self.state.choose(cluster, Wanted { work: Work::Request, family: Family::V4, key, tried: &[] }, self.now).unwrap()
    }

    fn end_until(
        &self,
        now: Instant,
        ends: &mut BinaryHeap<Reverse<(Instant, usize)>>,
        running: &mut BTreeMap<usize, (Chosen, Ended)>,
        ended: &mut Vec<Ended>,
    ) {
        while let Some(Reverse((end, number))) = ends.peek().copied().filter(|Reverse((end, _))| *end <= now) {
            ends.pop();
            let (chosen, one) = running.remove(&number).unwrap();
            chosen.answered(end);
            chosen.ended(one.outcome, end);
            ended.push(one);
        }
    }
}

fn endpoint(number: usize) -> Arc<Endpoint> {
    let [.., high, low] = number.to_be_bytes();
    let address = SocketAddr::from(([10, 77, high, low], 80));
    Arc::new(Endpoint { address, identity: None, workload: "".into(), namespace: "".into(), draining: false })
}

fn number_of(address: SocketAddr) -> usize {
    let SocketAddr::V4(address) = address else { panic!("all are IPv4") };
    let [.., high, low] = address.ip().octets();
    usize::from(high) << 8 | usize::from(low)
}

/// A cluster of so many endpoints.
fn cluster(count: usize, balancing: Balancing) -> Arc<Cluster> {
    let endpoints = (0..count).map(endpoint).collect();
    Arc::new(Cluster { name: "cart".into(), endpoints, discovered: true, balancing, ..Cluster::default() })
}

/// All take the same time, and none fails.
fn steady(_: usize, _: Duration) -> (Duration, Outcome) {
    (MILLISECOND, Outcome::Answered)
}

/// How many of `ended` each of `count` endpoints got.
fn counts<'a>(ended: impl IntoIterator<Item = &'a Ended>, count: usize) -> Vec<usize> {
    let mut counts = vec![0; count];
    ended.into_iter().for_each(|one| counts[one.endpoint] += 1);
    counts
}

/// The latency that `percent` of a hundred requests do not exceed.
fn percentile(ended: &[Ended], percent: usize) -> Duration {
    let mut took: Vec<_> = ended.iter().map(|one| one.took).collect();
    took.sort_unstable();
    took[(took.len() - 1) * percent / 100]
}
