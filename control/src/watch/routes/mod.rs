//! From routes and grants, as they are written, to the index's nouns: the same for each source.
//!
//! What means nothing, or nothing to us, is told and spoils its rule alone: one whose matches cannot be read is for no request, and
//! one that would do something unknown to requests fails them, since nobody knows what is not done.

mod matches;
mod rule;
mod time;

use super::mistake::Mistake;
use crate::{
    index::{
        Key,
        routes::{Grant, HttpRoute, Parent},
    },
    manifest::routes::{GROUP, HttpRouteSpec, ParentReference, ReferenceGrantSpec, Rule},
};

/// What `spec` says, and what in it means nothing.
pub(super) fn http_route(key: Key, made: i64, spec: &HttpRouteSpec) -> (HttpRoute, Vec<Mistake>) {
    // Source: the default of `rules`.
    let everything = [Rule::default()];
    let rules = if spec.rules.is_empty() { &everything[..] } else { &spec.rules };
    let mut mistakes = Vec::new();
    let rules = rules.iter().enumerate().map(|(number, said)| {
        let (rule, of_rule) = rule::read(&key.namespace, said, &format!("spec.rules[{number}]"));
        mistakes.extend(of_rule);
        rule
    });
    let rules = rules.collect();
    let parents = spec.parent_refs.iter().filter_map(|said| parent(&key.namespace, said)).collect();
    (HttpRoute { key, made, parents, rules }, mistakes)
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
pub(super) fn grant(key: Key, spec: &ReferenceGrantSpec) -> Grant {
    let from = spec.from.iter().filter(|from| from.group == GROUP && from.kind == "HTTPRoute");
    let to = || spec.to.iter().filter(|to| to.group.is_empty() && to.kind == "Service");
    Grant {
        from: from.map(|from| from.namespace.clone()).collect(),
        to: to().filter_map(|to| to.name.clone()).collect(),
        to_all: to().any(|to| to.name.is_none()),
        key,
    }
}

#[cfg(test)]
mod tests;
