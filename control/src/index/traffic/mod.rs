//! How requests to services are carried, as far as somebody says it: `TrafficPolicy`s.
//!
//! A policy is attached to services or routes of its own namespace. Of several that are attached to the same, the older counts
//! whole, and of two as old the one whose name comes first. What is said of a rule counts more than what is said of its route,
//! that more than what is said of the port, and that more than what is said of the service.

#[allow(dead_code)]
mod nouns;

use std::collections::BTreeMap;

pub(crate) use nouns::{
    Abort, Attached, Backoff, Balancer, By, FailureShare, Faults, GrpcCode, HashOn, Hedging, Limits, Outliers, Queue, RateLimit,
    Retries, RetryBudget, RetryOn, Said, Timeouts, TrafficPolicy, Zones,
};

use super::{Key, Service, ServicePort, routes::RouteId};

/// All there are.
#[derive(Debug, Default)]
pub(super) struct TrafficPolicies(BTreeMap<Key, TrafficPolicy>);

impl TrafficPolicies {
    pub(super) fn get(&self, key: &Key) -> Option<&TrafficPolicy> {
        self.0.get(key)
    }

    pub(super) fn insert(&mut self, new: TrafficPolicy) -> Option<TrafficPolicy> {
        self.0.insert(new.key.clone(), new)
    }

    pub(super) fn remove(&mut self, key: &Key) -> Option<TrafficPolicy> {
        self.0.remove(key)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &TrafficPolicy> {
        self.0.values()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The one that counts of those that are attached to `target`.
    pub(super) fn at(&self, target: &Attached) -> Option<&TrafficPolicy> {
        let namespace = target.key().namespace.as_str();
        let first = Key { namespace: namespace.to_owned(), name: String::new() };
        let there = self.0.range(first..).map(|(_, policy)| policy).take_while(|policy| policy.key.namespace == namespace);
        there.filter(|policy| policy.targets.contains(target)).min_by_key(|policy| (policy.made, &policy.key.name))
    }

    /// What is said of a service's port.
    pub(super) fn of_service(&self, service: &Service, port: &ServicePort) -> Said {
        let of_port = self.said(Attached::Service(service.key.clone(), Some(port.name.clone())));
        of_port.or(self.said(Attached::Service(service.key.clone(), None)))
    }

    /// What is said of a rule, by its name, of a route of a service's port. How often one may be asked is a service's own to say,
    /// and not its callers'.
    pub(super) fn of_rule(&self, service: &Service, port: &ServicePort, (kind, route): &RouteId, rule: &str) -> Said {
        let of_rule = self.said(Attached::Route(*kind, route.clone(), Some(rule.to_owned()))).of_routes();
        let of_route = self.said(Attached::Route(*kind, route.clone(), None)).of_routes();
        let of_service = Said { rate_limits: Vec::new(), ..self.of_service(service, port) };
        of_rule.or(of_route).or(of_service)
    }

    fn said(&self, target: Attached) -> Said {
        let Some(policy) = self.at(&target) else { return Said::default() };
        let mut said = policy.said.clone();
        for (number, limit) in said.rate_limits.iter_mut().enumerate() {
            limit.name = format!("{} {number} {target}", policy.key);
        }
        said
    }
}

impl Attached {
    /// Of the service or the route.
    pub(crate) fn key(&self) -> &Key {
        match self {
            Self::Service(key, _) | Self::Route(_, key, _) => key,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
