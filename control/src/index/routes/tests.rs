//! Which routes are a service's, and what a change of them touches.

use super::{super::Index, *};
use crate::index::{
    Edition, Kind, Object, Protocol,
    tests::{key, service},
};

pub(crate) fn key_in(namespace: &str, name: &str) -> Key {
    Key { namespace: namespace.into(), name: name.into() }
}

/// A route that takes every request to `parent` to a backend at port 80; both are services, as `namespace/name`.
pub(crate) fn route(namespace: &str, name: &str, parent: &Key, backend: &Key) -> Route {
    Route {
        kind: RouteKind::Http,
        key: key_in(namespace, name),
        made: 0,
        edition: Edition::default(),
        parents: vec![Parent { service: parent.clone(), port: None, port_name: None }],
        servers: Servers::All,
        rules: vec![rule(vec![Match::all()], vec![to(backend, 1)])],
    }
}

/// A rule for `matches` that takes requests to `backends`.
pub(crate) fn rule(matches: Vec<Match>, backends: Vec<Backend>) -> Rule {
    Rule {
        name: String::new(),
        matches,
        request: HeaderChanges::default(),
        response: HeaderChanges::default(),
        cors: None,
        action: Action::Forward(Forward { backends, ..Forward::default() }),
        mistakes: Vec::new(),
    }
}

/// Port 80 of `service`.
pub(crate) fn to(service: &Key, weight: u32) -> Backend {
    Backend {
        to: Reference::Service(service.clone(), Some(80)),
        weight,
        request: HeaderChanges::default(),
        response: HeaderChanges::default(),
    }
}

/// A grant in `namespace` of all its services to routes in `from`.
pub(crate) fn grant(namespace: &str, from: &str) -> Grant {
    Grant { key: key_in(namespace, "grant"), from: vec![(RouteKind::Http, from.into())], to: Vec::new(), to_all: true }
}

fn touched(names: &[&str]) -> Touched {
    names.iter().map(|name| Subject::Service(key(name))).collect()
}

#[test]
fn a_route_touches_its_parents_before_and_after() {
    let mut index = Index::default();
    let first = route("shop", "r", &key("cart"), &key("cart"));
    assert_eq!(index.apply(Object::Route(first.clone())), touched(&["cart"]));
    assert!(index.apply(Object::Route(first.clone())).is_empty());
    let moved = route("shop", "r", &key("till"), &key("cart"));
    assert_eq!(index.apply(Object::Route(moved)), touched(&["cart", "till"]));
    assert_eq!(index.delete(&(Kind::Route(RouteKind::Http), first.key)), touched(&["till"]));
}

#[test]
fn a_backend_is_seen_in_the_parents_of_routes_that_lead_to_it() {
    let mut index = Index::default();
    index.apply(Object::Route(route("shop", "r", &key("cart"), &key("cart-v2"))));
    let v2 = || Object::Service(service("cart-v2", "10.96.0.6", Protocol::Auto));
    assert!(index.apply(v2()).contains(&Subject::Service(key("cart"))));
    assert!(index.delete(&v2().identity()).contains(&Subject::Service(key("cart"))));
    assert!(!index.apply(Object::Service(service("till", "10.96.0.7", Protocol::Auto))).contains(&Subject::Service(key("cart"))));
}

#[test]
fn a_grant_is_seen_in_the_parents_of_routes_that_need_it() {
    let mut index = Index::default();
    let there = key_in("depot", "stock");
    index.apply(Object::Route(route("shop", "r", &key("cart"), &there)));
    assert!(index.apply(Object::ReferenceGrant(grant("depot", "other"))).is_empty());
    assert_eq!(index.apply(Object::ReferenceGrant(grant("depot", "shop"))), touched(&["cart"]));
    let narrower = Grant { to: vec!["stock".into()], to_all: false, ..grant("depot", "shop") };
    assert_eq!(index.apply(Object::ReferenceGrant(narrower.clone())), touched(&["cart"]));
    let found = index.routes().next().unwrap();
    assert!(index.may_name(found, &there) && !index.may_name(found, &key_in("depot", "safe")));
    assert_eq!(index.delete(&(Kind::ReferenceGrant, narrower.key)), touched(&["cart"]));
    assert!(!index.may_name(index.routes().next().unwrap(), &there));
}

#[test]
fn a_consumer_may_name_the_service_that_he_calls() {
    let index = Index::default();
    let route = route("other", "r", &key("cart"), &key("cart"));
    assert!(index.may_name(&route, &key("cart")) && !index.may_name(&route, &key("till")));
}

