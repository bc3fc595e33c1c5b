//! From routes and grants, as they are written, to the index's nouns: the same for each source.
//!
//! What means nothing, or nothing to us, is told and spoils its rule alone: one whose matches cannot be read is for no request, and
//! one that would do something unknown to requests fails them, since nobody knows what is not done.

mod cors;
mod matches;
mod rule;
mod servers;
mod session;
pub(super) mod time;

use super::mistake::Mistake;
use crate::{
    index::{
        Edition, Key,
        routes::{Grant, Parent, Route, RouteKind, Rule, Servers},
    },
    manifest::routes::{self, ConnectionRouteSpec, GROUP, GrpcRouteSpec, HttpRouteSpec, ParentReference, ReferenceGrantSpec},
};

/// What the `spec` of an `HTTPRoute` says, and what in it means nothing.
pub(crate) fn http_route(key: Key, made: i64, spec: &HttpRouteSpec) -> (Route, Vec<Mistake>) {
    // Source: the default of `rules`.
    let everything = [routes::Rule::default()];
    let rules = if spec.rules.is_empty() { &everything[..] } else { &spec.rules };
    let read = rules.iter().enumerate().map(|(number, said)| rule::http(&key.namespace, said, &field(number)));
    route(RouteKind::Http, made, &spec.parent_refs, read.collect(), key)
}

/// What that of a `GRPCRoute` says.
pub(crate) fn grpc_route(key: Key, made: i64, spec: &GrpcRouteSpec) -> (Route, Vec<Mistake>) {
    let read = spec.rules.iter().enumerate().map(|(number, said)| rule::grpc(&key.namespace, said, &field(number)));
    route(RouteKind::Grpc, made, &spec.parent_refs, read.collect(), key)
}

/// What that of a `TCPRoute` says.
pub(super) fn tcp_route(key: Key, made: i64, spec: &ConnectionRouteSpec) -> (Route, Vec<Mistake>) {
    let read = spec.rules.iter().enumerate().map(|(number, said)| rule::connection(&key.namespace, said, &field(number)));
    route(RouteKind::Tcp, made, &spec.parent_refs, read.collect(), key)
}

/// What that of a `TLSRoute` says. When one of its servers means nothing none of its rules is for anybody, since what the others
/// leave over might be too much.
pub(super) fn tls_route(key: Key, made: i64, spec: &ConnectionRouteSpec) -> (Route, Vec<Mistake>) {
    let (read, mut mistakes) = tcp_route(key, made, spec);
    let (servers, of_servers) = servers::read(&spec.hostnames);
    let mut read = Route { kind: RouteKind::Tls, servers, ..read };
    for rule in &mut read.rules {
        rule.mistakes.extend(of_servers.iter().map(Mistake::to_string));
    }
    mistakes.extend(of_servers);
    (read, mistakes)
}

fn field(number: usize) -> String {
    format!("spec.rules[{number}]")
}

fn route(
    kind: RouteKind,
    made: i64,
    parents: &[ParentReference],
    read: Vec<(Rule, Vec<Mistake>)>,
    key: Key,
) -> (Route, Vec<Mistake>) {
    let (rules, mistakes): (_, Vec<_>) = read.into_iter().unzip();
    let parents = parents.iter().filter_map(|said| parent(&key.namespace, said)).collect();
    let read = Route { kind, key, made, edition: Edition::default(), parents, servers: Servers::All, rules };
    (read, mistakes.into_iter().flatten().collect())
}

fn parent(namespace: &str, said: &ParentReference) -> Option<Parent> {
    let ParentReference { group, kind, namespace: other, name, section_name, port } = said;
    let is_service = group.as_deref() == Some("") && kind.as_deref() == Some("Service");
    is_service.then(|| Parent {
        service: Key { namespace: other.as_deref().unwrap_or(namespace).to_owned(), name: name.clone() },
        port: *port,
        port_name: section_name.clone(),
    })
}

/// What `spec` grants to routes, of services.
pub(crate) fn grant(key: Key, spec: &ReferenceGrantSpec) -> Grant {
    let from = spec.from.iter().filter(|from| from.group == GROUP).filter_map(|from| {
        let kind = RouteKind::ALL.into_iter().find(|kind| kind.word() == from.kind)?;
        Some((kind, from.namespace.clone()))
    });
    let to = || spec.to.iter().filter(|to| to.group.is_empty() && to.kind == "Service");
    Grant {
        from: from.collect(),
        to: to().filter_map(|to| to.name.clone()).collect(),
        to_all: to().any(|to| to.name.is_none()),
        key,
    }
}

#[cfg(test)]
mod tests;
