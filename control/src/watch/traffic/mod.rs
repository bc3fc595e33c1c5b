//! From traffic policies, as they are written, to the index's nouns: the same for each source.
//!
//! ```text
//! balancing  of Services: which endpoint, which are avoided, how much at once
//! tries      how long requests may take, and what is tried again
//! trials     what is done to requests for a trial, and how often may be asked
//! backend    what the Gateway API has for a part of it
//! reading    lengths of time, numbers and shares, and the mistakes in them
//! ```
//!
//! A section in which anything cannot be read counts for nothing: half of what was meant might be worse than none of it.

mod backend;
mod balancing;
mod reading;
mod trials;
mod tries;

use serde_json::{Map, Value};

pub(super) use self::backend::backend_policy;
use self::reading::Reading;
use super::mistake::Mistake;
use crate::{
    index::{
        Edition, Key,
        routes::RouteKind,
        traffic::{Attached, PolicyKind, Said, TrafficPolicy},
    },
    manifest::{
        routes,
        traffic::{TargetReference, TrafficPolicySpec},
    },
};

/// What `spec` says, and what in it means nothing.
pub(super) fn policy(key: Key, made: i64, spec: &TrafficPolicySpec) -> (TrafficPolicy, Vec<Mistake>) {
    let mut reading = Reading::default();
    let targets = targets(&mut reading, &key.namespace, &spec.target_refs);
    if !targets.iter().any(|target| matches!(target, Attached::Service(..))) {
        only_of_services(&mut reading, spec);
    }
    let balancing = spec.balancer.as_ref().and_then(|said| balancing::balancer(&mut reading, said)).unwrap_or_default();
    let said = Said {
        balancer: balancing.balancer,
        slow_start: balancing.slow_start,
        zones: balancing.zones,
        outliers: spec.outliers.as_ref().and_then(|said| balancing::outliers(&mut reading, said)),
        limits: spec.limits.as_ref().and_then(|said| balancing::limits(&mut reading, said)),
        retry_budget: spec.retry_budget.as_ref().and_then(|said| tries::budget(&mut reading, said)),
        timeouts: spec.timeouts.as_ref().map(|said| tries::timeouts(&mut reading, said)).unwrap_or_default(),
        retries: spec.retries.as_ref().and_then(|said| tries::retries(&mut reading, said)),
        hedging: spec.hedging.as_ref().and_then(|said| tries::hedging(&mut reading, said)),
        faults: spec.faults.as_ref().and_then(|said| trials::faults(&mut reading, said)),
        rate_limits: trials::rate_limits(&mut reading, &spec.rate_limits),
    };
    let mistakes = reading.mistakes;
    let told = mistakes.iter().map(told).collect();
    let (kind, edition) = (PolicyKind::Traffic, Edition::default());
    (TrafficPolicy { kind, key, made, edition, targets, said, mistakes: told }, mistakes)
}

/// What `spec` says, where some sections may be of a form that came after us: those count for nothing.
pub(super) fn policy_in_parts(key: Key, made: i64, spec: &Value) -> TrafficPolicy {
    let mut readable = Map::new();
    let mut unreadable = Vec::new();
    for (section, value) in spec.as_object().into_iter().flatten() {
        let alone = Map::from_iter([(section.clone(), value.clone())]);
        match serde_json::from_value::<TrafficPolicySpec>(Value::Object(alone)) {
            Ok(_) => drop(readable.insert(section.clone(), value.clone())),
            Err(error) => unreadable.push(format!("spec.{section}: {error}")),
        }
    }
    // Each section was read, and they have nothing to do with one another.
    let spec = serde_json::from_value(Value::Object(readable)).unwrap_or_default();
    let (mut policy, _) = self::policy(key, made, &spec);
    policy.mistakes.splice(0..0, unreadable);
    policy
}

fn told(Mistake { field, what }: &Mistake) -> String {
    format!("{field}: {what}")
}

fn targets(reading: &mut Reading, namespace: &str, said: &[TargetReference]) -> Vec<Attached> {
    if said.is_empty() {
        reading.wrong("spec.targetRefs", "names nothing: add the Services or routes that it is about");
    }
    let mut targets = Vec::new();
    for (number, TargetReference { group, kind, name, section_name }) in said.iter().enumerate() {
        let key = Key { namespace: namespace.to_owned(), name: name.clone() };
        let section = section_name.clone();
        let target = match (group.as_str(), kind.as_str()) {
            ("", "Service") => Attached::Service(key, section),
            (routes::GROUP, "HTTPRoute") => Attached::Route(RouteKind::Http, key, section),
            (routes::GROUP, "GRPCRoute") => Attached::Route(RouteKind::Grpc, key, section),
            (group, kind) => {
                let what = format!(
                    "`{kind}` of group `{group}` cannot be one: expected Service of group ``, HTTPRoute or GRPCRoute of `{}`",
                    routes::GROUP
                );
                reading.wrong(&format!("spec.targetRefs[{number}].kind"), what);
                continue;
            }
        };
        if !targets.contains(&target) {
            targets.push(target);
        }
    }
    targets
}

fn only_of_services(reading: &mut Reading, spec: &TrafficPolicySpec) {
    let said = [
        ("balancer", spec.balancer.is_some()),
        ("outliers", spec.outliers.is_some()),
        ("limits", spec.limits.is_some()),
        ("retryBudget", spec.retry_budget.is_some()),
    ];
    for (section, _) in said.into_iter().filter(|(_, is_said)| *is_said) {
        reading.wrong(&format!("spec.{section}"), "can be said of Services alone, and no target is one");
    }
}

#[cfg(test)]
mod tests;
