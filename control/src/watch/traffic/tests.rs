//! What is read, and what is told of what cannot be.

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::index::traffic::{
    Abort, Backoff, Balancer, By, FailureShare, Faults, GrpcCode, HashOn, Hedging, Limits, Outliers, Queue, RateLimit, Retries,
    RetryBudget, RetryOn, Timeouts, Zones,
};

fn key(name: &str) -> Key {
    Key { namespace: "shop".into(), name: name.into() }
}

fn cart() -> Value {
    json!([{ "group": "", "kind": "Service", "name": "cart" }])
}

/// What the sections of `spec` say of the Service `cart`.
fn read(spec: Value) -> (Said, Vec<String>) {
    let mut spec: TrafficPolicySpec = serde_json::from_value(spec).unwrap();
    spec.target_refs = serde_json::from_value(cart()).unwrap();
    let (policy, mistakes) = policy(key("a"), 1, &spec);
    assert_eq!(policy.mistakes.len(), mistakes.len());
    (policy.said, mistakes.into_iter().map(|mistake| mistake.field).collect())
}

fn said(spec: Value) -> Said {
    let (said, mistakes) = read(spec);
    assert!(mistakes.is_empty(), "{mistakes:?}");
    said
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn targets_are_services_and_routes_and_their_parts() {
    let route = |kind: &str, rule: Value| json!({ "group": routes::GROUP, "kind": kind, "name": "r", "sectionName": rule });
    let refs = json!([
        { "kind": "Service", "name": "cart", "sectionName": "http" }, route("HTTPRoute", json!("first")),
        route("GRPCRoute", Value::Null), route("GRPCRoute", Value::Null), { "kind": "Pod", "name": "p" }, route("TCPRoute", Value::Null),
    ]);
    let (policy, mistakes) = policy(key("a"), 1, &serde_json::from_value(json!({ "targetRefs": refs })).unwrap());
    assert_eq!(
        policy.targets,
        [
            Attached::Service(key("cart"), Some("http".into())),
            Attached::Route(RouteKind::Http, key("r"), Some("first".into())),
            Attached::Route(RouteKind::Grpc, key("r"), None),
        ]
    );
    let fields: Vec<&str> = mistakes.iter().map(|mistake| mistake.field.as_str()).collect();
    assert_eq!(fields, ["spec.targetRefs[4].kind", "spec.targetRefs[5].kind"]);
}

#[test]
fn a_policy_for_nothing_and_what_routes_cannot_have_are_told() {
    let fields = |spec: Value| -> Vec<String> {
        let (_, mistakes) = policy(key("a"), 1, &serde_json::from_value(spec).unwrap());
        mistakes.into_iter().map(|mistake| mistake.field).collect()
    };
    assert_eq!(fields(json!({})), ["spec.targetRefs"]);
    let route = json!([{ "group": routes::GROUP, "kind": "HTTPRoute", "name": "r" }]);
    let spec = json!({ "targetRefs": route, "balancer": {}, "limits": { "requests": 1 }, "timeouts": { "request": "1s" } });
    assert_eq!(fields(spec), ["spec.balancer", "spec.limits"]);
}

#[test]
fn balancing_is_read() {
    let hash_on = json!([{ "header": "X-User" }, { "cookie": { "name": "Session", "ttl": "1h" } }, { "source": true }]);
    let all = said(json!({ "balancer": { "type": "Maglev", "hashOn": hash_on, "slowStart": "30s", "zones": "Prefer" } }));
    let on = vec![
        HashOn::Header("x-user".into()),
        HashOn::Cookie { name: "Session".into(), ttl: Some(seconds(3600)) },
        HashOn::Source,
    ];
    assert_eq!((all.balancer, all.slow_start, all.zones), (Some(Balancer::Maglev(on)), Some(seconds(30)), Some(Zones::Prefer)));
    assert_eq!(said(json!({ "balancer": { "type": "RoundRobin" } })).balancer, Some(Balancer::RoundRobin));
    for (balancer, field) in [
        (json!({ "type": "Random", "hashOn": [{ "source": true }] }), "spec.balancer.hashOn"),
        (json!({ "type": "Maglev", "hashOn": [{ "header": "a b" }] }), "spec.balancer.hashOn[0].header"),
        (json!({ "type": "Maglev", "hashOn": [{ "cookie": { "name": "" } }] }), "spec.balancer.hashOn[0].cookie.name"),
        (json!({ "type": "Maglev", "hashOn": [{ "header": "a", "source": true }] }), "spec.balancer.hashOn[0]"),
        (json!({ "type": "Maglev", "slowStart": "0s" }), "spec.balancer.slowStart"),
    ] {
        let (said, mistakes) = read(json!({ "balancer": balancer }));
        assert_eq!((said, mistakes), (Said::default(), vec![field.to_owned()]));
    }
}

#[test]
fn outliers_and_limits_are_read() {
    let defaults = Outliers {
        consecutive: Some(5),
        failure_share: None,
        latency_factor: None,
        interval: seconds(10),
        ejection: seconds(5),
        ejection_max: seconds(60),
        ejected_max: 50,
        panic: 30,
    };
    assert_eq!(said(json!({ "outliers": {} })).outliers, Some(defaults.clone()));
    let outliers =
        json!({ "failureShare": { "percent": 50 }, "latency": { "factor": 5 }, "ejection": "2m", "panicThreshold": 0 });
    let expected = Outliers {
        consecutive: None,
        failure_share: Some(FailureShare { percent: 50, requests: 20 }),
        latency_factor: Some(5),
        ejection: seconds(120),
        ejection_max: seconds(120),
        panic: 0,
        ..defaults
    };
    assert_eq!(said(json!({ "outliers": outliers })).outliers, Some(expected));
    let limits = Limits { connections: None, requests: Some(10), queue: Some(Queue { length: 5, time: seconds(1) }) };
    assert_eq!(said(json!({ "limits": { "requests": 10, "queue": { "length": 5 } } })).limits, Some(limits));
    let wrong = json!({ "outliers": { "consecutiveFailures": 0, "ejectedMax": 101 }, "limits": { "queue": { "length": 5 } } });
    let expected = ["spec.outliers.consecutiveFailures", "spec.outliers.ejectedMax", "spec.limits.queue"];
    assert_eq!(read(wrong), (Said::default(), expected.map(str::to_owned).to_vec()));
}

#[test]
fn tries_are_read() {
    let spec = json!({
        "timeouts": { "request": "10s", "idle": "0s" }, "retryBudget": { "percent": 5 },
        "retries": { "retryOn": ["reset", "5xx"], "codes": [409], "grpc": ["unavailable"], "backoff": { "base": "20ms" }, "bodyMax": "64Ki" },
        "hedging": { "after": "100ms" },
    });
    let said_all = said(spec);
    assert_eq!(said_all.timeouts, Timeouts { request: Some(seconds(10)), attempt: None, idle: Some(Duration::ZERO) });
    assert_eq!(said_all.retry_budget, Some(RetryBudget { percent: 5, interval: seconds(10), per_second: 10 }));
    let backoff = Backoff { base: Duration::from_millis(20), max: Duration::from_millis(200) };
    let retries = Retries {
        attempts: 2,
        on: vec![RetryOn::Reset, RetryOn::FiveHundreds],
        codes: vec![409],
        grpc: vec![GrpcCode::Unavailable],
        backoff: Some(backoff),
        body_max: Some(65_536),
    };
    assert_eq!(said_all.retries, Some(retries));
    assert_eq!(said_all.hedging, Some(Hedging { after: Duration::from_millis(100), attempts: 1 }));
    let usual = said(json!({ "retries": {} })).retries.unwrap();
    assert_eq!(usual.on, [RetryOn::ConnectFailure, RetryOn::RefusedStream]);
    let wrong = json!({
        "timeouts": { "request": "soon", "attempt": "1s" },
        "retries": { "attempts": 11, "retryOn": ["?", "reset", "!"], "codes": [200], "grpc": ["not-found"],
            "backoff": { "base": "2s", "max": "1s" }, "bodyMax": "1Gi" },
    });
    let (left, mistakes) = read(wrong);
    assert_eq!((left.retries, left.timeouts.attempt), (None, Some(seconds(1))));
    let expected = [
        "timeouts.request",
        "retries.attempts",
        "retries.retryOn[0]",
        "retries.retryOn[2]",
        "retries.codes[0]",
        "retries.grpc[0]",
    ];
    let expected = expected.into_iter().chain(["retries.backoff.max", "retries.bodyMax"]);
    assert_eq!(mistakes, expected.map(|field| format!("spec.{field}")).collect::<Vec<_>>());
}

#[test]
fn faults_and_rates_are_read() {
    let faults = json!({ "delay": { "time": "1s", "percent": 0.5 }, "abort": { "grpc": "data-loss" } });
    let limits = json!([{ "requests": 100, "burst": 20, "by": "Client" }, { "requests": 5, "per": "1m" }]);
    let all = said(json!({ "faults": faults, "rateLimits": limits }));
    let expected = Faults { delay: Some((seconds(1), 5_000)), abort: Some((Abort::Grpc(GrpcCode::DataLoss), 1_000_000)) };
    assert_eq!(all.faults, Some(expected));
    assert_eq!(GrpcCode::DataLoss.number(), 15);
    let by_client = RateLimit { name: String::new(), requests: 100, per: seconds(1), burst: 20, by: By::Client };
    let together = RateLimit { name: String::new(), requests: 5, per: seconds(60), burst: 5, by: By::All };
    assert_eq!(all.rate_limits, [by_client, together]);
    let wrong = json!({
        "faults": { "delay": { "time": "1s", "percent": 101 }, "abort": { "status": 503, "grpc": "unavailable" } },
        "rateLimits": [{ "requests": 0 }, { "requests": 1, "per": "48h" }, { "requests": 1 }],
    });
    let (left, mistakes) = read(wrong);
    assert_eq!((left.faults, left.rate_limits.len()), (None, 1));
    let expected = ["faults.delay.percent", "faults.abort", "rateLimits[0].requests", "rateLimits[1].per"];
    assert_eq!(mistakes, expected.map(|field| format!("spec.{field}")));
}

#[test]
fn a_section_of_a_form_that_came_after_us_counts_for_nothing_and_the_others_do() {
    let spec = json!({
        "targetRefs": cart(), "hedging": { "after": "1s" }, "retries": { "wisely": true }, "timeouts": { "request": "x" }, "new": 1,
    });
    let policy = policy_in_parts(key("a"), 1, &spec);
    assert_eq!((policy.targets.len(), policy.said.hedging.is_some(), policy.said.retries), (1, true, None));
    assert_eq!(policy.mistakes.len(), 3, "{:?}", policy.mistakes);
    assert_eq!(policy_in_parts(key("a"), 1, &json!(3)).targets, []);
}
