//! From a cluster of xDS and its endpoints to how work is shared among them.
//!
//! What others than our control say counts as well, with Envoy's defaults; what cannot be read is as if it had not been said.

use std::{sync::Arc, time::Duration};

use wire::{
    envoy::config::{
        cluster::v3::{CircuitBreakers, Cluster, OutlierDetection},
        route::v3::route_action::{HashPolicy, hash_policy::PolicySpecifier},
    },
    names,
};

use crate::{
    hashing::{Maglev, Ring, Table},
    snapshot::{Balancer, Balancing, Endpoint, FailureShare, KeyPart, Limits, Outliers, Queue},
};

/// What `described` says of the endpoints of these levels, the nearest first. None of them is leaving.
pub(super) fn balancing(described: &Cluster, levels: &[Vec<Arc<Endpoint>>]) -> Balancing {
    let milliseconds = |key| text(described, key)?.parse().ok().map(Duration::from_millis);
    Balancing {
        balancer: balancer(described, levels),
        levels: sizes(levels),
        slow_start: milliseconds(names::SLOW_START).filter(|time| !time.is_zero()),
        outliers: outliers(described).map(Arc::new),
        limits: described.circuit_breakers.as_ref().and_then(|breakers| limits(breakers, milliseconds(names::QUEUE))),
    }
}

fn text<'a>(described: &'a Cluster, key: &str) -> Option<&'a str> {
    names::metadata_text(described.metadata.as_ref(), key)
}

/// Nothing where there is only one.
fn sizes(levels: &[Vec<Arc<Endpoint>>]) -> Vec<usize> {
    if levels.len() > 1 { levels.iter().map(Vec::len).collect() } else { Vec::new() }
}

fn balancer(described: &Cluster, levels: &[Vec<Arc<Endpoint>>]) -> Balancer {
    match text(described, names::BALANCER) {
        Some("least-request") => Balancer::LeastRequest,
        Some("round-robin") => Balancer::RoundRobin,
        Some("random") => Balancer::Random,
        Some("ring-hash") => keyed(levels, |names| Table::Ring(Ring::of(names.iter().map(String::as_bytes)))),
        Some("maglev") => keyed(levels, |names| Table::Maglev(Maglev::of(names.iter().map(String::as_bytes)))),
        _ => Balancer::PeakEwma,
    }
}

/// A table for each level. One of nobody has nothing to tell, but has to be there.
fn keyed(levels: &[Vec<Arc<Endpoint>>], table: impl Fn(&[String]) -> Table) -> Balancer {
    let names = |level: &Vec<Arc<Endpoint>>| level.iter().map(|endpoint| endpoint.address.to_string()).collect::<Vec<_>>();
    Balancer::Keyed(levels.iter().map(|level| table(&names(level))).collect())
}

fn outliers(described: &Cluster) -> Option<Outliers> {
    let told: &OutlierDetection = described.outlier_detection.as_ref()?;
    let time = |told: Option<prost_types::Duration>, default| {
        told.and_then(|told| Duration::try_from(told).ok()).unwrap_or(Duration::from_secs(default))
    };
    let enforced = |percent: Option<u32>, default| percent.unwrap_or(default) > 0;
    let ejection = time(told.base_ejection_time, 30);
    let panic = described.common_lb_config.as_ref().and_then(|config| config.healthy_panic_threshold.as_ref());
    Some(Outliers {
        consecutive: told.consecutive_5xx.filter(|most| *most > 0 && enforced(told.enforcing_consecutive_5xx, 100)),
        failure_share: enforced(told.enforcing_failure_percentage, 0).then(|| FailureShare {
            percent: told.failure_percentage_threshold.unwrap_or(85),
            requests: told.failure_percentage_request_volume.unwrap_or(50),
        }),
        latency_factor: text(described, names::LATENCY_FACTOR)
            .and_then(|factor| factor.parse().ok())
            .filter(|factor| *factor > 1),
        interval: time(told.interval, 10),
        ejection,
        ejection_max: time(told.max_ejection_time, 300).max(ejection),
        ejected_max: told.max_ejection_percent.unwrap_or(10).min(100),
        panic: panic.map_or(0, |panic| (0..=100).rev().find(|whole| f64::from(*whole) <= panic.value).unwrap_or(0)),
    })
}

fn limits(breakers: &CircuitBreakers, time: Option<Duration>) -> Option<Limits> {
    let told = breakers.thresholds.first()?;
    let queue = told.max_pending_requests.zip(time).map(|(length, time)| Queue { length, time });
    let limits = Limits { connections: told.max_connections, requests: told.max_requests, queue };
    (limits != Limits { queue, ..Limits::default() }).then_some(limits)
}

/// What the key of requests is made of, when it is said; each part for those that have none of the parts before.
pub(super) fn key(policies: &[HashPolicy]) -> Option<Arc<[KeyPart]>> {
    let part = |policy: &HashPolicy| match policy.policy_specifier.as_ref()? {
        PolicySpecifier::Header(header) => header.header_name.parse().ok().map(KeyPart::Header),
        PolicySpecifier::Cookie(cookie) => {
            let time = cookie.ttl.and_then(|time| Duration::try_from(time).ok());
            Some(KeyPart::Cookie { name: cookie.name.as_str().into(), time })
        }
        PolicySpecifier::ConnectionProperties(_) => Some(KeyPart::Source),
    };
    let parts: Arc<[KeyPart]> = policies.iter().filter_map(part).collect();
    (!parts.is_empty()).then_some(parts)
}

