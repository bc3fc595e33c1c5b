//! How often may be asked.
//!
//! In: who asks, and when. Out: that it is taken, or how long to wait. Shared by all workers, and never a lock where all are
//! counted together. Pure but for what it counts.
//!
//! ```text
//! bucket    one count
//! clients   one for each client, as many as are remembered
//! ```

mod bucket;
mod clients;

use std::{
    net::IpAddr,
    num::NonZeroU32,
    time::{Duration, Instant},
};

use certs::name::SpiffeId;

use self::{bucket::Bucket, clients::Clients};

/// How often may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// So often,
    pub requests: NonZeroU32,
    /// in so long,
    pub per: Duration,
    /// and so many at once.
    pub burst: NonZeroU32,
}

/// Who asks: by what it has proved to be, or else by its address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Client {
    /// What mesh TLS proved.
    Identity(SpiffeId),
    /// Where its connection comes from.
    Address(IpAddr),
}

/// A limit, with its counts.
#[derive(Debug)]
pub struct RateLimit {
    /// What everything is counted from.
    since: Instant,
    rate: Rate,
    counted: Counted,
}

#[derive(Debug)]
enum Counted {
    Together(Bucket),
    ByClient(Box<Clients>),
}

impl RateLimit {
    /// One that counts all requests together, from `now` on.
    pub fn together(rate: Rate, now: Instant) -> Self {
        Self { since: now, rate, counted: Counted::Together(Bucket::default()) }
    }

    /// One that counts the requests of each client, from `now` on.
    pub fn by_client(rate: Rate, now: Instant) -> Self {
        Self { since: now, rate, counted: Counted::ByClient(Box::default()) }
    }

    /// Takes a request of `client` at `now`.
    ///
    /// # Errors
    /// There were too many: how long to wait for the next.
    pub fn take(&self, client: impl FnOnce() -> Client, now: Instant) -> Result<(), Duration> {
        let now = nanos(now.saturating_duration_since(self.since));
        match &self.counted {
            Counted::Together(bucket) => bucket.take(self.rate, now),
            Counted::ByClient(clients) => clients.bucket(client(), now).take(self.rate, now),
        }
    }
}

/// More than five hundred years are as many.
fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
