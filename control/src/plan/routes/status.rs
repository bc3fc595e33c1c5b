//! What is told to whoever wrote a route: its conditions, for each of its parents. Source: `RouteConditionType` and
//! `RouteConditionReason` of the Gateway API.

use super::backends::{Unresolved, resolve};
use crate::index::{
    Index, Service, ServicePort,
    routes::{Parent, Reference, Route, RouteKind, Rule},
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

impl Condition {
    /// As Kubernetes writes it.
    pub(crate) fn status(&self) -> &'static str {
        if self.holds { "True" } else { "False" }
    }
}

/// What is true of `route` at one of its parents.
pub(crate) fn conditions(index: &Index, route: &Route, parent: &Parent) -> Vec<Condition> {
    let mut conditions = vec![accepted(index, route, parent), references_resolved(index, route)];
    conditions.extend(partially_invalid(route));
    conditions
}

fn accepted(index: &Index, route: &Route, parent: &Parent) -> Condition {
    let condition = |holds, reason, message| Condition { kind: "Accepted", holds, reason, message };
    let Some(service) = index.service(&parent.service) else {
        return condition(false, "NoMatchingParent", format!("there is no Service {}", parent.service));
    };
    let ports: Vec<&ServicePort> = service.ports.iter().filter(|port| parent.is(service, port)).collect();
    if ports.is_empty() {
        return condition(false, "NoMatchingParent", format!("Service {} has no such port", parent.service));
    }
    if !route.rules.is_empty() && route.rules.iter().all(is_invalid) {
        return condition(false, "UnsupportedValue", mistakes(route));
    }
    let without: Vec<(&str, String)> = ports.iter().filter_map(|port| displaced(index, route, service, port)).collect();
    let messages: Vec<&str> = without.iter().map(|(_, message)| message.as_str()).collect();
    let reason = without.first().filter(|_| without.len() == ports.len()).map(|(reason, _)| *reason);
    condition(reason.is_none(), reason.unwrap_or("Accepted"), messages.join("; "))
}

/// Why a route does not count at a port, if it does not.
fn displaced(index: &Index, route: &Route, service: &Service, port: &ServicePort) -> Option<(&'static str, String)> {
    let (number, kind) = (port.port, route.kind);
    if !kind.fits(port.protocol) {
        let message = format!("port {number} is declared to speak {}, which no {} is for", port.protocol.word(), kind.word());
        return Some(("UnsupportedValue", message));
    }
    let counting = index.routes_written_in(&route.key.namespace, service, port);
    if let Some(other) = counting.first().filter(|first| first.kind != kind) {
        return Some(("Conflicted", format!("port {number} is left to its {}s", other.kind.word())));
    }
    // Whole connections cannot be told apart.
    let oldest = counting.into_iter().min_by_key(|other| other.made).filter(|_| kind == RouteKind::Tcp)?;
    (oldest.key != route.key).then(|| ("Conflicted", format!("port {number} is left to the older TCPRoute {}", oldest.key)))
}