#[cfg(test)]
mod tests {
    use wire::envoy::{
        config::{
            cluster::v3::{circuit_breakers::Thresholds, cluster::CommonLbConfig},
            route::v3::route_action::hash_policy::{Cookie, Header},
        },
        r#type::v3::Percent,
    };

    use super::*;

    fn said(texts: &[(&str, &str)]) -> Cluster {
        Cluster { metadata: Some(names::metadata(texts.iter().copied())), ..Cluster::default() }
    }

    fn endpoints(hosts: std::ops::Range<u8>) -> Vec<Arc<Endpoint>> {
        let endpoint = |host| Endpoint {
            address: ([10, 77, 0, host], 80).into(),
            identity: None,
            workload: "".into(),
            namespace: "".into(),
            draining: false,
        };
        hosts.map(endpoint).map(Arc::new).collect()
    }

    #[test]
    fn nothing_said_is_nothing_to_do() {
        let balancing = balancing(&Cluster::default(), &[endpoints(0..3)]);
        assert!(matches!(balancing.balancer, Balancer::PeakEwma) && balancing.levels.is_empty());
        assert!(balancing.slow_start.is_none() && balancing.outliers.is_none() && balancing.limits.is_none());
    }

    #[test]
    fn each_level_has_a_table_of_its_own() {
        let levels = [endpoints(0..3), endpoints(3..5)];
        for word in ["ring-hash", "maglev"] {
            let balancing = balancing(&said(&[(names::BALANCER, word), (names::SLOW_START, "30000")]), &levels);
            let Balancer::Keyed(tables) = &balancing.balancer else { panic!("{word} goes by a key") };
            let most = |table: &Table| table.order(7).max().unwrap();
            assert_eq!(tables.iter().map(most).collect::<Vec<_>>(), [2, 1], "{word}");
            assert_eq!(balancing.levels, [3, 2]);
            assert_eq!(balancing.slow_start, Some(Duration::from_secs(30)));
        }
    }

    #[test]
    fn outliers_are_who_control_says() {
        let seconds = |seconds| Some(prost_types::Duration { seconds, nanos: 0 });
        let mut told = said(&[(names::LATENCY_FACTOR, "5")]);
        told.outlier_detection = Some(OutlierDetection {
            consecutive_5xx: Some(5),
            enforcing_success_rate: Some(0),
            failure_percentage_threshold: Some(50),
            enforcing_failure_percentage: Some(100),
            failure_percentage_request_volume: Some(20),
            interval: seconds(-1),
            base_ejection_time: seconds(5),
            max_ejection_time: seconds(60),
            max_ejection_percent: Some(50),
            ..OutlierDetection::default()
        });
        told.common_lb_config = Some(CommonLbConfig { healthy_panic_threshold: Some(Percent { value: 30.0 }) });
        let expected = Outliers {
            consecutive: Some(5),
            failure_share: Some(FailureShare { percent: 50, requests: 20 }),
            latency_factor: Some(5),
            interval: Duration::from_secs(10),
            ejection: Duration::from_secs(5),
            ejection_max: Duration::from_secs(60),
            ejected_max: 50,
            panic: 30,
        };
        assert_eq!(outliers(&told), Some(expected));
    }

    #[test]
    fn a_key_is_made_of_what_can_be_read() {
        let policy = |specifier| HashPolicy { policy_specifier: specifier, terminal: true };
        let header = |name: &str| policy(Some(PolicySpecifier::Header(Header { header_name: name.into() })));
        let ttl = Some(prost_types::Duration { seconds: 60, nanos: 0 });
        let cookie = PolicySpecifier::Cookie(Cookie { name: "session".into(), ttl, path: String::new() });
        let cookie_part = KeyPart::Cookie { name: "session".into(), time: Some(Duration::from_secs(60)) };
        let expected = [KeyPart::Header("x-user".parse().unwrap()), cookie_part];
        let parts = key(&[policy(None), header("not a name"), header("x-user"), policy(Some(cookie))]);
        assert_eq!(parts.as_deref(), Some(&expected[..]));
        assert_eq!(key(&[]), None);
    }

    #[test]
    fn limits_are_those_of_requests_and_connections() {
        let limits = |thresholds, time| limits(&CircuitBreakers { thresholds: vec![thresholds] }, time);
        let thresholds = Thresholds { max_requests: Some(3), max_pending_requests: Some(9), ..Thresholds::default() };
        let second = Duration::from_secs(1);
        let queue = Some(Queue { length: 9, time: second });
        assert_eq!(limits(thresholds, Some(second)), Some(Limits { connections: None, requests: Some(3), queue }));
        assert_eq!(limits(thresholds, None).unwrap().queue, None);
        assert_eq!(limits(Thresholds::default(), Some(second)), None);
    }
}
