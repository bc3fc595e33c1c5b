//! What an `AuthorizationPolicy` says, free of how it was written.

use std::{collections::BTreeMap, net::IpAddr};

use crate::index::{Edition, Key};

/// What becomes of those a policy's rules are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Action {
    /// They are kept out, whatever else lets them in.
    Deny,
    /// They are let in, and of all others only those whom another policy lets in.
    Allow,
    /// They are counted and logged.
    Audit,
}

/// Whose callers a policy is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Those of all pods in its namespace; in the root namespace, of all there are.
    Everything,
    /// Those of pods with these labels there.
    Pods(BTreeMap<String, String>),
    /// Those of pods behind these services of its namespace, at the ports that the services lead to; by the name of a port, at that.
    Services(Vec<(String, Option<String>)>),
}

/// What one object says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AuthorizationPolicy {
    pub(crate) key: Key,
    pub(crate) edition: Edition,
    pub(crate) action: Action,
    pub(crate) reach: Reach,
    /// By their numbers as they were written: those that mean nothing may be missing.
    pub(crate) rules: Vec<(usize, Rule)>,
    /// What in it means nothing.
    pub(crate) mistakes: Vec<String>,
}

/// Callers, and what they ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) who: Tree<Who>,
    pub(crate) what: Tree<What>,
}

/// Conditions, put together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tree<T> {
    /// Each holds; so it is of none.
    All(Vec<Tree<T>>),
    /// One holds.
    Any(Vec<Tree<T>>),
    /// It does not hold.
    Not(Box<Tree<T>>),
    /// One condition.
    Is(T),
}

/// A condition on a caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// He proves an identity.
    Proved,
    /// He proves such a one, as it is written in certificates.
    Identity(Text),
    /// He calls from an address of this block: as many of its first bits count.
    Source(IpAddr, u8),
}

/// A condition on what he asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Port(u16),
    Method(Text),
    /// In lower case.
    Host(Text),
    /// A header field; with any value where none is said.
    Header(String, Option<Text>),
    Path(Text),
    /// Paths with `*` for a segment, and `**` for anything.
    Template(String),
}

/// Some texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Text {
    Exact(String),
    Prefix(String),
    Suffix(String),
    Contains(String),
}
