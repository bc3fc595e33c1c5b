//! Endpoints that are held against each other: who of them is out, and who has to go.
//!
//! Nothing happens here by itself. Whoever answers or is chosen brings the time, and what is due by then is done.

use std::{
    cell::RefCell,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use smallvec::SmallVec;

use super::{Candidate, Outcome, eject::Terms};
use crate::{events::Cause, snapshot::Outliers};

/// Why endpoints were put out just now.
pub type Ejected = SmallVec<[Cause; 1]>;

/// The endpoints of one level of a cluster.
#[derive(Debug, Default)]
pub(super) struct Neighbours(RefCell<Inner>);

#[derive(Debug, Default)]
struct Inner {
    terms: Option<Arc<Outliers>>,
    all: Vec<Rc<Candidate>>,
    out: Vec<Rc<Candidate>>,
    /// When the first of those that are out may be back.
    earliest: Option<Instant>,
    /// When the current interval began.
    since: Option<Instant>,
}

/// How many of a level's endpoints are not out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Availability {
    pub(super) available: usize,
    pub(super) of: usize,
}

impl Neighbours {
    /// From now on they are these, and judged so.
    pub(super) fn follow(&self, terms: Option<Arc<Outliers>>, all: &[Rc<Candidate>], now: Instant) {
        let inner = &mut *self.0.borrow_mut();
        inner.out = all.iter().filter(|candidate| candidate.ejection.holds(now)).cloned().collect();
        inner.earliest = first_back(&inner.out);
        (inner.terms, inner.all) = (terms, all.to_vec());
    }

    /// How many are not out.
    pub(super) fn availability(&self, now: Instant) -> Availability {
        let inner = &mut *self.0.borrow_mut();
        inner.welcome_back(now);
        Availability { available: inner.all.len() - inner.out.len(), of: inner.all.len() }
    }

    /// Whether so few are available that none must be left out.
    pub(super) fn panic(&self, now: Instant) -> bool {
        let least = self.0.borrow().terms.as_ref().map_or(0, |terms| terms.panic);
        least > 0 && {
            let Availability { available, of } = self.availability(now);
            available * 100 < of * least as usize
        }
    }

    /// Whether anybody wants to know how requests end.
    pub(super) fn judge(&self) -> bool {
        self.0.borrow().terms.is_some()
    }

    /// A line to `candidate` is ready. Where no terms say how long it stays out, that is enough to be back.
    pub(super) fn reached(&self, candidate: &Candidate) {
        let inner = &mut *self.0.borrow_mut();
        if inner.terms.is_none() && candidate.ejection.until().is_some() {
            candidate.ejection.forgive();
            inner.out.retain(|candidate| candidate.ejection.until().is_some());
            inner.earliest = first_back(&inner.out);
        }
    }

    /// `candidate` cannot be reached.
    pub(super) fn unreachable(&self, candidate: &Rc<Candidate>, now: Instant) -> Ejected {
        self.0.borrow_mut().eject(candidate, Cause::Unreachable, now).into_iter().collect()
    }

    /// `candidate` began an answer after `time`. The first answer of an interval ends the one before it.
    pub(super) fn took(&self, candidate: &Candidate, time: Duration, now: Instant) -> Ejected {
        let inner = &mut *self.0.borrow_mut();
        let Some(terms) = inner.terms.clone() else { return Ejected::new() };
        let since = *inner.since.get_or_insert(now);
        let ejected = if now.saturating_duration_since(since) < terms.interval {
            Ejected::new()
        } else {
            let slow = terms.latency_factor.map_or_else(Vec::new, |factor| slow(&inner.all, factor));
            inner.since = Some(now);
            inner.all.iter().for_each(|candidate| candidate.record.begin());
            slow.iter().filter_map(|candidate| inner.eject(candidate, Cause::Latency, now)).collect()
        };
        candidate.record.took(time);
        ejected
    }

    /// A request that `candidate` was given at `since` ended. Whoever was out is put out again by its first failure.
    pub(super) fn ended(&self, candidate: &Rc<Candidate>, outcome: Outcome, since: Instant, now: Instant) -> Ejected {
        let inner = &mut *self.0.borrow_mut();
        let Some(terms) = &inner.terms else { return Ejected::new() };
        let record = &candidate.record;
        record.ended(outcome);
        let on_trial = candidate.ejection.is_tried_by(since);
        if on_trial && outcome == Outcome::Answered {
            candidate.ejection.pass();
        }
        let fails_again = on_trial && outcome == Outcome::Failed;
        let cause = if fails_again || terms.consecutive.is_some_and(|most| record.row() >= most) {
            Cause::Failures
        } else if terms.failure_share.is_some_and(|share| record.exceeds(share)) {
            Cause::FailureShare
        } else {
            return Ejected::new();
        };
        inner.eject(candidate, cause, now).into_iter().collect()
    }
}

impl Inner {
    /// Puts `candidate` out, unless as many are out as may be.
    fn eject(&mut self, candidate: &Rc<Candidate>, cause: Cause, now: Instant) -> Option<Cause> {
        self.welcome_back(now);
        if candidate.ejection.holds(now) || self.out.len() >= self.out_max() {
            return None;
        }
        candidate.ejection.strike(self.times(), now);
        candidate.record.forget();
        tracing::info!(endpoint = %candidate.endpoint.address, cause = cause.word(), "put out");
        self.out.push(candidate.clone());
        self.earliest = first_back(&self.out);
        Some(cause)
    }

    /// Forgets those who are out no more.
    fn welcome_back(&mut self, now: Instant) {
        if self.earliest.is_some_and(|earliest| earliest <= now) {
            self.out.retain(|candidate| candidate.ejection.holds(now));
            self.earliest = first_back(&self.out);
        }
    }

    /// How many may be out. One that does not answer for itself always may.
    fn out_max(&self) -> usize {
        let all = self.all.len();
        self.terms.as_ref().map_or(all, |terms| (all * terms.ejected_max as usize / 100).max(1))
    }

    fn times(&self) -> Terms {
        self.terms.as_ref().map_or_else(Terms::default, |terms| Terms {
            first: terms.ejection,
            longest: terms.ejection_max,
            memory: Some(terms.interval),
        })
    }
}

fn first_back(out: &[Rc<Candidate>]) -> Option<Instant> {
    out.iter().filter_map(|candidate| candidate.ejection.until()).min()
}

/// Those whose answers took at least `factor` times as long as their neighbours'.
fn slow(all: &[Rc<Candidate>], factor: u32) -> Vec<Rc<Candidate>> {
    let mut means: Vec<_> = all.iter().filter_map(|candidate| Some((candidate.record.mean()?, candidate))).collect();
    means.sort_by_key(|(mean, _)| *mean);
    let median_beside = |position: usize| {
        let middle = (means.len() - 1) / 2;
        means.get(if middle < position { middle } else { middle + 1 }).map(|(mean, _)| *mean)
    };
    let too_slow = means
        .iter()
        .enumerate()
        .filter(|(position, (mean, _))| median_beside(*position).is_some_and(|median| *mean >= median.saturating_mul(factor)));
    too_slow.map(|(_, (_, candidate))| (*candidate).clone()).collect()
}
