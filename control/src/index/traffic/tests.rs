//! Which policy counts, and what a change of one touches.

use std::time::Duration;

use super::*;
use crate::index::{
    Edition, Index, Kind, Object, Protocol, Subject, Touched,
    routes::{RouteKind, tests::route},
    tests::{endpoint, key, pod, service, slice},
};

/// A policy for `target` by which requests may take `seconds`.
pub(crate) fn policy(name: &str, target: Attached, seconds: u64) -> TrafficPolicy {
    let timeouts = Timeouts { request: Some(Duration::from_secs(seconds)), ..Timeouts::default() };
    let said = Said { timeouts, ..Said::default() };
    TrafficPolicy {
        kind: PolicyKind::Traffic,
        key: key(name),
        made: 1,
        edition: Edition::default(),
        targets: vec![target],
        said,
        mistakes: Vec::new(),
    }
}

fn of_service(port: Option<&str>) -> Attached {
    Attached::Service(key("cart"), port.map(str::to_owned))
}

fn of_route(rule: Option<&str>) -> Attached {
    Attached::Route(RouteKind::Http, key("r"), rule.map(str::to_owned))
}

fn web() -> Service {
    let mut web = service("cart", "10.96.0.5", Protocol::Http);
    web.ports[0].name = "http".into();
    web
}

pub(crate) fn limited(mut policy: TrafficPolicy) -> TrafficPolicy {
    policy.said.rate_limits =
        vec![RateLimit { name: String::new(), requests: 1, per: Duration::from_secs(1), burst: 1, by: By::All }];
    policy
}

#[test]
fn the_narrowest_that_says_something_counts() {
    let mut all = TrafficPolicies::default();
    let web = web();
    let seconds = |all: &TrafficPolicies, rule: &str| {
        let said = all.of_rule(&web, &web.ports[0], &(RouteKind::Http, key("r")), rule);
        said.timeouts.request.map(|time| time.as_secs())
    };
    assert_eq!(seconds(&all, "first"), None);
    for (name, target, value) in [
        ("a", of_service(None), 1),
        ("b", of_service(Some("http")), 2),
        ("c", of_route(None), 3),
        ("d", of_route(Some("first")), 4),
    ] {
        all.insert(policy(name, target, value));
        assert_eq!(seconds(&all, "first"), Some(value), "{name}");
    }
    assert_eq!(seconds(&all, "second"), Some(3));
    assert_eq!(all.of_service(&web, &web.ports[0]).timeouts.request, Some(Duration::from_secs(2)));
}

#[test]
fn what_the_narrow_one_does_not_say_the_wide_one_does() {
    let mut all = TrafficPolicies::default();
    let mut wide = policy("a", of_service(None), 1);
    wide.said.timeouts.idle = Some(Duration::from_secs(9));
    wide.said.zones = Some(Zones::Prefer);
    all.insert(wide);
    all.insert(policy("b", of_service(Some("http")), 2));
    let web = web();
    let said = all.of_service(&web, &web.ports[0]);
    assert_eq!((said.timeouts.request, said.timeouts.idle), (Some(Duration::from_secs(2)), Some(Duration::from_secs(9))));
    assert_eq!(said.zones, Some(Zones::Prefer));
}

#[test]
fn of_two_for_the_same_the_older_counts_whole_and_then_the_name() {
    let mut all = TrafficPolicies::default();
    let mut newer = policy("a", of_service(None), 1);
    newer.made = 2;
    newer.said.zones = Some(Zones::Prefer);
    all.insert(newer.clone());
    all.insert(policy("b", of_service(None), 2));
    all.insert(policy("c", of_service(None), 3));
    let web = web();
    let said = all.of_service(&web, &web.ports[0]);
    assert_eq!((said.timeouts.request, said.zones), (Some(Duration::from_secs(2)), None));
}

#[test]
fn what_ours_does_not_say_that_of_the_gateway_api_does() {
    let budget = |percent| Some(RetryBudget { percent, interval: Duration::from_secs(10), per_second: 1 });
    let mut theirs = policy("a", of_service(None), 1);
    theirs.kind = PolicyKind::Backend;
    theirs.said = Said { retry_budget: budget(5), ..Said::default() };
    let mut ours = policy("a", of_service(None), 2);
    let web = web();
    let mut all = TrafficPolicies::default();
    all.insert(theirs);
    all.insert(ours.clone());
    let said = all.of_service(&web, &web.ports[0]);
    assert_eq!((said.retry_budget, said.timeouts.request), (budget(5), Some(Duration::from_secs(2))));
    ours.said.retry_budget = budget(7);
    all.insert(ours);
    assert_eq!(all.of_service(&web, &web.ports[0]).retry_budget, budget(7));
}

