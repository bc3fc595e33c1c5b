//! Which request goes where: from the routes of a service's port to a route configuration.
//!
//! ```text
//! order      every match of every rule, in the order in which they are tried
//! matches    which requests a match is for, in xDS's words
//! action     what becomes of them
//! gate       what they must pass before
//! backends   who is meant by a reference
//! retries    when they are tried again
//! session    how clients stay with an endpoint
//! status     what is told to whoever wrote a route
//! ```
//!
//! A port without routes has one that takes every request to the port's own cluster. With routes, what none of them is for is
//! answered 404. Source: `HTTPRoute` and `GRPCRoute` of the Gateway API, and GEP-1294 for routes of services.

mod action;
mod backends;
mod gate;
mod matches;
mod order;
mod retries;
mod session;
mod status;

use wire::{
    envoy::config::{
        core::v3::Metadata,
        route::v3::{self as xds, RouteAction, RouteConfiguration, VirtualHost, route, route_action::ClusterSpecifier},
    },
    names,
};

pub(super) use backends::resolve;
pub(crate) use status::{Condition, conditions};

use self::{action::Compiler, order::Candidate};
use super::{balancing, target::Target};
use crate::index::{
    Index, Key,
    routes::{Forward, Match},
    traffic::Said,
};

/// The routes of `target` as the proxy of `viewer` is told them.
pub(super) fn configuration(index: &Index, viewer: Option<&Key>, name: &str, target: &Target<'_>) -> RouteConfiguration {
    let routes = match target {
        Target::Service(service, port) => {
            let mut found = index.routes_of(service, port, viewer.map(|viewer| viewer.namespace.as_str()));
            found.retain(|route| route.kind.is_of_requests());
            let compiler = Compiler { index, service, port };
            let compiled: Vec<xds::Route> =
                order::of(&found).iter().flat_map(|candidate| compile(&compiler, candidate)).collect();
            if found.is_empty() {
                // How often a service may be asked its own pods see to.
                let said = Said { rate_limits: Vec::new(), ..index.traffic_of_service(service, port) };
                vec![straight_to(name, &said)]
            } else {
                with_an_end(compiled)
            }
        }
        Target::Pod(pod, address, _) => vec![straight_to(name, &index.traffic_of_pod(pod, address.port()))],
    };
    let host = VirtualHost { name: name.to_owned(), domains: vec![String::from("*")], routes };
    RouteConfiguration { name: name.to_owned(), virtual_hosts: vec![host] }
}

/// Every request, to one cluster.
fn straight_to(cluster: &str, said: &Said) -> xds::Route {
    let cluster_specifier = Some(ClusterSpecifier::Cluster(cluster.to_owned()));
    let mut to = RouteAction { cluster_specifier, hash_policy: balancing::hash_policy(said), ..Default::default() };
    retries::say(&mut to, &Forward::default(), said);
    let mut route = xds::Route { metadata: metadata(&retries::texts(said)), ..for_all(route::Action::Route(to)) };
    gate::put(&mut route, said, None);
    route
}

/// Our metadata; none of nothing.
fn metadata(texts: &[(&'static str, String)]) -> Option<Metadata> {
    (!texts.is_empty()).then(|| names::metadata(texts.iter().map(|(key, text)| (*key, text.as_str()))))
}

/// `routes`, and 404 for what none of them is for.
fn with_an_end(mut routes: Vec<xds::Route>) -> Vec<xds::Route> {
    routes.push(for_all(action::answer(404)));
    routes
}

fn for_all(action: route::Action) -> xds::Route {
    xds::Route { r#match: matches::of(&Match::all(), false).pop(), action: Some(action), ..Default::default() }
}

/// One match of one rule: more than one route where a prefix is taken away.
fn compile(compiler: &Compiler<'_>, candidate: &Candidate<'_>) -> Vec<xds::Route> {
    let Candidate { route, rule, wanted, .. } = candidate;
    let takes_prefix_away = action::takes_prefix_away(rule);
    let said = compiler.said(route, rule);
    let session = action::session(rule);
    let mut compiled = xds::Route {
        name: rule.name.clone(),
        typed_per_filter_config: session.map(|session| session::filter(session, route, rule, &wanted.path)).unwrap_or_default(),
        metadata: metadata(&[retries::texts(&said), session.into_iter().flat_map(session::texts).collect()].concat()),
        action: Some(compiler.action(route, rule, wanted, &said)),
        request_headers_to_add: action::additions(&rule.request),
        request_headers_to_remove: rule.request.remove.clone(),
        response_headers_to_add: action::additions(&rule.response),
        response_headers_to_remove: rule.response.remove.clone(),
        ..Default::default()
    };
    gate::put(&mut compiled, &said, rule.cors.as_ref());
    let with = |found| xds::Route { r#match: Some(found), ..compiled.clone() };
    // A browser asks before it asks, and by another method: what is for the one is for the other.
    let preflight = rule.cors.as_ref().and_then(|_| matches::preflight(wanted));
    let all = preflight.iter().chain([*wanted]).flat_map(|wanted| matches::of(wanted, takes_prefix_away));
    all.map(with).collect()
}

#[cfg(test)]
mod tests;
