//! Who owns which counters: each worker its own, and one shared list through which a scrape finds them all.

use std::{
    cell::RefCell,
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use super::{
    Cause, Direction, Extra, Fate, Outcome,
    edge::{Edge, EdgeCounters, Labels, Party, RequestCounters, RequestKey},
    histogram::add,
};
use crate::refusal::Reason;

/// Every counter of every worker. Locked only when a series is born and when somebody scrapes.
#[derive(Clone, Debug)]
pub struct Registry(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    series_max: usize,
    lists: Mutex<Lists>,
}

#[derive(Debug, Default)]
struct Lists {
    edges: Vec<Arc<EdgeCounters>>,
    requests: Vec<Arc<RequestCounters>>,
    workers: Vec<Arc<WorkerCounters>>,
    rules: Vec<Arc<RuleCounter>>,
    folded: u64,
}

/// How often a rule had one outcome at one worker.
#[derive(Debug)]
pub(super) struct RuleCounter {
    pub(super) rule: Box<str>,
    pub(super) outcome: Outcome,
    pub(super) total: AtomicU64,
}

/// What is counted per worker, whoever is talking.
#[derive(Debug)]
pub(super) struct WorkerCounters {
    pub(super) refusals: [[AtomicU64; Reason::ALL.len()]; 2],
    pub(super) handshakes: [AtomicU64; 2],
    pub(super) ejections: [AtomicU64; Cause::ALL.len()],
    pub(super) extras: [[AtomicU64; Fate::ALL.len()]; Extra::ALL.len()],
}

/// One worker's way to its counters.
#[derive(Debug)]
pub(super) struct Local {
    registry: Registry,
    edges: RefCell<HashMap<Labels, Edge>>,
    rules: RefCell<Vec<Arc<RuleCounter>>>,
    counters: Arc<WorkerCounters>,
}

/// Everything there is, at one moment.
pub(super) struct Reading {
    pub(super) edges: Vec<Arc<EdgeCounters>>,
    pub(super) requests: Vec<Arc<RequestCounters>>,
    pub(super) workers: Vec<Arc<WorkerCounters>>,
    pub(super) rules: Vec<Arc<RuleCounter>>,
    pub(super) folded: u64,
}

impl Registry {
    /// An empty registry that will hold at most `series_max` series (edges and kinds of requests together). What comes
    /// later is counted on one edge whose labels all say `other`, so that totals stay right.
    pub fn new(series_max: usize) -> Self {
        Self(Arc::new(Shared { series_max, lists: Mutex::default() }))
    }

    pub(super) fn read(&self) -> Reading {
        let lists = self.lists();
        Reading {
            edges: lists.edges.clone(),
            requests: lists.requests.clone(),
            workers: lists.workers.clone(),
            rules: lists.rules.clone(),
            folded: lists.folded,
        }
    }

    fn lists(&self) -> std::sync::MutexGuard<'_, Lists> {
        // Nothing panics while it is held; should that ever change, half a list is better than no telemetry.
        self.0.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_full(&self, lists: &Lists) -> bool {
        lists.edges.len() + lists.requests.len() + lists.rules.len() >= self.0.series_max
    }
}

impl Local {
    pub(super) fn new(registry: Registry) -> Self {
        let counters = Arc::new(WorkerCounters {
            refusals: std::array::from_fn(|_| std::array::from_fn(|_| AtomicU64::new(0))),
            handshakes: std::array::from_fn(|_| AtomicU64::new(0)),
            ejections: std::array::from_fn(|_| AtomicU64::new(0)),
            extras: std::array::from_fn(|_| std::array::from_fn(|_| AtomicU64::new(0))),
        });
        registry.lists().workers.push(counters.clone());
        Self { registry, edges: RefCell::default(), rules: RefCell::default(), counters }
    }

    pub(super) fn edge(&self, labels: Labels) -> Edge {
        let mut edges = self.edges.borrow_mut();
        if let Some(edge) = edges.get(&labels) {
            return edge.clone();
        }
        let mut lists = self.registry.lists();
        let labels = if self.registry.is_full(&lists) {
            lists.folded += 1;
            other(&labels)
        } else {
            labels
        };
        edges
            .entry(labels)
            .or_insert_with_key(|labels| {
                let edge = Edge::new(labels.clone());
                lists.edges.push(edge.shared());
                edge
            })
            .clone()
    }

    pub(super) fn requests(&self, edge: &Arc<EdgeCounters>, key: &RequestKey) -> Arc<RequestCounters> {
        let mut lists = self.registry.lists();
        let born = lists.requests.iter().find(|seen| Arc::ptr_eq(&seen.edge, edge) && seen.key == *key);
        if let Some(counters) = born {
            return counters.clone();
        }
        let counters = Arc::new(RequestCounters { edge: edge.clone(), key: key.clone(), durations: Default::default() });
        lists.requests.push(counters.clone());
        counters
    }

    pub(super) fn refused(&self, direction: Direction, reason: Reason) {
        add(&self.counters.refusals[direction as usize][reason as usize], 1);
    }

    pub(super) fn extra(&self, extra: Extra, fate: Fate) {
        add(&self.counters.extras[extra as usize][fate as usize], 1);
    }

    pub(super) fn handshake(&self, direction: Direction) {
        add(&self.counters.handshakes[direction as usize], 1);
    }

    pub(super) fn ruled(&self, rule: &str, outcome: Outcome) {
        let mut rules = self.rules.borrow_mut();
        let known = |rules: &[Arc<RuleCounter>], rule: &str| {
            rules.iter().find(|known| *known.rule == *rule && known.outcome == outcome).cloned()
        };
        let counter = known(&rules, rule).unwrap_or_else(|| {
            let mut lists = self.registry.lists();
            let rule = if self.registry.is_full(&lists) { "other" } else { rule };
            known(&rules, rule).unwrap_or_else(|| {
                let born = Arc::new(RuleCounter { rule: rule.into(), outcome, total: AtomicU64::new(0) });
                lists.rules.push(born.clone());
                rules.push(born.clone());
                born
            })
        });
        add(&counter.total, 1);
    }

    pub(super) fn ejected(&self, cause: Cause) {
        add(&self.counters.ejections[cause as usize], 1);
    }
}

impl WorkerCounters {
    pub(super) fn refusals(&self, direction: Direction, reason: Reason) -> u64 {
        self.refusals[direction as usize][reason as usize].load(Relaxed)
    }

    pub(super) fn extras(&self, extra: Extra, fate: Fate) -> u64 {
        self.extras[extra as usize][fate as usize].load(Relaxed)
    }

    pub(super) fn handshakes(&self, direction: Direction) -> u64 {
        self.handshakes[direction as usize].load(Relaxed)
    }

    pub(super) fn ejections(&self, cause: Cause) -> u64 {
        self.ejections[cause as usize].load(Relaxed)
    }
}

fn other(labels: &Labels) -> Labels {
    let party = Party { workload: "other".into(), namespace: "other".into(), identity: "other".into() };
    Labels { client: party.clone(), server: party, service: "other".into(), ..labels.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(workload: &str) -> Labels {
        Labels {
            direction: Direction::Outbound,
            client: Party::default(),
            server: Party { workload: workload.into(), ..Party::default() },
            service: "cart".into(),
            mutual_tls: true,
        }
    }

    #[test]
    fn the_same_labels_share_one_edge() {
        let registry = Registry::new(10);
        let local = Local::new(registry.clone());
        local.edge(labels("cart"));
        local.edge(labels("cart"));
        assert_eq!(registry.read().edges.len(), 1);
    }

    #[test]
    fn past_the_ceiling_everything_is_counted_as_other() {
        let registry = Registry::new(2);
        let local = Local::new(registry.clone());
        for workload in ["a", "b", "c", "d"] {
            local.edge(labels(workload)).opened();
        }
        let reading = registry.read();
        assert_eq!(reading.edges.len(), 3);
        assert_eq!(&*reading.edges[2].labels.server.workload, "other");
        assert_eq!(reading.edges[2].opened.load(Relaxed), 2);
        assert_eq!(reading.folded, 2);
    }
}
