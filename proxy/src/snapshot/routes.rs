//! Which requests go where.
//!
//! A route names clusters of the type `C`: those of the snapshot here, and only their names while `feed` has not seen
//! them all.

use std::{sync::Arc, time::Duration};

use http::{HeaderName, Method};
use regex::bytes::Regex;
use smallvec::SmallVec;

use super::{Changes, Cluster, Gate, Hedging, KeyPart, Redirect, Retries, Rewrite, Session};
use crate::refusal::Reason;

/// Which requests go where.
#[derive(Debug, Default)]
pub struct RouteTable {
    /// In order; the first that matches is taken.
    pub routes: Vec<Route>,
}

/// What becomes of some requests.
#[derive(Debug)]
pub struct Route<C = Arc<Cluster>> {
    /// Of which; `None` for all.
    pub matching: Option<Arc<Match>>,
    /// What they must pass; `None` for nothing.
    pub gate: Option<Arc<Gate>>,
    /// What is changed of them and of their answers; `None` for nothing.
    pub changes: Option<Arc<Changes>>,
    /// What becomes of them.
    pub action: Action<C>,
}

/// What a request must be, in every respect.
#[derive(Clone, Debug)]
pub struct Match {
    /// Where it goes.
    pub path: PathMatch,
    /// How it is asked; `None` where any way will do.
    pub method: Option<Method>,
    /// Headers it must have. Several values of one name are one, joined by commas.
    pub headers: Vec<(HeaderName, TextMatch)>,
    /// Parameters of its query, as it is written. The first of a name counts.
    pub query: Vec<(Box<str>, TextMatch)>,
}

/// What a path must be, the query aside.
#[derive(Clone, Debug)]
pub enum PathMatch {
    /// This.
    Exact(Box<str>),
    /// It begins with this.
    Prefix(Box<str>),
    /// It begins with these elements. The text does not end in a slash.
    Elements(Box<str>),
    /// It matches from its beginning to its end.
    Regex(Regex),
}

/// What a text must be.
#[derive(Clone, Debug)]
pub enum TextMatch {
    /// This.
    Exact(Box<str>),
    /// It matches from its beginning to its end.
    Regex(Regex),
}

/// What becomes of a request.
#[derive(Clone, Debug)]
pub enum Action<C> {
    /// It goes on.
    Forward(Forward<C>),
    /// Its client is told to go elsewhere.
    Redirect(Arc<Redirect>),
    /// Nothing: it is refused.
    Refuse(Reason),
}

/// Where requests go on to, and how.
#[derive(Clone, Debug)]
pub struct Forward<C> {
    /// Each gets a part of the requests.
    pub backends: SmallVec<[Backend<C>; 1]>,
    /// How their target is written anew; `None` where it stays.
    pub rewrite: Option<Arc<Rewrite>>,
    /// How long they may take.
    pub timeouts: Timeouts,
    /// What their key is made of, where one decides on the endpoint: the first of these that a request has.
    pub key: Option<Arc<[KeyPart]>>,
    /// How their clients stay with an endpoint; `None` where they do not.
    pub session: Option<Arc<Session>>,
    /// When they are tried again; `None` when only what reached nobody is.
    pub retries: Option<Arc<Retries>>,
    /// When they are sent to a second endpoint while the first is silent; `None` for never.
    pub hedging: Option<Hedging>,
    /// Who gets a copy of some of them.
    pub mirrors: Vec<Mirror<C>>,
}

/// Somebody who gets a copy of some requests, and whose answers nobody hears.
#[derive(Clone, Debug)]
pub struct Mirror<C = Arc<Cluster>> {
    /// Of how many requests, in a million.
    pub millionths: u32,
    /// Where the copies go; `None` when control says that there is no such cluster.
    pub cluster: Option<C>,
}

/// How long an answer may take. `None` where nobody minds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timeouts {
    /// To begin, from the request's head on, all attempts together.
    pub request: Option<Duration>,
    /// To begin in one attempt, once there is a line to its endpoint.
    pub attempt: Option<Duration>,
    /// Without a byte of either body, from the request's head to the end of the answer.
    pub idle: Option<Duration>,
}