#[test]
fn what_is_a_services_own_to_say_is_not_its_callers() {
    let mut all = TrafficPolicies::default();
    let mut of_both = limited(policy("a", of_service(None), 1));
    of_both.targets.push(of_route(None));
    of_both.said.zones = Some(Zones::Prefer);
    let web = web();
    let of_rule = |all: &TrafficPolicies| all.of_rule(&web, &web.ports[0], &(RouteKind::Http, key("r")), "");
    all.insert(limited(policy("a", of_service(None), 1)));
    assert!(of_rule(&all).rate_limits.is_empty());
    all.insert(TrafficPolicy { targets: vec![of_route(None)], ..of_both });
    let said = of_rule(&all);
    assert_eq!((said.rate_limits[0].name.as_str(), said.zones), ("shop/a 0 HTTPRoute shop/r", None));
}

#[test]
fn a_pod_is_asked_as_often_as_the_services_that_lead_to_it_say() {
    let mut index = Index::default();
    let of_pod = |index: &Index| -> Vec<(u16, String)> {
        let all = index.rate_limits_of(&pod("a", "10.77.0.5")).into_iter();
        all.flat_map(|(port, limits)| limits.into_iter().map(move |limit| (port, limit.name))).collect()
    };
    index.apply(Object::Service(service("cart", "10.96.0.5", Protocol::Http)));
    index.apply(Object::Slice(slice("cart", vec![endpoint("a", "10.77.0.5")])));
    assert_eq!(of_pod(&index), []);
    index.apply(Object::TrafficPolicy(Box::new(limited(policy("p", of_service(None), 1)))));
    assert_eq!(of_pod(&index), [(8080, String::from("shop/p 0 Service shop/cart"))]);
}

#[test]
fn a_pod_is_called_as_the_headless_services_that_lead_to_it_say() {
    let mut index = Index::default();
    let seconds = |index: &Index, port| {
        let said = index.traffic_of_pod(&pod("a", "10.77.0.5"), port);
        said.timeouts.request.map(|time| time.as_secs())
    };
    for name in ["cart", "pods", "more-pods"] {
        index.apply(Object::Slice(slice(name, vec![endpoint("a", "10.77.0.5")])));
    }
    index.apply(Object::Service(service("cart", "10.96.0.5", Protocol::Http)));
    index.apply(Object::TrafficPolicy(Box::new(policy("p", of_service(None), 1))));
    assert_eq!(seconds(&index, 8080), None, "it was not the service that was called");
    for (name, time) in [("pods", 2), ("more-pods", 3)] {
        index.apply(Object::Service(Service { addresses: Vec::new(), ..service(name, "10.96.0.6", Protocol::Http) }));
        let mut of_pods = limited(policy(name, Attached::Service(key(name), None), time));
        of_pods.said.zones = Some(Zones::Prefer);
        let touched = index.apply(Object::TrafficPolicy(Box::new(of_pods)));
        assert!(touched.contains(&Subject::Address("10.77.0.5".parse().unwrap())), "{touched:?}");
        assert_eq!(seconds(&index, 8080), Some(time), "of two the one whose name comes first");
    }
    let said = index.traffic_of_pod(&pod("a", "10.77.0.5"), 8080);
    assert_eq!((said.zones, said.rate_limits.len()), (None, 0), "nobody is beside it, and it keeps count itself");
    assert_eq!(seconds(&index, 9090), None, "no service leads to that port");
}

#[test]
fn a_policy_touches_the_services_whose_requests_it_is_about() {
    let mut index = Index::default();
    index.apply(Object::Route(route("shop", "r", &key("till"), &key("cart"))));
    let touched = |names: &[&str]| -> Touched { names.iter().map(|name| Subject::Service(key(name))).collect() };
    let apply = |index: &mut Index, policy: &TrafficPolicy| index.apply(Object::TrafficPolicy(Box::new(policy.clone())));
    let first = policy("a", of_service(None), 1);
    // A route that leads to a service says what the key of its requests is made of.
    assert_eq!(apply(&mut index, &first), touched(&["cart", "till"]));
    assert!(apply(&mut index, &first).is_empty());
    let moved = policy("a", of_route(None), 1);
    assert_eq!(apply(&mut index, &moved), touched(&["cart", "till"]), "that of the route's parent, and the one it was");
    index.delete(&(Kind::TrafficPolicy(PolicyKind::Traffic), key("a")));
    assert!(index.delete(&(Kind::TrafficPolicy(PolicyKind::Traffic), key("a"))).is_empty());
    index.apply(Object::Slice(slice("cart", vec![endpoint("a", "10.77.0.5")])));
    index.apply(Object::Pod(pod("a", "10.77.0.5")));
    let heard = apply(&mut index, &first);
    assert!(heard.contains(&Subject::Pod(key("a"))), "who is asked keeps count of it: {heard:?}");
    assert!(index.delete(&(Kind::TrafficPolicy(PolicyKind::Traffic), key("a"))).contains(&Subject::Pod(key("a"))));
}
