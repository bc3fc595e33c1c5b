//! How many requests may be sent once more, so that what fails is not buried under tries.
//!
//! Each cluster has one budget for all workers. It counts, over a sliding interval, the requests that might be sent once more and
//! those that were, in atomics: nobody waits for anybody. Requests of routes that allow no more than one try do not come here.

use std::{
    cell::RefCell,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use foldhash::{HashMap, HashMapExt};

use crate::snapshot::{Cluster, RetryBudget};

/// Parts that an interval is counted in.
const SLOTS: usize = 10;

/// Of a slot's number: which interval its counts are of.
const EPOCH_BITS: u32 = 20;
/// How many requests.
const REQUESTS_BITS: u32 = 24;
/// And how many of them once more.
const REPEATS_BITS: u32 = 20;

/// One cluster's.
#[derive(Debug)]
pub struct Budget {
    terms: RetryBudget,
    since: Instant,
    slots: [AtomicU64; SLOTS],
}

/// What one slot says.
#[derive(Clone, Copy, Default)]
struct Slot {
    epoch: u64,
    requests: u64,
    repeats: u64,
}

/// Those of all clusters. A clone is another handle to the same.
#[derive(Clone, Debug, Default)]
pub struct Shared(Arc<Mutex<HashMap<Arc<str>, Arc<Budget>>>>);

/// One worker's way to them.
#[derive(Debug)]
pub struct Budgets {
    shared: Shared,
    known: RefCell<HashMap<Arc<str>, Arc<Budget>>>,
}

impl Budgets {
    /// The way to `shared`.
    pub fn new(shared: Shared) -> Self {
        Self { shared, known: RefCell::new(HashMap::new()) }
    }

    /// The budget of `cluster`. One whose terms are others now begins anew.
    pub fn of(&self, cluster: &Cluster, now: Instant) -> Arc<Budget> {
        let mut known = self.known.borrow_mut();
        let found = known.get(&cluster.name).filter(|budget| budget.terms == cluster.retry_budget);
        if let Some(budget) = found {
            return budget.clone();
        }
        let budget = self.shared.of(cluster, now);
        known.insert(cluster.name.clone(), budget.clone());
        budget
    }

    /// Forgets clusters that are no longer in use.
    pub fn retain(&self, in_use: impl Fn(&str) -> bool) {
        self.known.borrow_mut().retain(|name, _| in_use(name));
        self.shared.budgets().retain(|name, _| in_use(name));
    }
}

impl Shared {
    fn of(&self, cluster: &Cluster, now: Instant) -> Arc<Budget> {
        let mut budgets = self.budgets();
        let found = budgets.get(&cluster.name).filter(|budget| budget.terms == cluster.retry_budget);
        if let Some(budget) = found {
            return budget.clone();
        }
        let budget = Arc::new(Budget::new(cluster.retry_budget, now));
        budgets.insert(cluster.name.clone(), budget.clone());
        budget
    }

    fn budgets(&self) -> std::sync::MutexGuard<'_, HashMap<Arc<str>, Arc<Budget>>> {
        // What is inside stays whole whatever panics around it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Budget {
    fn new(terms: RetryBudget, now: Instant) -> Self {
        Self { terms, since: now, slots: Default::default() }
    }

    /// Counts a request that might be sent once more.
    pub fn requested(&self, now: Instant) {
        self.count(now, |slot| slot.requests += 1);
    }

    /// Whether one may be sent once more; it is counted then.
    pub fn take(&self, now: Instant) -> bool {
        // Counted first and looked at then: of several who ask at once, the last to count sees them all.
        self.count(now, |slot| slot.repeats += 1);
        let granted = self.allows(now);
        if !granted {
            self.count(now, |slot| slot.repeats = slot.repeats.saturating_sub(1));
        }
        granted
    }

    /// Whether those that are counted are not too many. What is allowed in any case comes second by second: all of an interval's at
    /// once would be had again as soon as the first of it has passed, in the middle of a storm.
    fn allows(&self, now: Instant) -> bool {
        let (requests, repeats) = self.counted(now, SLOTS as u64);
        if repeats <= requests * u64::from(self.terms.percent) / 100 {
            return true;
        }
        let in_time = |millis: u64| u64::from(self.terms.per_second) * millis / 1000;
        let slots = (1000 / self.slot_ms()).clamp(1, SLOTS as u64);
        let (_, lately) = self.counted(now, slots);
        repeats <= in_time(millis(self.terms.interval)) && lately <= in_time(slots * self.slot_ms())
    }

    /// Requests, and those sent once more, of so many slots, of which the last is now.
    fn counted(&self, now: Instant, slots: u64) -> (u64, u64) {
        let epoch = self.epoch(now);
        let all = self.slots.iter().map(|slot| Slot::read(slot.load(SeqCst)));
        let current = all.filter(|slot| slot.epoch <= epoch && epoch - slot.epoch < slots);
        current.fold((0, 0), |(requests, repeats), slot| (requests + slot.requests, repeats + slot.repeats))
    }

    fn count(&self, now: Instant, add: impl Fn(&mut Slot)) {
        let epoch = self.epoch(now);
        let slot = &self.slots[usize::try_from(epoch).unwrap_or_default() % SLOTS];
        // The function always has an answer.
        let _ = slot.fetch_update(SeqCst, SeqCst, |written| {
            let mut slot = Slot::read(written);
            if slot.epoch != epoch {
                slot = Slot { epoch, ..Slot::default() };
            }
            add(&mut slot);
            Some(slot.write())
        });
    }

    /// Which slot it is now, counted from one: a slot that was never written is of none.
    fn epoch(&self, now: Instant) -> u64 {
        let passed = millis(now.saturating_duration_since(self.since)) / self.slot_ms();
        (passed + SLOTS as u64) & mask(EPOCH_BITS)
    }

    /// How long a slot is, in milliseconds.
    fn slot_ms(&self) -> u64 {
        (millis(self.terms.interval) / SLOTS as u64).max(1)
    }
}

impl Slot {
    fn read(written: u64) -> Self {
        Self {
            epoch: written >> (REQUESTS_BITS + REPEATS_BITS),
            requests: written >> REPEATS_BITS & mask(REQUESTS_BITS),
            repeats: written & mask(REPEATS_BITS),
        }
    }

    fn write(self) -> u64 {
        let (requests, repeats) = (self.requests.min(mask(REQUESTS_BITS)), self.repeats.min(mask(REPEATS_BITS)));
        self.epoch << (REQUESTS_BITS + REPEATS_BITS) | requests << REPEATS_BITS | repeats
    }
}

fn mask(bits: u32) -> u64 {
    (1 << bits) - 1
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn of_a_hundred_requests_a_fifth_may_be_sent_once_more() {
        let now = crate::clock::now();
        let budget = Budget::new(RetryBudget { per_second: 0, ..RetryBudget::default() }, now);
        assert!(!budget.take(now), "nothing was asked yet");
        (0..100).for_each(|_| budget.requested(now));
        assert_eq!((0..100).filter(|_| budget.take(now)).count(), 20);
        assert!(!budget.take(now + seconds(5.0)), "all of it counts for the whole interval");
        assert!(!budget.take(now + seconds(10.1)), "and so do the requests");
    }

    #[test]
    fn where_little_is_asked_something_is_always_allowed() {
        let now = crate::clock::now();
        let budget = Budget::new(RetryBudget::default(), now);
        for second in 0..20 {
            let now = now + seconds(f64::from(second) + 0.1);
            assert_eq!((0..1000).filter(|_| budget.take(now)).count(), 10, "in second {second}");
        }
    }

    #[test]
    fn a_storm_of_any_rate_and_length_is_tried_again_no_more_than_its_part() {
        for (rate, length) in [(150, 12), (150, 35), (300, 6), (75, 25)] {
            let start = crate::clock::now();
            let budget = Budget::new(RetryBudget::default(), start);
            let total = rate * length;
            let at = |number: u32| start + seconds(f64::from(number) / f64::from(rate));
            let again = (0..total).filter(|number| {
                budget.requested(at(*number));
                budget.take(at(*number))
            });
            let again = u32::try_from(again.count()).unwrap();
            assert!(again <= total / 5, "{again} of {total} at {rate} a second");
        }
    }

    #[test]
    fn workers_share_the_budget_of_a_cluster_and_other_terms_begin_anew() {
        let now = crate::clock::now();
        let shared = Shared::default();
        let workers = [Budgets::new(shared.clone()), Budgets::new(shared)];
        let cart = |percent| Cluster {
            name: "cart".into(),
            retry_budget: RetryBudget { percent, ..RetryBudget::default() },
            ..Cluster::default()
        };
        let [one, two] = [&workers[0], &workers[1]].map(|worker| worker.of(&cart(20), now));
        assert!(Arc::ptr_eq(&one, &two));
        let other = workers[1].of(&cart(30), now);
        assert!(!Arc::ptr_eq(&one, &other) && Arc::ptr_eq(&other, &workers[0].of(&cart(30), now)));
        workers.iter().for_each(|worker| worker.retain(|_| false));
        assert!(!Arc::ptr_eq(&other, &workers[0].of(&cart(30), now)));
    }

    #[test]
    fn threads_that_ask_at_once_get_no_more_together() {
        let now = crate::clock::now();
        let budget = Budget::new(RetryBudget { percent: 10, per_second: 0, interval: seconds(10.0) }, now);
        (0..10_000).for_each(|_| budget.requested(now));
        let granted = || (0..10_000).filter(|_| budget.take(now)).count();
        let total: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(granted)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(total, 1000);
    }

    proptest! {
        /// In steps of time, how many requests came, and how often each was to be sent once more.
        #[test]
        fn no_interval_ever_has_more_than_its_part(
            steps in proptest::collection::vec((0_u64..2_000, 0_u32..50, 0_u32..50), 1..200),
            percent in 0_u32..=100,
            per_second in 0_u32..20,
        ) {
            let terms = RetryBudget { percent, per_second, interval: seconds(10.0) };
            let start = crate::clock::now();
            let budget = Budget::new(terms, start);
            let mut told: Vec<(u64, u64, u64)> = Vec::new();
            let mut passed = 0;
            for (pause, requests, wanted) in steps {
                passed += pause;
                let now = start + Duration::from_millis(passed);
                (0..requests).for_each(|_| budget.requested(now));
                for _ in 0..wanted {
                    let granted = u64::from(budget.take(now));
                    told.push((passed, 0, granted));
                    // Slots are whole seconds: an interval ends with the one that it is now.
                    let begins = (passed / 1000).saturating_sub(9) * 1000;
                    let current = told.iter().filter(|(at, ..)| *at >= begins);
                    let repeats: u64 = current.map(|(_, _, repeats)| repeats).sum();
                    let asked = told.iter().filter(|(at, ..)| *at >= begins).map(|(_, asked, _)| asked).sum::<u64>();
                    let asked = asked + u64::from(requests);
                    // What was allowed stays so when the requests that allowed it have passed.
                    prop_assert!(granted == 0 || repeats <= (asked * u64::from(percent) / 100).max(u64::from(per_second) * 10));
                }
                told.push((passed, u64::from(requests), 0));
            }
        }
    }
}
