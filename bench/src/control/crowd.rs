//! Many subscribers at once, and what happens to all of them.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use anyhow::anyhow;
use tokio::{sync::mpsc, task::JoinSet};

use super::{
    metered::Received,
    program::Control,
    subscriber::{self, Event, Shared, What},
};

/// The longest that anything may take to happen to all of them. What is slowest, a thousand certificates, takes some seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// Subscribers, until this is dropped.
#[derive(Debug)]
pub struct Crowd {
    size: usize,
    received: Received,
    events: mpsc::UnboundedReceiver<Event>,
    seen: BTreeMap<What, Vec<Instant>>,
    last_failure: Option<String>,
    _tasks: JoinSet<()>,
}

/// How long something took to happen to all of a crowd.
#[derive(Clone, Copy, Debug)]
pub struct Took {
    /// Half of them.
    pub half: Duration,
    /// All of them.
    pub all: Duration,
}

impl Crowd {
    /// So many subscribers of `control`, who all begin now.
    ///
    /// # Errors
    /// Control has written no bundle.
    pub fn gather(size: u16, control: &Control) -> anyhow::Result<Self> {
        let (tell, events) = mpsc::unbounded_channel();
        let received = Received::default();
        let identity = certs::name::SpiffeId::control(&"cluster.local".parse()?);
        let (ports, bundle) = (control.ports(), control.bundle()?);
        let shared = Arc::new(Shared { ports, bundle, control: identity, received: received.clone(), events: tell });
        let tasks = (0..size).map(|number| subscriber::follow(number, shared.clone())).collect();
        Ok(Self { size: size.into(), received, events, seen: BTreeMap::new(), last_failure: None, _tasks: tasks })
    }

    /// Waits until `what` has happened to all of them. `since` is when it began.
    ///
    /// # Errors
    /// It does not, within a minute.
    pub async fn all(&mut self, what: What, since: Instant) -> anyhow::Result<Took> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while self.seen.get(&what).is_none_or(|times| times.len() < self.size) {
            let Ok(Some(event)) = tokio::time::timeout_at(deadline, self.events.recv()).await else {
                return Err(self.missing(&what));
            };
            self.take(event);
        }
        let mut times = self.seen.remove(&what).unwrap_or_default();
        times.sort_unstable();
        let took = |index: usize| times.get(index).map(|at| at.saturating_duration_since(since)).unwrap_or_default();
        Ok(Took { half: took(self.size / 2), all: took(self.size - 1) })
    }

    /// Forgets what has happened so far.
    pub fn forget(&mut self) {
        while let Ok(event) = self.events.try_recv() {
            self.take(event);
        }
        self.seen.clear();
    }

    /// Bytes each has received so far, on average.
    pub fn received_each(&self) -> u64 {
        self.received.load(Relaxed) / self.size as u64
    }

    fn take(&mut self, event: Event) {
        match event.what {
            What::Failed(why) => self.last_failure = Some(why),
            what => self.seen.entry(what).or_default().push(event.at),
        }
    }

    fn missing(&self, what: &What) -> anyhow::Error {
        let count = self.seen.get(what).map_or(0, Vec::len);
        let failure = self.last_failure.as_deref().unwrap_or("nothing failed");
        anyhow!("after {PATIENCE:?}, {what:?} is true of {count} subscribers of {}; the last failure: {failure}", self.size)
    }
}
