//! Who follows us now, for operators to see.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use serde::Serialize;

use crate::plan::Kind;

/// Everybody with an open stream. A clone is another handle to the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Roster(Arc<Mutex<Inside>>);

#[derive(Debug, Default)]
struct Inside {
    last: u64,
    clients: BTreeMap<u64, Client>,
}

/// One stream.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Client {
    /// What its certificate proves.
    pub(crate) identity: String,
    /// The pod it is.
    pub(crate) pod: String,
    /// Where it comes from.
    pub(crate) address: SocketAddr,
    /// How it calls itself.
    pub(crate) node: String,
    /// Which variant of the protocol it speaks.
    pub(crate) variant: &'static str,
    /// Since when, in Unix seconds.
    pub(crate) since: u64,
    /// How many resources of each type it follows.
    pub(crate) follows: BTreeMap<&'static str, usize>,
    /// How often it could not use what it was sent.
    pub(crate) nacks: u64,
    /// What it said of the last of those.
    pub(crate) last_nack: Option<String>,
}

/// A client's place in the roster, until it is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    roster: Roster,
    number: u64,
}

impl Roster {
    pub(crate) fn enter(&self, client: Client) -> Seat {
        self.with(|inside| {
            inside.last += 1;
            inside.clients.insert(inside.last, client);
            Seat { roster: self.clone(), number: inside.last }
        })
    }

    /// Everybody, in the order in which they came.
    pub(crate) fn clients(&self) -> Vec<Client> {
        self.with(|inside| inside.clients.values().cloned().collect())
    }

    fn with<T>(&self, act: impl FnOnce(&mut Inside) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Seat {
    pub(crate) fn follows(&self, subscriptions: BTreeMap<Kind, usize>) {
        let follows = subscriptions.into_iter().map(|(kind, count)| (kind.word(), count)).collect();
        self.update(|client| client.follows = follows);
    }

    pub(crate) fn nacked(&self, message: &str) {
        self.update(|client| {
            client.nacks += 1;
            client.last_nack = Some(message.to_owned());
        });
    }

    fn update(&self, change: impl FnOnce(&mut Client)) {
        self.roster.with(|inside| inside.clients.get_mut(&self.number).map(change));
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.roster.with(|inside| inside.clients.remove(&self.number));
    }
}
