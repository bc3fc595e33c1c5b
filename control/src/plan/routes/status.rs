//! What is told to whoever wrote a route: its conditions, for each of its parents. Source: `RouteConditionType` and
//! `RouteConditionReason` of the Gateway API.

use super::backends::{Unresolved, resolve};
use crate::index::{
    Index,
    routes::{HttpRoute, Parent, Reference, Rule},
};

/// One condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Condition {
    pub(crate) kind: &'static str,
    pub(crate) holds: bool,
    pub(crate) reason: &'static str,
    /// For people; empty where there is nothing to say.
    pub(crate) message: String,
}

/// What is true of `route` at one of its parents.
pub(crate) fn conditions(index: &Index, route: &HttpRoute, parent: &Parent) -> Vec<Condition> {
    let mut conditions = vec![accepted(index, route, parent), references_resolved(index, route)];
    conditions.extend(partially_invalid(route));
    conditions
}

fn accepted(index: &Index, route: &HttpRoute, parent: &Parent) -> Condition {
    let condition = |holds, reason, message| Condition { kind: "Accepted", holds, reason, message };
    let has_port = |service: &crate::index::Service| service.ports.iter().any(|port| parent.is(service, port));
    match index.service(&parent.service) {
        None => condition(false, "NoMatchingParent", format!("there is no Service {}", parent.service)),
        Some(service) if !has_port(service) => {
            condition(false, "NoMatchingParent", format!("Service {} has no such port", parent.service))
        }
        Some(_) if route.rules.iter().all(is_invalid) => condition(false, "UnsupportedValue", mistakes(route)),
        Some(_) => condition(true, "Accepted", String::new()),
    }
}

/// There only when it holds.
fn partially_invalid(route: &HttpRoute) -> Option<Condition> {
    let invalid: Vec<String> =
        (1..).zip(&route.rules).filter(|(_, rule)| is_invalid(rule)).map(|(number, _): (usize, _)| number.to_string()).collect();
    if invalid.is_empty() || invalid.len() == route.rules.len() {
        return None;
    }
    let message = format!("Dropped Rule {}: {}", invalid.join(", "), mistakes(route));
    Some(Condition { kind: "PartiallyInvalid", holds: true, reason: "UnsupportedValue", message })
}

fn is_invalid(rule: &Rule) -> bool {
    !rule.mistakes.is_empty()
}

fn mistakes(route: &HttpRoute) -> String {
    route.rules.iter().flat_map(|rule| &rule.mistakes).map(String::as_str).collect::<Vec<_>>().join("; ")
}

fn references_resolved(index: &Index, route: &HttpRoute) -> Condition {
    let condition = |holds, reason, message| Condition { kind: "ResolvedRefs", holds, reason, message };
    let first = route.references().find_map(|to| Some((to, resolve(index, route, to).err()?)));
    let Some((to, why)) = first else { return condition(true, "ResolvedRefs", String::new()) };
    let named = match to {
        Reference::Service(service, Some(port)) => format!("Service {service}, port {port}"),
        Reference::Service(service, None) => format!("Service {service}, of which no port is named"),
        Reference::Other(kind) => kind.clone(),
    };
    match why {
        Unresolved::InvalidKind => condition(false, "InvalidKind", format!("{named} is no Service")),
        Unresolved::NotPermitted => condition(false, "RefNotPermitted", format!("no ReferenceGrant there is for {named}")),
        Unresolved::NotFound => condition(false, "BackendNotFound", format!("there is no {named}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::{
        Object, Protocol,
        routes::{
            Match,
            tests::{key_in, route, rule, to},
        },
        tests::{key, service},
    };

    fn shop() -> Index {
        let mut index = Index::default();
        index.apply(Object::Service(service("cart", "10.96.0.5", Protocol::Http)));
        index
    }

    fn told(route: &HttpRoute) -> Vec<(&'static str, bool, &'static str)> {
        let conditions = conditions(&shop(), route, &route.parents[0]);
        conditions.into_iter().map(|condition| (condition.kind, condition.holds, condition.reason)).collect()
    }

    const RESOLVED: (&str, bool, &str) = ("ResolvedRefs", true, "ResolvedRefs");
    const ACCEPTED: (&str, bool, &str) = ("Accepted", true, "Accepted");

    fn plain() -> HttpRoute {
        route("shop", "r", &key("cart"), &key("cart"))
    }

    #[test]
    fn a_route_is_accepted_by_a_parent_that_is_there() {
        assert_eq!(told(&plain()), [ACCEPTED, RESOLVED]);
        let other_port = Parent { port: Some(81), ..plain().parents.remove(0) };
        let nobody = Parent { service: key("gone"), ..other_port.clone() };
        for parent in [other_port, nobody] {
            let route = HttpRoute { parents: vec![parent], ..plain() };
            assert_eq!(told(&route), [("Accepted", false, "NoMatchingParent"), RESOLVED]);
        }
    }

    #[test]
    fn rules_that_mean_nothing_are_told_as_long_as_others_mean_something() {
        let all = || vec![Match::all()];
        let bad = Rule { mistakes: vec!["spec.rules[1]: odd".into()], ..rule(all(), Vec::new()) };
        let some = HttpRoute { rules: vec![rule(all(), vec![to(&key("cart"), 1)]), bad.clone()], ..plain() };
        assert_eq!(told(&some), [ACCEPTED, RESOLVED, ("PartiallyInvalid", true, "UnsupportedValue")]);
        let message = partially_invalid(&some).unwrap().message;
        assert_eq!(message, "Dropped Rule 2: spec.rules[1]: odd");
        let none = HttpRoute { rules: vec![bad], ..plain() };
        assert_eq!(told(&none), [("Accepted", false, "UnsupportedValue"), RESOLVED]);
    }

    #[test]
    fn references_that_lead_nowhere_are_told() {
        let other = Reference::Other("Bucket shop/b".into());
        let no_port = Reference::Service(key("cart"), None);
        for (named, reason) in [
            (other, "InvalidKind"),
            (no_port, "BackendNotFound"),
            (Reference::Service(key("cart"), Some(81)), "BackendNotFound"),
            (Reference::Service(key("gone"), Some(80)), "BackendNotFound"),
            (Reference::Service(key_in("depot", "gone"), Some(80)), "RefNotPermitted"),
        ] {
            let backend = crate::index::routes::Backend { to: named.clone(), ..to(&key("cart"), 0) };
            let route = HttpRoute { rules: vec![rule(vec![Match::all()], vec![backend])], ..plain() };
            assert_eq!(told(&route), [ACCEPTED, ("ResolvedRefs", false, reason)], "{named:?}");
        }
    }
}
