//! Where requests to services go, as far as somebody says it: `HTTPRoute`s, and the grants by which they may name services of
//! other namespaces.
//!
//! A route is attached to services, its parents. One of the service's own namespace is its producer's and for all callers; one
//! of another namespace is a consumer's, for the callers of that namespace alone, and takes the place of the producer's there.

mod nouns;

use std::collections::{BTreeMap, BTreeSet};

pub(crate) use nouns::{
    Action, Backend, Forward, Grant, HeaderChanges, HttpRoute, Match, Mirror, Parent, PathChange, PathMatch, Redirect, Reference,
    Rewrite, Rule, ValueMatch,
};

use super::{Key, Service, ServicePort, Subject, Touched, lookup::Lookup};

/// All there are.
#[derive(Debug, Default)]
pub(super) struct Routes {
    routes: BTreeMap<Key, HttpRoute>,
    grants: BTreeMap<Key, Grant>,
    by_parent: Lookup<Key>,
    by_backend: Lookup<Key>,
}

/// Taking in. What is returned are the services whose requests may go elsewhere now.
impl Routes {
    pub(super) fn get(&self, key: &Key) -> Option<&HttpRoute> {
        self.routes.get(key)
    }

    pub(super) fn grant(&self, key: &Key) -> Option<&Grant> {
        self.grants.get(key)
    }

    pub(super) fn insert(&mut self, route: HttpRoute) -> Touched {
        let mut touched = self.remove(&route.key);
        for parent in &route.parents {
            self.by_parent.insert(parent.service.clone(), &route.key);
        }
        for service in route.services() {
            self.by_backend.insert(service.clone(), &route.key);
        }
        touched.extend(parents(&route));
        self.routes.insert(route.key.clone(), route);
        touched
    }

    pub(super) fn remove(&mut self, key: &Key) -> Touched {
        let Some(route) = self.routes.remove(key) else { return Touched::new() };
        for parent in &route.parents {
            self.by_parent.remove(&parent.service, key);
        }
        for service in route.services() {
            self.by_backend.remove(service, key);
        }
        parents(&route).collect()
    }

    pub(super) fn insert_grant(&mut self, grant: Grant) -> Touched {
        let mut touched = self.remove_grant(&grant.key);
        touched.extend(self.seen_through_grant(&grant));
        self.grants.insert(grant.key.clone(), grant);
        touched
    }

    pub(super) fn remove_grant(&mut self, key: &Key) -> Touched {
        let Some(grant) = self.grants.remove(key) else { return Touched::new() };
        self.seen_through_grant(&grant)
    }

    /// A service is seen in the parents of the routes that lead to it.
    pub(super) fn seen_through_backend(&self, service: &Key) -> Touched {
        self.by_backend.owners(service).filter_map(|key| self.routes.get(key)).flat_map(parents).collect()
    }

    /// A grant is seen in the parents of the routes that name something it is about.
    fn seen_through_grant(&self, grant: &Grant) -> Touched {
        let named = |route: &&HttpRoute| route.services().any(|service| grant.lets(&route.key.namespace, service));
        self.routes.values().filter(named).flat_map(parents).collect()
    }
}

fn parents(route: &HttpRoute) -> impl Iterator<Item = Subject> {
    route.parents.iter().map(|parent| Subject::Service(parent.service.clone()))
}

/// Looking up.
impl Routes {
    pub(super) fn all(&self) -> impl Iterator<Item = &HttpRoute> {
        self.routes.values()
    }

    pub(super) fn len(&self) -> usize {
        self.routes.len()
    }

    /// Namespaces of consumers who have routes of their own to a port.
    pub(super) fn consumers(&self, service: &Service, port: &ServicePort) -> BTreeSet<&str> {
        let namespaces = self.attached(service, port).map(|route| route.key.namespace.as_str());
        namespaces.filter(|namespace| *namespace != service.key.namespace).collect()
    }

    /// The routes of requests to a port that come from `namespace`, in the order of their keys.
    pub(super) fn of(&self, service: &Service, port: &ServicePort, namespace: Option<&str>) -> Vec<&HttpRoute> {
        let by = |namespace: &str| -> Vec<&HttpRoute> {
            self.attached(service, port).filter(|route| route.key.namespace == namespace).collect()
        };
        let consumers = namespace.map(by).unwrap_or_default();
        if consumers.is_empty() { by(&service.key.namespace) } else { consumers }
    }

    fn attached<'a>(&'a self, service: &Service, port: &ServicePort) -> impl Iterator<Item = &'a HttpRoute> {
        let routes = self.by_parent.owners(&service.key).filter_map(|key| self.routes.get(key));
        routes.filter(|route| route.parents.iter().any(|parent| parent.is(service, port)))
    }

    /// Whether `route` may name `service`. Its parents it may: whoever it is for calls them anyway.
    pub(super) fn may_name(&self, route: &HttpRoute, service: &Key) -> bool {
        let namespace = route.key.namespace.as_str();
        namespace == service.namespace
            || route.parents.iter().any(|parent| parent.service == *service)
            || self.grants.values().any(|grant| grant.lets(namespace, service))
    }

    /// Whether there is nothing left.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.routes.is_empty() && self.grants.is_empty() && self.by_parent.is_empty() && self.by_backend.is_empty()
    }
}

#[cfg(test)]
pub(crate) mod tests;
