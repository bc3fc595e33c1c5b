//! How the endpoints of a service share its work: in xDS's words what Envoy knows, and in ours the rest.

use std::time::Duration;

use wire::{
    envoy::{
        config::{
            cluster::v3::{
                CircuitBreakers, Cluster, OutlierDetection,
                circuit_breakers::{Thresholds, thresholds},
                cluster::{CommonLbConfig, LbPolicy},
            },
            route::v3::route_action::{
                HashPolicy,
                hash_policy::{ConnectionProperties, Cookie, Header, PolicySpecifier},
            },
        },
        r#type::v3::Percent,
    },
    names,
};

use super::shape::duration;
use crate::index::traffic::{Balancer, HashOn, Limits, Outliers, RetryBudget, Said};

/// Everybody who did what puts an endpoint out is.
const ALWAYS: Option<u32> = Some(100);

/// And nobody is put out for it.
const NEVER: Option<u32> = Some(0);

/// `cluster`, with what is said of it.
pub(super) fn with(mut cluster: Cluster, said: &Said) -> Cluster {
    let metadata = cluster.metadata.get_or_insert_default();
    for (key, text) in texts(said) {
        names::add_text(metadata, key, &text);
    }
    if let Some(Balancer::RingHash(_) | Balancer::Maglev(_)) = said.balancer {
        cluster.lb_policy = LbPolicy::RingHash.into();
    }
    if let Some(outliers) = &said.outliers {
        cluster.outlier_detection = Some(detection(outliers));
        let healthy_panic_threshold = Some(percent(outliers.panic));
        cluster.common_lb_config = Some(CommonLbConfig { healthy_panic_threshold });
    }
    cluster.circuit_breakers = breakers(said.limits.as_ref(), said.retry_budget.as_ref());
    cluster
}

/// What Envoy has no words for, or none that all who speak xDS know.
fn texts(said: &Said) -> Vec<(&'static str, String)> {
    let milliseconds = |time: Duration| time.as_millis().to_string();
    let queue = said.limits.as_ref().and_then(|limits| limits.queue.as_ref());
    let factor = said.outliers.as_ref().and_then(|outliers| outliers.latency_factor);
    let budget =
        |RetryBudget { percent, interval, per_second }: &RetryBudget| format!("{percent}/{}/{per_second}", interval.as_millis());
    let texts = [
        (names::BALANCER, said.balancer.as_ref().map(|balancer| word(balancer).to_owned())),
        (names::SLOW_START, said.slow_start.map(milliseconds)),
        (names::LATENCY_FACTOR, factor.map(|factor| factor.to_string())),
        (names::QUEUE, queue.map(|queue| milliseconds(queue.time))),
        (names::RETRY_BUDGET, said.retry_budget.as_ref().map(budget)),
    ];
    texts.into_iter().filter_map(|(key, text)| Some((key, text?))).collect()
}

fn word(balancer: &Balancer) -> &'static str {
    match balancer {
        Balancer::PeakEwma => "peak-ewma",
        Balancer::LeastRequest => "least-request",
        Balancer::RoundRobin => "round-robin",
        Balancer::Random => "random",
        Balancer::RingHash(_) => "ring-hash",
        Balancer::Maglev(_) => "maglev",
    }
}

fn detection(outliers: &Outliers) -> OutlierDetection {
    let Outliers { consecutive, failure_share, interval, ejection, ejection_max, ejected_max, .. } = outliers;
    OutlierDetection {
        consecutive_5xx: *consecutive,
        enforcing_consecutive_5xx: if consecutive.is_some() { ALWAYS } else { NEVER },
        enforcing_success_rate: NEVER,
        failure_percentage_threshold: failure_share.map(|share| share.percent),
        failure_percentage_request_volume: failure_share.map(|share| share.requests),
        // Whoever fails is put out, however few there are beside it.
        failure_percentage_minimum_hosts: failure_share.map(|_| 1),
        enforcing_failure_percentage: if failure_share.is_some() { ALWAYS } else { NEVER },
        interval: duration(*interval),
        base_ejection_time: duration(*ejection),
        max_ejection_time: duration(*ejection_max),
        max_ejection_percent: Some(*ejected_max),
        always_eject_one_host: Some(true),
    }
}

fn breakers(limits: Option<&Limits>, budget: Option<&RetryBudget>) -> Option<CircuitBreakers> {
    if limits.is_none() && budget.is_none() {
        return None;
    }
    let retry_budget = budget.map(|budget| thresholds::RetryBudget {
        budget_percent: Some(percent(budget.percent)),
        min_retry_concurrency: Some(budget.per_second),
        budget_interval: duration(budget.interval),
    });
    let thresholds = Thresholds {
        max_connections: limits.and_then(|limits| limits.connections),
        max_requests: limits.and_then(|limits| limits.requests),
        max_pending_requests: limits.and_then(|limits| limits.queue.as_ref()).map(|queue| queue.length),
        retry_budget,
    };
    Some(CircuitBreakers { thresholds: vec![thresholds] })
}

/// What a request's key is made of, where one decides on its endpoint: each part for those that have none of the parts before.
pub(super) fn hash_policy(said: &Said) -> Vec<HashPolicy> {
    let parts = match &said.balancer {
        Some(Balancer::RingHash(parts) | Balancer::Maglev(parts)) => parts,
        _ => return Vec::new(),
    };
    let source = (!parts.contains(&HashOn::Source)).then_some(&HashOn::Source);
    parts.iter().chain(source).map(|part| HashPolicy { policy_specifier: Some(specifier(part)), terminal: true }).collect()
}