/// One of those that share requests, or connections.
#[derive(Clone, Debug)]
pub struct Backend<C> {
    /// Its part of the sum of all weights.
    pub weight: usize,
    /// What is changed of its requests and of their answers, before what the route changes; `None` for nothing.
    pub changes: Option<Arc<Changes>>,
    /// Where they go; `None` when control says that there is no such cluster.
    pub cluster: Option<C>,
}

impl RouteTable {
    /// Every cluster that a request may go to.
    pub fn clusters(&self) -> impl Iterator<Item = &Arc<Cluster>> {
        self.routes.iter().flat_map(Route::clusters)
    }
}

impl<C> Route<C> {
    /// All requests go to `cluster`.
    pub fn everything(cluster: C) -> Self {
        Self { matching: None, gate: None, changes: None, action: Action::Forward(Forward::only(cluster)) }
    }

    /// Every cluster that a request may go to.
    pub fn clusters(&self) -> impl Iterator<Item = &C> {
        let forward = match &self.action {
            Action::Forward(forward) => Some(forward),
            Action::Redirect(_) | Action::Refuse(_) => None,
        };
        forward.into_iter().flat_map(|forward| {
            let backends = forward.backends.iter().filter_map(|backend| backend.cluster.as_ref());
            backends.chain(forward.mirrors.iter().filter_map(|mirror| mirror.cluster.as_ref()))
        })
    }

    /// The same route to the clusters that `find` knows: of each whether there is one, or `None` when that is not known yet.
    pub fn toward<D>(&self, find: impl Fn(&C) -> Option<Option<D>>) -> Option<Route<D>> {
        let action = match &self.action {
            Action::Forward(forward) => Action::Forward(forward.toward(find)?),
            Action::Redirect(redirect) => Action::Redirect(redirect.clone()),
            Action::Refuse(reason) => Action::Refuse(*reason),
        };
        let (matching, gate, changes) = (self.matching.clone(), self.gate.clone(), self.changes.clone());
        Some(Route { matching, gate, changes, action })
    }
}

impl<C> Forward<C> {
    /// To `cluster`, as they are.
    pub fn only(cluster: C) -> Self {
        Self::to([Backend::only(cluster)].into_iter().collect())
    }

    /// To `backends`, as they are.
    pub fn to(backends: SmallVec<[Backend<C>; 1]>) -> Self {
        Self {
            backends,
            rewrite: None,
            timeouts: Timeouts::default(),
            key: None,
            session: None,
            retries: None,
            hedging: None,
            mirrors: Vec::new(),
        }
    }

    fn toward<D>(&self, find: impl Fn(&C) -> Option<Option<D>>) -> Option<Forward<D>> {
        let backends = self.backends.iter().map(|backend| backend.toward(&find));
        let mirrors = self.mirrors.iter().map(|mirror| mirror.toward(&find));
        Some(Forward {
            backends: backends.collect::<Option<_>>()?,
            rewrite: self.rewrite.clone(),
            timeouts: self.timeouts,
            key: self.key.clone(),
            session: self.session.clone(),
            retries: self.retries.clone(),
            hedging: self.hedging,
            mirrors: mirrors.collect::<Option<_>>()?,
        })
    }
}

impl<C> Mirror<C> {
    fn toward<D>(&self, find: impl Fn(&C) -> Option<Option<D>>) -> Option<Mirror<D>> {
        let cluster = match &self.cluster {
            Some(cluster) => find(cluster)?,
            None => None,
        };
        Some(Mirror { millionths: self.millionths, cluster })
    }
}

impl<C> Backend<C> {
    /// One that shares with nobody.
    pub fn only(cluster: C) -> Self {
        Self { weight: 1, changes: None, cluster: Some(cluster) }
    }

    pub(super) fn toward<D>(&self, find: impl Fn(&C) -> Option<Option<D>>) -> Option<Backend<D>> {
        let cluster = match &self.cluster {
            Some(cluster) => find(cluster)?,
            None => None,
        };
        Some(Backend { weight: self.weight, changes: self.changes.clone(), cluster })
    }
}
