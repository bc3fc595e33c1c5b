//! Our own open connections, so that one that comes back through the redirect is recognised.

use std::{
    collections::HashSet,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

/// One of our connections: from where to where.
type Ends = (SocketAddr, SocketAddr);

/// The connections all workers have dialled. Shared, since the kernel may hand a redirected connection to another worker
/// than the one that dialled it. Locked once per dial, never per request.
#[derive(Clone, Debug, Default)]
pub struct Dials(Arc<Mutex<HashSet<Ends>>>);

/// One open connection of ours; forgotten when this is dropped.
#[derive(Debug)]
pub struct Dial {
    ends: Ends,
    dials: Dials,
}

impl Dials {
    /// Remembers a connection of ours.
    pub fn remember(&self, from: SocketAddr, to: SocketAddr) -> Dial {
        self.with(|dials| dials.insert((from, to)));
        Dial { ends: (from, to), dials: self.clone() }
    }

    /// Whether the connection is our own.
    pub fn contains(&self, from: SocketAddr, to: SocketAddr) -> bool {
        self.with(|dials| dials.contains(&(from, to)))
    }

    fn with<T>(&self, work: impl FnOnce(&mut HashSet<Ends>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Dial {
    fn drop(&mut self) {
        self.dials.with(|dials| dials.remove(&self.ends));
    }
}
