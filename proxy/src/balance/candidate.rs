//! An endpoint, and what a worker has learned about it.

use std::{
    cell::Cell,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    eject::{Ejection, Terms},
    load::Load,
    neighbours::{Ejected, Neighbours},
    record::{Outcome, Record},
};
use crate::{events::Cause, snapshot::Endpoint};

/// The least that a newcomer gets of the share it will have.
const YOUNGEST: f64 = 0.1;

/// An endpoint and what this worker has learned about it.
#[derive(Debug)]
pub struct Candidate {
    /// The endpoint as discovery described it.
    pub endpoint: Arc<Endpoint>,
    pub(super) load: Load,
    pub(super) ejection: Ejection,
    pub(super) record: Record,
    /// When it joined the others; `None` for those who were there first.
    joined: Option<Instant>,
}

/// An endpoint that was chosen. It carries the load of this choice until it is dropped.
#[derive(Debug)]
pub struct Chosen {
    candidate: Rc<Candidate>,
    /// Against whom it is held; `None` where it is not.
    neighbours: Option<Rc<Neighbours>>,
    /// When it was given its work.
    since: Cell<Instant>,
}

impl Candidate {
    pub(super) fn new(endpoint: Arc<Endpoint>, joined: Option<Instant>) -> Rc<Self> {
        Rc::new(Self { endpoint, load: Load::default(), ejection: Ejection::default(), record: Record::default(), joined })
    }

    /// Its part of the share it will have, where that grows over `time`.
    pub(super) fn maturity(&self, time: Duration, now: Instant) -> f64 {
        let age = self.joined.map(|joined| now.saturating_duration_since(joined).as_secs_f64());
        age.map_or(1.0, |age| (age / time.as_secs_f64()).clamp(YOUNGEST, 1.0))
    }
}

impl Chosen {
    pub(super) fn new(candidate: Rc<Candidate>, neighbours: Option<Rc<Neighbours>>, now: Instant) -> Self {
        candidate.load.begin();
        Self { candidate, neighbours, since: Cell::new(now) }
    }

    /// The endpoint.
    pub fn endpoint(&self) -> &Arc<Endpoint> {
        &self.candidate.endpoint
    }

    /// A line to it is ready: it can be reached.
    pub fn reached(&self) {
        match &self.neighbours {
            None => self.candidate.ejection.forgive(),
            Some(neighbours) => neighbours.reached(&self.candidate),
        }
    }

    /// It is given its work at `now`. What it took to get a line there is not its latency: a cold start would make an
    /// endpoint look slow, and one that looks slow is not asked again soon.
    pub fn begins(&self, now: Instant) {
        self.since.set(now);
    }

    /// It began its answer at `now`.
    pub fn answered(&self, now: Instant) -> Ejected {
        let took = now.saturating_duration_since(self.since.get());
        self.candidate.load.observe(took, now);
        self.reached();
        let neighbours = self.neighbours.as_ref();
        neighbours.map_or_else(Ejected::new, |neighbours| neighbours.took(&self.candidate, took, now))
    }

    /// Whether anybody wants to know how its work ends.
    pub fn is_judged(&self) -> bool {
        self.neighbours.as_ref().is_some_and(|neighbours| neighbours.judge())
    }

    /// Its work ended.
    pub fn ended(&self, outcome: Outcome, now: Instant) -> Ejected {
        let neighbours = self.neighbours.as_ref();
        neighbours.map_or_else(Ejected::new, |neighbours| neighbours.ended(&self.candidate, outcome, self.since.get(), now))
    }

    /// It could not be reached, or was not who it should be: nobody is sent there for a while.
    pub fn failed(&self, now: Instant) -> Ejected {
        match &self.neighbours {
            Some(neighbours) => neighbours.unreachable(&self.candidate, now),
            None if self.candidate.ejection.holds(now) => Ejected::new(),
            None => {
                self.candidate.ejection.strike(Terms::default(), now);
                Ejected::from_buf([Cause::Unreachable])
            }
        }
    }
}

impl Drop for Chosen {
    fn drop(&mut self) {
        self.candidate.load.end();
    }
}
