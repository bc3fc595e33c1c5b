//! Where what services are asked goes, as far as somebody says it: routes, and the grants by which they may name services of
//! other namespaces.
//!
//! A route is attached to services, its parents. One of the service's own namespace is its producer's and for all callers; one
//! of another namespace is a consumer's, for the callers of that namespace alone, and takes the place of the producer's there.
//! Of those that are left at one port, routes of one kind count, as far as the port can speak what they are about: see [`RouteKind`].

mod nouns;

use std::collections::{BTreeMap, BTreeSet};

pub(crate) use nouns::{
    Action, Backend, CallMatch, Cors, Forward, Grant, HeaderChanges, Match, Mirror, Parent, PathChange, PathMatch, Redirect,
    Reference, Retry, Rewrite, Route, RouteId, RouteKind, Rule, Servers, Session, ToldBy, ValueMatch,
};

use super::{Key, Service, ServicePort, Subject, Touched, lookup::Lookup};

/// All there are.
#[derive(Debug, Default)]
pub(super) struct Routes {
    routes: BTreeMap<RouteId, Route>,
    grants: BTreeMap<Key, Grant>,
    by_parent: Lookup<Key, RouteId>,
    by_backend: Lookup<Key, RouteId>,
}

/// Taking in. What is returned are the services whose requests may go elsewhere now.
impl Routes {
    pub(super) fn get(&self, id: &RouteId) -> Option<&Route> {
        self.routes.get(id)
    }

    pub(super) fn grant(&self, key: &Key) -> Option<&Grant> {
        self.grants.get(key)
    }

    pub(super) fn insert(&mut self, route: Route) -> Touched {
        let id = route.id();
        let mut touched = self.remove(&id);
        for parent in &route.parents {
            self.by_parent.insert(parent.service.clone(), &id);
        }
        for service in route.services() {
            self.by_backend.insert(service.clone(), &id);
        }
        touched.extend(parents(&route));
        self.routes.insert(id, route);
        touched
    }

    pub(super) fn remove(&mut self, id: &RouteId) -> Touched {
        let Some(route) = self.routes.remove(id) else { return Touched::new() };
        for parent in &route.parents {
            self.by_parent.remove(&parent.service, id);
        }
        for service in route.services() {
            self.by_backend.remove(service, id);
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
        self.by_backend.owners(service).filter_map(|id| self.routes.get(id)).flat_map(parents).collect()
    }

    /// What is said of a route is seen in its parents.
    pub(super) fn seen_through_policy(&self, id: &RouteId) -> Touched {
        self.get(id).into_iter().flat_map(parents).collect()
    }

    /// A grant is seen in the parents of the routes that name something it is about.
    fn seen_through_grant(&self, grant: &Grant) -> Touched {
        let named = |route: &&Route| route.services().any(|service| grant.lets(route, service));
        self.routes.values().filter(named).flat_map(parents).collect()
    }
}

fn parents(route: &Route) -> impl Iterator<Item = Subject> {
    route.parents.iter().map(|parent| Subject::Service(parent.service.clone()))
}

/// Looking up.
impl Routes {
    pub(super) fn all(&self) -> impl Iterator<Item = &Route> {
        self.routes.values()
    }

    /// How many there are of each kind.
    pub(super) fn sizes(&self) -> BTreeMap<RouteKind, usize> {
        RouteKind::ALL.map(|kind| (kind, self.routes.keys().filter(|(known, _)| *known == kind).count())).into()
    }

    /// Namespaces of consumers who have routes of their own to a port.
    pub(super) fn consumers(&self, service: &Service, port: &ServicePort) -> BTreeSet<&str> {
        let namespaces = self.fitting(service, port).map(|route| route.key.namespace.as_str());
        namespaces.filter(|namespace| *namespace != service.key.namespace).collect()
    }

    /// The routes of what is asked of a port from `namespace`: all of one kind, in the order of their keys.
    pub(super) fn of(&self, service: &Service, port: &ServicePort, namespace: Option<&str>) -> Vec<&Route> {
        let consumers = namespace.map(|namespace| self.written_in(namespace, service, port)).unwrap_or_default();
        if consumers.is_empty() { self.written_in(&service.key.namespace, service, port) } else { consumers }
    }

    /// Those that were written in `namespace`, as far as they count at a port.
    pub(super) fn written_in(&self, namespace: &str, service: &Service, port: &ServicePort) -> Vec<&Route> {
        let mut routes: Vec<&Route> = self.fitting(service, port).filter(|route| route.key.namespace == namespace).collect();
        let first = routes.iter().map(|route| route.kind).min();
        routes.retain(|route| Some(route.kind) == first);
        routes
    }

    fn fitting<'a>(&'a self, service: &Service, port: &ServicePort) -> impl Iterator<Item = &'a Route> {
        let routes = self.by_parent.owners(&service.key).filter_map(|id| self.routes.get(id));
        let routes = routes.filter(|route| route.kind.fits(port.protocol));
        routes.filter(|route| route.parents.iter().any(|parent| parent.is(service, port)))
    }

    /// Whether `route` may name `service`. Its parents it may: whoever it is for calls them anyway.
    pub(super) fn may_name(&self, route: &Route, service: &Key) -> bool {
        route.key.namespace == service.namespace
            || route.parents.iter().any(|parent| parent.service == *service)
            || self.grants.values().any(|grant| grant.lets(route, service))
    }

    /// Whether there is nothing left.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.routes.is_empty() && self.grants.is_empty() && self.by_parent.is_empty() && self.by_backend.is_empty()
    }
}

#[cfg(test)]
pub(crate) mod tests;
