//! The live side of one cluster: its endpoints as a worker knows them, by how near they are.

use std::{
    cell::Cell,
    net::SocketAddr,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use foldhash::HashMap;
use smallvec::SmallVec;

use super::{
    Candidate, Limited, Wanted, Work,
    levels::Parts,
    neighbours::{Availability, Neighbours},
    pick::{Standing, keyed, p2c, random, rotation},
};
use crate::{
    dice::Dice,
    family::Family,
    snapshot::{Balancer, Balancing, Cluster, Endpoint},
};

/// How often to pick anew when a newcomer is spared, before it is not.
const PICKS: usize = 32;

/// A cluster, and what became of its endpoints here.
#[derive(Debug)]
pub(super) struct Group {
    /// The cluster as it was when the candidates were last brought in line with it.
    cluster: Arc<Cluster>,
    levels: SmallVec<[Level; 1]>,
    /// What its limits leave, which all workers share.
    pub(super) limited: Option<Arc<Limited>>,
}

/// Candidates that are as near as each other.
#[derive(Debug)]
struct Level {
    candidates: Vec<Rc<Candidate>>,
    /// Whose turn it is.
    turn: Cell<usize>,
    /// The same, where they are held against each other.
    neighbours: Option<Rc<Neighbours>>,
}

/// Somebody who was picked, and against whom he is held.
pub(super) struct Picked<'a> {
    pub(super) candidate: &'a Rc<Candidate>,
    pub(super) neighbours: Option<&'a Rc<Neighbours>>,
}

/// What is looked for, and by what.
struct Search<'a> {
    wanted: &'a Wanted<'a>,
    families: &'a [Family],
    dice: &'a Dice,
    now: Instant,
}

impl Group {
    /// Of a cluster that was not known: nobody in it is a newcomer.
    pub(super) fn new(cluster: &Arc<Cluster>, dice: &Dice, now: Instant) -> Self {
        let mut group = Self { cluster: cluster.clone(), levels: SmallVec::new(), limited: None };
        group.settle(HashMap::default(), None, dice, now);
        group
    }

    /// Whether it is in line with `cluster`.
    pub(super) fn is_of(&self, cluster: &Arc<Cluster>) -> bool {
        Arc::ptr_eq(&self.cluster, cluster)
    }

    /// Brings the candidates in line with `cluster`, keeping what is known of those that stay. Returns who left.
    pub(super) fn follow(&mut self, cluster: &Arc<Cluster>, dice: &Dice, now: Instant) -> Vec<SocketAddr> {
        let before = self.levels.iter_mut().flat_map(|level| level.candidates.drain(..));
        let before = before.map(|candidate| (candidate.endpoint.clone(), candidate)).collect();
        self.cluster = cluster.clone();
        self.settle(before, Some(now), dice, now)
    }

    /// Puts everybody in his place: who is there already, and who has `joined`. Returns who has none any more.
    fn settle(
        &mut self,
        mut before: HashMap<Arc<Endpoint>, Rc<Candidate>>,
        joined: Option<Instant>,
        dice: &Dice,
        now: Instant,
    ) -> Vec<SocketAddr> {
        let balancing = &self.cluster.balancing;
        let sizes = if balancing.levels.is_empty() { &[usize::MAX][..] } else { &balancing.levels };
        self.levels.truncate(sizes.len());
        self.levels.resize_with(sizes.len(), Level::default);
        let mut staying = self.cluster.staying();
        for (level, size) in self.levels.iter_mut().zip(sizes) {
            let candidate =
                |endpoint: &Arc<Endpoint>| before.remove(endpoint).unwrap_or_else(|| Candidate::new(endpoint.clone(), joined));
            level.candidates.extend(staying.by_ref().take(*size).map(candidate));
            // Not all workers of all sidecars must begin with the same.
            level.turn.set(dice.roll(level.candidates.len().max(1)));
            if balancing.outliers.is_none() && sizes.len() == 1 {
                level.neighbours = None;
                continue;
            }
            let neighbours = level.neighbours.get_or_insert_default();
            neighbours.follow(balancing.outliers.clone(), &level.candidates, now);
        }
        before.into_keys().map(|endpoint| endpoint.address).collect()
    }