/// There only when it holds.
fn partially_invalid(route: &Route) -> Option<Condition> {
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

fn mistakes(route: &Route) -> String {
    route.rules.iter().flat_map(|rule| &rule.mistakes).map(String::as_str).collect::<Vec<_>>().join("; ")
}

fn references_resolved(index: &Index, route: &Route) -> Condition {
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

    fn told(route: &Route) -> Vec<(&'static str, bool, &'static str)> {
        let conditions = conditions(&shop(), route, &route.parents[0]);
        conditions.into_iter().map(|condition| (condition.kind, condition.holds, condition.reason)).collect()
    }

    const RESOLVED: (&str, bool, &str) = ("ResolvedRefs", true, "ResolvedRefs");
    const ACCEPTED: (&str, bool, &str) = ("Accepted", true, "Accepted");

    fn plain() -> Route {
        route("shop", "r", &key("cart"), &key("cart"))
    }

    #[test]
    fn a_route_is_accepted_by_a_parent_that_is_there() {
        assert_eq!(told(&plain()), [ACCEPTED, RESOLVED]);
        let other_port = Parent { port: Some(81), ..plain().parents.remove(0) };
        let nobody = Parent { service: key("gone"), ..other_port.clone() };
        for parent in [other_port, nobody] {
            let route = Route { parents: vec![parent], ..plain() };
            assert_eq!(told(&route), [("Accepted", false, "NoMatchingParent"), RESOLVED]);
        }
    }

    #[test]
    fn of_routes_of_two_kinds_one_counts_at_a_port() {
        let mut index = shop();
        let grpc = Route { kind: RouteKind::Grpc, ..plain() };
        index.apply(Object::Route(plain()));
        let accepted = |index: &Index, route: &Route| {
            let Condition { holds, reason, message, .. } = conditions(index, route, &route.parents[0]).remove(0);
            (holds, reason, message)
        };
        assert_eq!(accepted(&index, &plain()), (true, "Accepted", String::new()));
        index.apply(Object::Route(grpc.clone()));
        assert_eq!(accepted(&index, &grpc), (true, "Accepted", String::new()));
        assert_eq!(accepted(&index, &plain()), (false, "Conflicted", "port 80 is left to its GRPCRoutes".into()));
        let mut cart = service("cart", "10.96.0.5", Protocol::Http);
        cart.ports.push(ServicePort { name: "more".into(), port: 81, protocol: Protocol::Http });
        index.apply(Object::Service(cart));
        let one_port = Parent { port: Some(80), ..grpc.parents[0].clone() };
        index.apply(Object::Route(Route { parents: vec![one_port], ..grpc }));
        assert_eq!(accepted(&index, &plain()), (true, "Accepted", "port 80 is left to its GRPCRoutes".into()));
        let theirs = Route { key: key_in("other", "r"), ..plain() };
        assert_eq!(accepted(&index, &theirs), (true, "Accepted", String::new()), "a consumer's are not the producer's");
    }

    #[test]
    fn a_route_of_connections_needs_a_port_that_speaks_no_http_and_no_older_one() {
        let mut index = shop();
        let tcp = Route { kind: RouteKind::Tcp, ..plain() };
        index.apply(Object::Route(tcp.clone()));
        let accepted = |index: &Index, route: &Route| {
            let Condition { holds, reason, message, .. } = conditions(index, route, &route.parents[0]).remove(0);
            (holds, reason, message)
        };
        let why = "port 80 is declared to speak http, which no TCPRoute is for";
        assert_eq!(accepted(&index, &tcp), (false, "UnsupportedValue", why.into()));
        index.apply(Object::Service(service("cart", "10.96.0.5", Protocol::Tcp)));
        assert_eq!(accepted(&index, &tcp), (true, "Accepted", String::new()));
        let newer = Route { key: key("a"), made: 1, ..tcp };
        index.apply(Object::Route(newer.clone()));
        assert_eq!(accepted(&index, &newer), (false, "Conflicted", "port 80 is left to the older TCPRoute shop/r".into()));
        assert_eq!(accepted(&index, &plain()).1, "UnsupportedValue");
    }

    #[test]
    fn rules_that_mean_nothing_are_told_as_long_as_others_mean_something() {
        let all = || vec![Match::all()];
        let bad = Rule { mistakes: vec!["spec.rules[1]: odd".into()], ..rule(all(), Vec::new()) };
        let some = Route { rules: vec![rule(all(), vec![to(&key("cart"), 1)]), bad.clone()], ..plain() };
        assert_eq!(told(&some), [ACCEPTED, RESOLVED, ("PartiallyInvalid", true, "UnsupportedValue")]);
        let message = partially_invalid(&some).unwrap().message;
        assert_eq!(message, "Dropped Rule 2: spec.rules[1]: odd");
        let none = Route { rules: vec![bad], ..plain() };
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
            let route = Route { rules: vec![rule(vec![Match::all()], vec![backend])], ..plain() };
            assert_eq!(told(&route), [ACCEPTED, ("ResolvedRefs", false, reason)], "{named:?}");
        }
    }
}