#[test]
fn a_route_is_for_the_ports_that_it_names() {
    let cart = service("cart", "10.96.0.5", Protocol::Auto);
    let named = |port: Option<u16>, port_name: Option<&str>| {
        let parent = Parent { service: key("cart"), port, port_name: port_name.map(str::to_owned) };
        parent.is(&cart, &ServicePort { name: "http".into(), port: 80, protocol: Protocol::Auto })
    };
    assert!(named(None, None) && named(Some(80), None) && named(Some(80), Some("http")));
    assert!(!named(Some(81), None) && !named(Some(80), Some("grpc")));
}

#[test]
fn a_consumers_routes_take_the_place_of_the_producers_for_him_alone() {
    let mut index = Index::default();
    let cart = service("cart", "10.96.0.5", Protocol::Auto);
    index.apply(Object::Route(route("shop", "ours", &key("cart"), &key("cart"))));
    index.apply(Object::Route(route("other", "theirs", &key("cart"), &key("cart"))));
    let names = |namespace: Option<&str>| -> Vec<&str> {
        index.routes_of(&cart, &cart.ports[0], namespace).iter().map(|route| route.key.name.as_str()).collect()
    };
    assert_eq!((names(Some("shop")), names(Some("third")), names(None)), (vec!["ours"], vec!["ours"], vec!["ours"]));
    assert_eq!(names(Some("other")), ["theirs"]);
    assert_eq!(index.consumers(&cart, &cart.ports[0]), ["other"].into());
}

#[test]
fn of_routes_of_several_kinds_the_most_particular_count() {
    let mut index = Index::default();
    let cart = service("cart", "10.96.0.5", Protocol::Auto);
    let http = route("shop", "r", &key("cart"), &key("cart"));
    let grpc = Route { kind: RouteKind::Grpc, ..http.clone() };
    index.apply(Object::Route(http.clone()));
    assert_eq!(index.apply(Object::Route(grpc.clone())), touched(&["cart"]), "one of another kind may have the same name");
    let theirs = Route { key: key_in("other", "r"), ..http };
    index.apply(Object::Route(theirs));
    let kinds = |index: &Index, namespace| -> Vec<RouteKind> {
        index.routes_of(&cart, &cart.ports[0], Some(namespace)).iter().map(|route| route.kind).collect()
    };
    assert_eq!((kinds(&index, "shop"), kinds(&index, "other")), (vec![RouteKind::Grpc], vec![RouteKind::Http]));
    index.delete(&(Kind::Route(RouteKind::Grpc), grpc.key));
    assert_eq!(kinds(&index, "shop"), [RouteKind::Http]);
}

#[test]
fn a_route_touches_the_addresses_of_its_parents() {
    let mut index = Index::default();
    index.apply(Object::Service(service("cart", "10.96.0.5", Protocol::Auto)));
    let expected: Touched = [Subject::Service(key("cart")), Subject::Address([10, 96, 0, 5].into())].into();
    let tcp = Route { kind: RouteKind::Tcp, ..route("shop", "r", &key("cart"), &key("cart-v2")) };
    assert_eq!(index.apply(Object::Route(tcp.clone())), expected);
    assert!(index.apply(Object::Service(service("cart-v2", "10.96.0.6", Protocol::Auto))).is_superset(&expected));
    assert_eq!(index.delete(&(Kind::Route(RouteKind::Tcp), tcp.key)), expected);
}

#[test]
fn routes_count_where_the_port_speaks_what_they_are_about() {
    let kinds = |protocol| {
        let cart = service("cart", "10.96.0.5", protocol);
        let mut index = Index::default();
        for kind in [RouteKind::Http, RouteKind::Tcp] {
            index.apply(Object::Route(Route { kind, ..route("shop", "r", &key("cart"), &key("cart")) }));
        }
        let kinds: Vec<RouteKind> = index.routes_of(&cart, &cart.ports[0], None).iter().map(|route| route.kind).collect();
        kinds
    };
    assert_eq!((kinds(Protocol::Auto), kinds(Protocol::Grpc)), (vec![RouteKind::Http], vec![RouteKind::Http]));
    assert_eq!((kinds(Protocol::Tcp), kinds(Protocol::Tls)), (vec![RouteKind::Tcp], vec![RouteKind::Tcp]));
}

#[test]
fn a_grant_is_for_a_kind_of_routes() {
    let mut index = Index::default();
    let there = key_in("depot", "stock");
    index.apply(Object::ReferenceGrant(grant("depot", "shop")));
    let http = route("shop", "r", &key("cart"), &there);
    assert!(index.may_name(&http, &there));
    assert!(!index.may_name(&Route { kind: RouteKind::Grpc, ..http }, &there));
}
