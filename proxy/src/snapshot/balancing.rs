//! How work for a cluster is shared among its endpoints. What is not said of it costs nothing.

use std::{sync::Arc, time::Duration};

use crate::hashing::Table;

/// All that is said of it.
#[derive(Debug, Default)]
pub struct Balancing {
    /// Who gets the next piece of work.
    pub balancer: Balancer,
    /// Numbers of endpoints that are not leaving, by how near they are: the first so many are the nearest, and so on. Empty
    /// where all are as near.
    pub levels: Vec<usize>,
    /// The time in which a newcomer's share grows to that of the others.
    pub slow_start: Option<Duration>,
    /// Who is put out.
    pub outliers: Option<Arc<Outliers>>,
    /// How much may be under way.
    pub limits: Option<Limits>,
}

/// Who gets the next piece of work.
#[derive(Debug, Default)]
pub enum Balancer {
    /// Of two at random the one that would answer sooner.
    #[default]
    PeakEwma,
    /// Of two at random the one with less to do.
    LeastRequest,
    /// One after the other.
    RoundRobin,
    /// Any.
    Random,
    /// Whomever a key of the work belongs to. A table for each level; numbers are those of its endpoints that are not leaving.
    Keyed(Vec<Table>),
}

/// What a request's key is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyPart {
    /// The value of this header.
    Header(http::HeaderName),
    /// The value of this cookie.
    Cookie {
        /// Its name.
        name: Box<str>,
        /// How long one lasts that is made for a request that has none; `None` when none is made. No time at all is until the
        /// client forgets.
        time: Option<Duration>,
    },
    /// The caller's address.
    Source,
}

/// Which endpoints are put out, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outliers {
    /// Whoever fails so often in a row.
    pub consecutive: Option<u32>,
    /// Whoever fails too often of many times.
    pub failure_share: Option<FailureShare>,
    /// Whoever takes so many times as long as its neighbours.
    pub latency_factor: Option<u32>,
    /// The time over which failures and latencies are counted.
    pub interval: Duration,
    /// How long the first time out is. The next in a row is twice as long.
    pub ejection: Duration,
    /// No time out is longer.
    pub ejection_max: Duration,
    /// Percent of the endpoints that may be out at once; one always may.
    pub ejected_max: u32,
    /// Where fewer percent than this are available, all are used.
    pub panic: u32,
}

/// Too many failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailureShare {
    /// Of a hundred.
    pub percent: u32,
    /// Of fewer requests in an interval nobody can tell.
    pub requests: u32,
}

/// How much of this proxy's work for a cluster may be under way at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Opaque connections.
    pub connections: Option<u32>,
    /// Requests.
    pub requests: Option<u32>,
    /// Requests that wait for a place; `None` where none does.
    pub queue: Option<Queue>,
}

/// Requests that wait for a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queue {
    /// So many at most.
    pub length: u32,
    /// For so long at most.
    pub time: Duration,
}
