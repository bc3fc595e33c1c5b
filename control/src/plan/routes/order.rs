//! In which order matches are tried: the first that is for a request has it.
//!
//! As the Gateway API says: an exact path before a prefix, and of two prefixes the one with more characters; then a match that
//! names a method; then more header fields; then more parameters; then the older route; then the one whose `namespace/name`
//! comes first; then the first rule. Of gRPC calls it is the service with more characters, and then such a method, in place of
//! paths. Where regular expressions stand is left to us: after exact paths and before every prefix, and of two the one with more
//! characters; of calls, after all that are named exactly.

use std::cmp::Reverse;

use crate::index::routes::{CallMatch, Match, PathMatch, Route, Rule, ValueMatch};

/// One match of a rule of a route.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate<'a> {
    pub(super) route: &'a Route,
    pub(super) rule: &'a Rule,
    pub(super) wanted: &'a Match,
    /// Which of its route's rules it is of.
    number: usize,
}

/// The matches of `routes`, in the order in which they are tried.
pub(super) fn of<'a>(routes: &[&'a Route]) -> Vec<Candidate<'a>> {
    let mut all: Vec<Candidate<'a>> = routes.iter().flat_map(|route| candidates(route)).collect();
    all.sort_by_cached_key(|candidate| {
        let Candidate { route, wanted, number, .. } = candidate;
        let Match { path, headers, query, method } = wanted;
        let of_match = (rank(path), method.is_none(), Reverse(headers.len()), Reverse(query.len()));
        (of_match, route.made, route.key.to_string(), *number)
    });
    all
}

fn candidates(route: &Route) -> impl Iterator<Item = Candidate<'_>> {
    route
        .rules
        .iter()
        .enumerate()
        .flat_map(move |(number, rule)| rule.matches.iter().map(move |wanted| Candidate { route, rule, wanted, number }))
}

/// Only routes of one kind are compared: paths with paths, calls with calls.
fn rank(path: &PathMatch) -> (u8, [Reverse<usize>; 2]) {
    let characters = |text: &str| Reverse(text.chars().count());
    let one = |text: &str| [characters(text), Reverse(0)];
    match path {
        PathMatch::Exact(path) => (0, one(path)),
        PathMatch::Regex(regex) => (1, one(regex)),
        PathMatch::Prefix(prefix) => (2, one(prefix)),
        PathMatch::Call(CallMatch { service, method }) => {
            let parts = [service, method];
            let is_regex = parts.into_iter().flatten().any(|part| matches!(part, ValueMatch::Regex(_)));
            let length = |part: &Option<ValueMatch>| part.as_ref().map_or(Reverse(0), |part| characters(part.text()));
            (u8::from(is_regex), parts.map(length))
        }
    }
}
