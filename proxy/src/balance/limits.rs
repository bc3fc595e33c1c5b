//! How much may be under way toward a service at once, and who waits for a place.
//!
//! A limit is one sidecar's, so all its workers count together; only services that have one take the lock or touch the count.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU32, Ordering::Relaxed},
};

use foldhash::{HashMap, HashMapExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    deadline::within,
    refusal::{Reason, Refusal},
    snapshot::{Cluster, Limits, Queue},
};

/// What the limits of all services leave. A clone is another handle to the same.
#[derive(Clone, Debug)]
pub struct Places(Arc<Mutex<HashMap<Arc<str>, Arc<Limited>>>>);

/// What the limits of one service leave.
#[derive(Debug)]
pub struct Limited {
    name: Arc<str>,
    limits: Limits,
    connections: Option<Arc<Semaphore>>,
    requests: Option<Arc<Semaphore>>,
    waiting: AtomicU32,
}

/// A place among those that may be under way. It is free again when this is dropped.
#[derive(Debug)]
pub struct Place {
    _permit: OwnedSemaphorePermit,
}

impl Default for Places {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(HashMap::new())))
    }
}

impl Places {
    /// What is left of a cluster's limits, if it has any. Limits that have changed begin anew: what is under way then is not
    /// counted any more.
    pub(super) fn of(&self, cluster: &Cluster) -> Option<Arc<Limited>> {
        let limits = cluster.balancing.limits?;
        // What is inside stays whole whatever panics around it.
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let limited = known.entry(cluster.name.clone()).or_insert_with(|| Limited::new(&cluster.name, limits));
        if limited.limits != limits {
            *limited = Limited::new(&cluster.name, limits);
        }
        Some(limited.clone())
    }

    /// Forgets clusters that are no longer in use.
    pub(super) fn retain(&self, in_use: impl Fn(&str) -> bool) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|cluster, _| in_use(cluster));
    }
}

impl Limited {
    fn new(name: &Arc<str>, limits: Limits) -> Arc<Self> {
        let semaphore = |limit: u32| Arc::new(Semaphore::new((limit as usize).min(Semaphore::MAX_PERMITS)));
        Arc::new(Self {
            name: name.clone(),
            limits,
            connections: limits.connections.map(semaphore),
            requests: limits.requests.map(semaphore),
            waiting: AtomicU32::new(0),
        })
    }

    /// A place for an opaque connection, if connections are limited.
    ///
    /// # Errors
    /// [`Reason::Overflow`] when none is free.
    pub fn connection(&self) -> Result<Option<Place>, Refusal> {
        let Some(places) = &self.connections else { return Ok(None) };
        places
            .clone()
            .try_acquire_owned()
            .map(|permit| Some(Place { _permit: permit }))
            .map_err(|_| self.overflow("connections", ""))
    }

    /// A place for a request, if requests are limited: at once, or after those who wait already.
    ///
    /// # Errors
    /// [`Reason::Overflow`] when none is free, and none becomes free in time.
    pub async fn request(&self) -> Result<Option<Place>, Refusal> {
        let Some(places) = &self.requests else { return Ok(None) };
        if let Ok(permit) = places.clone().try_acquire_owned() {
            return Ok(Some(Place { _permit: permit }));
        }
        let Some(Queue { length, time }) = self.limits.queue else { return Err(self.overflow("requests", "")) };
        let _waiting = Waiting::behind(&self.waiting, length).ok_or_else(|| self.overflow("requests", ", and as many wait"))?;
        match within(time, places.clone().acquire_owned()).await {
            Ok(Ok(permit)) => Ok(Some(Place { _permit: permit })),
            _ => Err(self.overflow("requests", ", and none ended in the time that one may wait")),
        }
    }

    fn overflow(&self, what: &str, more: &str) -> Refusal {
        let detail = format!("as many {what} to {} are under way as its limit allows{more}", self.name);
        Refusal::new(Reason::Overflow, detail)
    }
}

/// Somebody who waits.
struct Waiting<'a>(&'a AtomicU32);

impl<'a> Waiting<'a> {
    /// One more than wait already, unless that are `most`.
    fn behind(count: &'a AtomicU32, most: u32) -> Option<Self> {
        count.fetch_update(Relaxed, Relaxed, |waiting| (waiting < most).then_some(waiting + 1)).ok().map(|_| Self(count))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::snapshot::Balancing;

    fn cluster(limits: Limits) -> Cluster {
        let balancing = Balancing { limits: Some(limits), ..Balancing::default() };
        Cluster { name: "cart".into(), balancing, ..Cluster::default() }
    }

    fn one(queue: Option<Queue>) -> Limits {
        Limits { connections: Some(1), requests: Some(1), queue }
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_comes_too_late_waits_for_his_turn_or_is_refused() {
        let queue = Queue { length: 2, time: Duration::from_secs(1) };
        let limited = Places::default().of(&cluster(one(Some(queue)))).unwrap();
        let first = limited.request().await.unwrap().unwrap();
        let second = tokio::spawn({
            let limited = limited.clone();
            async move { limited.request().await }
        });
        tokio::task::yield_now().await;
        let third = tokio::spawn({
            let limited = limited.clone();
            async move { limited.request().await.map(drop) }
        });
        tokio::task::yield_now().await;
        assert_eq!(limited.request().await.unwrap_err().reason, Reason::Overflow, "the queue is full");
        drop(first);
        let second = second.await.unwrap().expect("it was the first to wait");
        assert_eq!(third.await.unwrap().unwrap_err().reason, Reason::Overflow, "its time is over");
        drop(second);
        assert!(limited.request().await.is_ok());
    }

    #[tokio::test]
    async fn all_workers_count_together_and_what_is_not_limited_is_not_counted() {
        let places = Places::default();
        let [here, there] = [1, 2].map(|_| places.of(&cluster(one(None))).unwrap());
        let place = here.request().await.unwrap();
        assert_eq!(there.request().await.unwrap_err().reason, Reason::Overflow);
        drop(place);
        assert!(there.request().await.is_ok());
        let held = here.connection().unwrap();
        assert!(held.is_some() && there.connection().is_err());
        let free = places.of(&cluster(Limits::default())).unwrap();
        assert!(free.request().await.unwrap().is_none() && free.connection().unwrap().is_none());
        places.retain(|_| false);
        assert!(places.of(&Cluster::default()).is_none());
    }
}