fn specifier(part: &HashOn) -> PolicySpecifier {
    match part {
        HashOn::Header(name) => PolicySpecifier::Header(Header { header_name: name.clone() }),
        HashOn::Cookie { name, ttl } => {
            // A path is said where a cookie is made, or Envoy's is for the path that was asked for.
            let path = ttl.map_or_else(String::new, |_| String::from("/"));
            PolicySpecifier::Cookie(Cookie { name: name.clone(), ttl: ttl.and_then(duration), path })
        }
        HashOn::Source => PolicySpecifier::ConnectionProperties(ConnectionProperties { source_ip: true }),
    }
}

fn percent(whole: u32) -> Percent {
    Percent { value: f64::from(whole) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::traffic::{FailureShare, Queue};

    fn told(cluster: &Cluster, key: &str) -> Option<String> {
        names::metadata_text(cluster.metadata.as_ref(), key).map(str::to_owned)
    }

    #[test]
    fn what_is_not_said_is_not_told() {
        let cluster = with(Cluster::default(), &Said::default());
        assert_eq!(cluster, Cluster { metadata: cluster.metadata.clone(), ..Cluster::default() });
        assert_eq!(told(&cluster, names::BALANCER), None);
        assert!(hash_policy(&Said::default()).is_empty());
    }

    #[test]
    fn who_speaks_xds_knows_every_policy_and_our_own_word_says_which() {
        for (balancer, policy, word) in [
            (Balancer::PeakEwma, LbPolicy::RoundRobin, "peak-ewma"),
            (Balancer::LeastRequest, LbPolicy::RoundRobin, "least-request"),
            (Balancer::RoundRobin, LbPolicy::RoundRobin, "round-robin"),
            (Balancer::Random, LbPolicy::RoundRobin, "random"),
            (Balancer::RingHash(Vec::new()), LbPolicy::RingHash, "ring-hash"),
            (Balancer::Maglev(Vec::new()), LbPolicy::RingHash, "maglev"),
        ] {
            let cluster = with(Cluster::default(), &Said { balancer: Some(balancer), ..Said::default() });
            assert_eq!((cluster.lb_policy(), told(&cluster, names::BALANCER).as_deref()), (policy, Some(word)));
        }
    }

    #[test]
    fn outliers_are_told_in_envoys_words() {
        let seconds = Duration::from_secs;
        let outliers = Outliers {
            consecutive: None,
            failure_share: Some(FailureShare { percent: 50, requests: 20 }),
            latency_factor: Some(5),
            interval: seconds(10),
            ejection: seconds(5),
            ejection_max: seconds(60),
            ejected_max: 40,
            panic: 30,
        };
        let cluster = with(Cluster::default(), &Said { outliers: Some(outliers), ..Said::default() });
        let detection = cluster.outlier_detection.as_ref().unwrap();
        assert_eq!((detection.enforcing_consecutive_5xx, detection.enforcing_success_rate), (NEVER, NEVER));
        assert_eq!((detection.enforcing_failure_percentage, detection.failure_percentage_threshold), (ALWAYS, Some(50)));
        assert_eq!((detection.max_ejection_percent, detection.max_ejection_time), (Some(40), duration(seconds(60))));
        let panic = cluster.common_lb_config.as_ref().and_then(|config| config.healthy_panic_threshold);
        assert_eq!(panic, Some(percent(30)));
        assert_eq!(told(&cluster, names::LATENCY_FACTOR).as_deref(), Some("5"));
    }

    #[test]
    fn limits_and_the_budget_are_circuit_breakers() {
        let limits =
            Limits { connections: Some(1), requests: Some(2), queue: Some(Queue { length: 3, time: Duration::from_secs(1) }) };
        let budget = RetryBudget { percent: 20, interval: Duration::from_secs(10), per_second: 5 };
        let said = Said {
            limits: Some(limits),
            retry_budget: Some(budget),
            slow_start: Some(Duration::from_secs(30)),
            ..Said::default()
        };
        let cluster = with(Cluster::default(), &said);
        let thresholds = &cluster.circuit_breakers.as_ref().unwrap().thresholds[0];
        assert_eq!(
            (thresholds.max_connections, thresholds.max_requests, thresholds.max_pending_requests),
            (Some(1), Some(2), Some(3))
        );
        assert_eq!(thresholds.retry_budget.as_ref().unwrap().min_retry_concurrency, Some(5));
        let texts = [names::QUEUE, names::RETRY_BUDGET, names::SLOW_START].map(|key| told(&cluster, key).unwrap());
        assert_eq!(texts, ["1000", "20/10000/5", "30000"]);
    }

    #[test]
    fn a_key_is_made_of_the_source_when_nothing_else_is_there() {
        let header = HashOn::Header("x-user".into());
        let cookie = HashOn::Cookie { name: "session".into(), ttl: Some(Duration::from_secs(60)) };
        let of = |parts: Vec<HashOn>| hash_policy(&Said { balancer: Some(Balancer::Maglev(parts)), ..Said::default() });
        let made = of(vec![header.clone(), cookie]);
        assert!(made.iter().all(|policy| policy.terminal));
        let Some(PolicySpecifier::Cookie(cookie)) = &made[1].policy_specifier else { panic!("{made:?}") };
        assert_eq!((cookie.ttl, cookie.path.as_str()), (duration(Duration::from_secs(60)), "/"));
        assert_eq!(made.len(), 3);
        assert_eq!(of(vec![header, HashOn::Source]).len(), 2);
    }
}
