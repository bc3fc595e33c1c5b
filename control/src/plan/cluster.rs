//! Where requests go: routes, and the clusters they name.

use wire::{
    envoy::config::{
        cluster::v3::{
            Cluster,
            cluster::{ClusterDiscoveryType, DiscoveryType, EdsClusterConfig, LbPolicy},
        },
        route::v3::{
            Route, RouteAction, RouteConfiguration, RouteMatch, VirtualHost, route::Action, route_action::ClusterSpecifier,
            route_match::PathSpecifier,
        },
    },
    names,
};

use super::{shape::aggregated, target::Target};

/// Which request goes to which cluster: for now, all to the one of the same name.
pub(super) fn routes(name: &str) -> RouteConfiguration {
    let to = RouteAction { cluster_specifier: Some(ClusterSpecifier::Cluster(name.to_owned())), ..Default::default() };
    let all = RouteMatch { path_specifier: Some(PathSpecifier::Prefix(String::from("/"))), ..Default::default() };
    let route = Route { r#match: Some(all), action: Some(Action::Route(to)), ..Default::default() };
    let host = VirtualHost { name: name.to_owned(), domains: vec![String::from("*")], routes: vec![route] };
    RouteConfiguration { name: name.to_owned(), virtual_hosts: vec![host] }
}

/// A cluster whose endpoints are asked for under its own name.
pub(super) fn cluster(name: &str, target: &Target<'_>) -> Cluster {
    let mut metadata = target.metadata();
    if let Some(time) = target.affinity() {
        names::add_text(&mut metadata, names::AFFINITY, &time.as_secs().to_string());
    }
    Cluster {
        name: name.to_owned(),
        cluster_discovery_type: Some(ClusterDiscoveryType::Type(DiscoveryType::Eds.into())),
        eds_cluster_config: Some(EdsClusterConfig { eds_config: Some(aggregated()), service_name: name.to_owned() }),
        lb_policy: LbPolicy::LeastRequest.into(),
        metadata: Some(metadata),
        ..Default::default()
    }
}