    /// Addresses of all candidates.
    pub(super) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.levels.iter().flat_map(|level| &level.candidates).map(|candidate| candidate.endpoint.address)
    }

    /// The candidate at `address`.
    pub(super) fn at(&self, address: SocketAddr) -> Option<Picked<'_>> {
        self.levels.iter().find_map(|level| {
            let candidate = level.candidates.iter().find(|known| known.endpoint.address == address)?;
            Some(level.picked(candidate))
        })
    }

    /// Picks an endpoint of the family that is wanted, or of the other when there is none.
    pub(super) fn pick(&self, wanted: &Wanted<'_>, dice: &Dice, now: Instant) -> Option<Picked<'_>> {
        let search = |families| self.find(&Search { wanted, families, dice, now });
        search(&[wanted.family]).or_else(|| search(&[Family::V4, Family::V6]))
    }

    fn find(&self, search: &Search<'_>) -> Option<Picked<'_>> {
        let Search { wanted, dice, now, .. } = *search;
        if let [only] = &self.levels[..] {
            return only.pick(&self.cluster, 0, search, Spare { out: false, panic: only.panic(now) });
        }
        let parts = Parts::of(self.levels.iter().map(|level| level.availability(now)));
        // The same key goes to the same level, while that can be.
        let point = wanted.key.map_or_else(|| dice.fraction(), |key| (key >> 32) as f64 / f64::from(u32::MAX));
        let first = parts.at(point);
        let others = (0..self.levels.len()).filter(|number| *number != first);
        let order: SmallVec<[usize; 4]> = [first].into_iter().chain(others).collect();
        let pick = |spare_out: bool| {
            order.iter().find_map(|number| {
                let level = &self.levels[*number];
                let panic = !parts.suffice && level.panic(now);
                level.pick(&self.cluster, *number, search, Spare { out: spare_out, panic })
            })
        };
        pick(true).or_else(|| pick(false))
    }
}

impl Default for Level {
    fn default() -> Self {
        Self { candidates: Vec::new(), turn: Cell::new(0), neighbours: None }
    }
}

/// Who is spared.
#[derive(Clone, Copy)]
struct Spare {
    /// Those who are out, even when nobody else is left.
    out: bool,
    /// Nobody: too many are out.
    panic: bool,
}

impl Level {
    fn panic(&self, now: Instant) -> bool {
        self.neighbours.as_ref().is_some_and(|neighbours| neighbours.panic(now))
    }

    fn availability(&self, now: Instant) -> Availability {
        let all = self.candidates.len();
        let neighbours = self.neighbours.as_ref();
        neighbours.map_or(Availability { available: all, of: all }, |neighbours| neighbours.availability(now))
    }

    fn picked<'a>(&'a self, candidate: &'a Rc<Candidate>) -> Picked<'a> {
        Picked { candidate, neighbours: self.neighbours.as_ref() }
    }

    /// Picks one, and a newcomer only as often as its age allows.
    fn pick(&self, cluster: &Cluster, number: usize, search: &Search<'_>, spare: Spare) -> Option<Picked<'_>> {
        let Balancing { slow_start, balancer, .. } = &cluster.balancing;
        let picked = match slow_start {
            // Whoever goes by a key would come to the same again.
            Some(time) if !matches!(balancer, Balancer::Keyed(_)) => {
                self.grown(*time, search, || self.any(cluster, number, search, spare))
            }
            _ => self.any(cluster, number, search, spare),
        };
        picked.map(|candidate| self.picked(candidate))
    }

    fn grown<'a>(
        &self,
        time: Duration,
        search: &Search<'_>,
        pick: impl Fn() -> Option<&'a Rc<Candidate>>,
    ) -> Option<&'a Rc<Candidate>> {
        let Search { dice, now, .. } = *search;
        let mut picked = None;
        for _ in 0..PICKS {
            let candidate = pick()?;
            let maturity = candidate.maturity(time, now);
            picked = Some(candidate);
            if maturity >= 1.0 || dice.fraction() < maturity {
                break;
            }
        }
        picked
    }

    /// Picks one, whatever its age.
    fn any(&self, cluster: &Cluster, number: usize, search: &Search<'_>, spare: Spare) -> Option<&Rc<Candidate>> {
        let Search { wanted, dice, now, .. } = *search;
        let judge = |candidate: &Candidate| search.standing(candidate, spare);
        let by_load = |work| p2c::pick(&self.candidates, dice, judge, |candidate: &Candidate| candidate.load.cost(work, now));
        match &cluster.balancing.balancer {
            Balancer::PeakEwma => by_load(wanted.work),
            Balancer::LeastRequest => by_load(Work::Connection),
            Balancer::RoundRobin => rotation::pick(&self.candidates, &self.turn, judge),
            Balancer::Random => random::pick(&self.candidates, dice, judge),
            Balancer::Keyed(tables) => match (wanted.key, tables.get(number)) {
                (Some(key), Some(table)) => keyed::pick(&self.candidates, table, key, judge),
                _ => random::pick(&self.candidates, dice, judge),
            },
        }
    }
}

impl Search<'_> {
    fn standing(&self, candidate: &Candidate, spare: Spare) -> Standing {
        let address = candidate.endpoint.address;
        if !self.families.contains(&Family::of(address)) || self.wanted.tried.contains(&address) {
            return Standing::No;
        }
        match candidate.ejection.holds(self.now) && !spare.panic {
            false => Standing::In,
            true if spare.out => Standing::No,
            true => Standing::Out,
        }
    }
}
