//! What can be said of Services alone: which endpoint a request goes to, which are avoided, how much is asked at once.

use std::time::Duration;

use http::HeaderName;

use super::reading::Reading;
use crate::{
    index::traffic::{Balancer, FailureShare, HashOn, Limits, Outliers, Queue, Zones},
    manifest::traffic::{self, BalancerKind},
};

/// What is meant where nothing is said.
const CONSECUTIVE: u32 = 5;
const SHARE_REQUESTS: u32 = 20;
const INTERVAL: Duration = Duration::from_secs(10);
const EJECTION: Duration = Duration::from_secs(5);
const EJECTION_MAX: Duration = Duration::from_secs(60);
const EJECTED_MAX: u32 = 50;
const PANIC: u32 = 30;
const QUEUE_TIME: Duration = Duration::from_secs(1);

/// What the section `balancer` says.
#[derive(Default)]
pub(super) struct Balancing {
    pub(super) balancer: Option<Balancer>,
    pub(super) slow_start: Option<Duration>,
    pub(super) zones: Option<Zones>,
}

pub(super) fn balancer(reading: &mut Reading, said: &traffic::Balancer) -> Option<Balancing> {
    let field = "spec.balancer";
    let hash_on = hash_on(reading, &said.hash_on);
    let hashes = matches!(said.kind, Some(BalancerKind::RingHash | BalancerKind::Maglev));
    if !said.hash_on.is_empty() && !hashes {
        reading.wrong(&format!("{field}.hashOn"), "is of the types RingHash and Maglev");
        return None;
    }
    let slow_start = said.slow_start.as_deref().map(|text| reading.span(&format!("{field}.slowStart"), text));
    let hash_on = hash_on?;
    let balancer = said.kind.map(|kind| match kind {
        BalancerKind::PeakEwma => Balancer::PeakEwma,
        BalancerKind::LeastRequest => Balancer::LeastRequest,
        BalancerKind::RoundRobin => Balancer::RoundRobin,
        BalancerKind::Random => Balancer::Random,
        BalancerKind::RingHash => Balancer::RingHash(hash_on),
        BalancerKind::Maglev => Balancer::Maglev(hash_on),
    });
    let zones = said.zones.map(|zones| match zones {
        traffic::Zones::Prefer => Zones::Prefer,
        traffic::Zones::Ignore => Zones::Ignore,
    });
    Some(Balancing { balancer, slow_start: slow_start.map_or(Some(None), |time| time.map(Some))?, zones })
}

fn hash_on(reading: &mut Reading, said: &[traffic::HashOn]) -> Option<Vec<HashOn>> {
    let each = said.iter().enumerate();
    let read: Vec<_> = each.map(|(number, said)| one_hash(reading, &format!("spec.balancer.hashOn[{number}]"), said)).collect();
    read.into_iter().collect()
}

fn one_hash(reading: &mut Reading, field: &str, said: &traffic::HashOn) -> Option<HashOn> {
    match (&said.header, &said.cookie, said.source) {
        (Some(name), None, None) => match HeaderName::from_bytes(name.as_bytes()) {
            Ok(name) => Some(HashOn::Header(name.as_str().to_owned())),
            Err(_) => {
                reading.wrong(&format!("{field}.header"), format!("`{name}` is not the name of a header field"));
                None
            }
        },
        (None, Some(cookie), None) => cookie_hash(reading, &format!("{field}.cookie"), cookie),
        (None, None, Some(true)) => Some(HashOn::Source),
        _ => {
            reading.wrong(field, "is one of header, cookie, and source: true");
            None
        }
    }
}

fn cookie_hash(reading: &mut Reading, field: &str, traffic::Cookie { name, ttl }: &traffic::Cookie) -> Option<HashOn> {
    // Both are tokens. Source: section 4.1.1 of RFC 6265.
    let is_name = HeaderName::from_bytes(name.as_bytes()).is_ok();
    if !is_name {
        reading.wrong(&format!("{field}.name"), format!("`{name}` is not the name of a cookie"));
    }
    let ttl = ttl.as_deref().map(|ttl| reading.time(&format!("{field}.ttl"), ttl));
    let ttl = ttl.map_or(Some(None), |ttl| ttl.map(Some))?;
    is_name.then(|| HashOn::Cookie { name: name.clone(), ttl })
}

pub(super) fn outliers(reading: &mut Reading, said: &traffic::Outliers) -> Option<Outliers> {
    let field = |name: &str| format!("spec.outliers.{name}");
    let consecutive = reading.number_if(&field("consecutiveFailures"), said.consecutive_failures, 1..=1_000);
    let failure_share = said.failure_share.map(|share| {
        let percent = reading.number(&field("failureShare.percent"), share.percent, 1..=100);
        let requests = share.requests.unwrap_or(SHARE_REQUESTS);
        let requests = reading.number(&field("failureShare.requests"), requests, 1..=1_000_000);
        Some(FailureShare { percent: percent?, requests: requests? })
    });
    let factor = reading.number_if(&field("latency.factor"), said.latency.map(|latency| latency.factor), 2..=1_000);
    let interval = reading.span_or(&field("interval"), said.interval.as_deref(), INTERVAL);
    let ejection = reading.span_or(&field("ejection"), said.ejection.as_deref(), EJECTION);
    let ejection_max = reading.span_or(&field("ejectionMax"), said.ejection_max.as_deref(), EJECTION_MAX);
    let ejected_max = reading.percent(&field("ejectedMax"), said.ejected_max.unwrap_or(EJECTED_MAX));
    let panic = reading.percent(&field("panicThreshold"), said.panic_threshold.unwrap_or(PANIC));
    let failure_share = failure_share.map_or(Some(None), |share| share.map(Some))?;
    let (consecutive, latency_factor, ejection) = (consecutive?, factor?, ejection?);
    let says_when = consecutive.is_some() || failure_share.is_some() || latency_factor.is_some();
    Some(Outliers {
        consecutive: if says_when { consecutive } else { Some(CONSECUTIVE) },
        failure_share,
        latency_factor,
        interval: interval?,
        ejection,
        ejection_max: ejection_max?.max(ejection),
        ejected_max: ejected_max?,
        panic: panic?,
    })
}

pub(super) fn limits(reading: &mut Reading, said: &traffic::Limits) -> Option<Limits> {
    let most = 1..=1_000_000;
    let connections = reading.number_if("spec.limits.connections", said.connections, most.clone());
    let requests = reading.number_if("spec.limits.requests", said.requests, most.clone());
    let queue = said.queue.as_ref().map(|queue| {
        let length = reading.number("spec.limits.queue.length", queue.length, most);
        let time = reading.span_or("spec.limits.queue.time", queue.time.as_deref(), QUEUE_TIME);
        Some(Queue { length: length?, time: time? })
    });
    if said.queue.is_some() && said.connections.is_none() && said.requests.is_none() {
        reading.wrong("spec.limits.queue", "nothing waits without a limit of connections or requests");
        return None;
    }
    let queue = queue.map_or(Some(None), |queue| queue.map(Some))?;
    Some(Limits { connections: connections?, requests: requests?, queue })
}
