//! How requests to services are carried, as far as somebody says it: `TrafficPolicy`s, and what the Gateway API has for a part of it.
//!
//! A policy is attached to services or routes of its own namespace. Of several that are attached to the same, the older counts
//! whole, and of two as old the one whose name comes first. What is said of a rule counts more than what is said of its route,
//! that more than what is said of the port, and that more than what is said of the service.

#[allow(dead_code)]
mod nouns;

use std::collections::BTreeMap;

pub(crate) use nouns::{
    Abort, Attached, Backoff, Balancer, By, FailureShare, Faults, GrpcCode, HashOn, Hedging, Limits, Outliers, PolicyId,
    PolicyKind, Queue, RateLimit, Retries, RetryBudget, RetryOn, Said, Timeouts, TrafficPolicy, Zones,
};

use super::{Key, Service, ServicePort, routes::RouteId};

/// All there are.
#[derive(Debug, Default)]
pub(super) struct TrafficPolicies(BTreeMap<PolicyId, TrafficPolicy>);

impl TrafficPolicies {
    pub(super) fn get(&self, id: &PolicyId) -> Option<&TrafficPolicy> {
        self.0.get(id)
    }

    pub(super) fn insert(&mut self, new: TrafficPolicy) -> Option<TrafficPolicy> {
        self.0.insert(new.id(), new)
    }

    pub(super) fn remove(&mut self, id: &PolicyId) -> Option<TrafficPolicy> {
        self.0.remove(id)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &TrafficPolicy> {
        self.0.values()
    }

    /// How many there are of each kind.
    pub(super) fn sizes(&self) -> BTreeMap<PolicyKind, usize> {
        PolicyKind::ALL.map(|kind| (kind, self.0.keys().filter(|(known, _)| *known == kind).count())).into()
    }

    /// The one that counts of those of a kind that are attached to `target`.
    pub(super) fn at(&self, kind: PolicyKind, target: &Attached) -> Option<&TrafficPolicy> {
        let namespace = target.key().namespace.as_str();
        let first = (kind, Key { namespace: namespace.to_owned(), name: String::new() });
        let there = self.0.range(first..).take_while(|((known, key), _)| *known == kind && key.namespace == namespace);
        there
            .map(|(_, policy)| policy)
            .filter(|policy| policy.targets.contains(target))
            .min_by_key(|policy| (policy.made, &policy.key.name))
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

    /// What is said of calls to a single pod, at a port to which these of services lead: section by section, and of several services
    /// by the one whose name comes first. How often a pod may be asked it sees to itself.
    pub(super) fn of_pod<'a>(&self, ports: impl Iterator<Item = (&'a Service, &'a ServicePort)>) -> Said {
        let ports: BTreeMap<_, _> = ports.map(|(service, port)| ((&service.key, port.port), (service, port))).collect();
        let said = ports.into_values().map(|(service, port)| self.of_service(service, port));
        said.fold(Said::default(), Said::or).of_pods()
    }

    fn said(&self, target: Attached) -> Said {
        PolicyKind::ALL.map(|kind| self.said_by(kind, &target)).into_iter().fold(Said::default(), Said::or)
    }

    fn said_by(&self, kind: PolicyKind, target: &Attached) -> Said {
        let Some(policy) = self.at(kind, target) else { return Said::default() };
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
