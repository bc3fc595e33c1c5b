//! The shapes of xDS resources.

use certs::name::{SpiffeId, TrustDomain};
use prost::Message;
use prost_types::Any;
use wire::{
    envoy::{
        config::{
            cluster::v3::{
                Cluster,
                cluster::{ClusterDiscoveryType, DiscoveryType, EdsClusterConfig, LbPolicy},
            },
            core::v3::{
                Address, AggregatedConfigSource, ApiVersion, ConfigSource, HealthStatus, Locality, Metadata, SocketAddress,
                address::Address as AddressKind, config_source::ConfigSourceSpecifier, socket_address::PortSpecifier,
            },
            endpoint::v3::{
                ClusterLoadAssignment, Endpoint as EndpointMessage, LbEndpoint, LocalityLbEndpoints, lb_endpoint::HostIdentifier,
            },
            listener::v3::{Filter, FilterChain, FilterChainMatch, Listener, filter::ConfigType},
            route::v3::{
                Route, RouteAction, RouteConfiguration, RouteMatch, VirtualHost, route::Action, route_action::ClusterSpecifier,
                route_match::PathSpecifier,
            },
        },
        extensions::filters::{
            http::router::v3::Router,
            network::{
                http_connection_manager::v3::{
                    HttpConnectionManager, HttpFilter, Rds, http_connection_manager::RouteSpecifier,
                    http_filter::ConfigType as HttpConfigType,
                },
                tcp_proxy::v3::{TcpProxy, tcp_proxy::ClusterSpecifier as TcpCluster},
            },
        },
    },
    names,
};

use super::Target;
use crate::index::{Endpoint, Index, Pod, Protocol};

/// What an address is. The shape other proxies know too: a chain for requests, and a default chain for all else.
pub(super) fn listener(name: &str, target: &Target<'_>) -> Listener {
    let protocol = target.protocol();
    let behind = target.name();
    Listener {
        name: name.to_owned(),
        address: names::parse_address(name).map(|address| socket(&address.ip().to_string(), address.port())),
        filter_chains: protocol.takes_requests().then(|| requests(&behind)).into_iter().collect(),
        default_filter_chain: protocol.takes_bytes().then(|| bytes(&behind)),
        metadata: Some(described(target, protocol)),
        ..Default::default()
    }
}

/// What a pod's own ports are.
pub(super) fn inbound(pod: &Pod) -> Listener {
    let chain = |(port, protocol): (u16, Protocol)| FilterChain {
        filter_chain_match: Some(FilterChainMatch { destination_port: Some(u32::from(port)), ..Default::default() }),
        metadata: Some(names::metadata([(names::PROTOCOL, protocol.word())])),
        name: format!("port-{port}"),
        ..Default::default()
    };
    Listener {
        name: names::INBOUND.to_owned(),
        filter_chains: pod.declared_ports().into_iter().map(chain).collect(),
        metadata: Some(names::metadata([(names::POD, pod.key.name.as_str()), (names::NAMESPACE, &pod.key.namespace)])),
        ..Default::default()
    }
}

/// Which request goes to which cluster: for now, all to the one behind the same name.
pub(super) fn routes(name: &str, _: &Target<'_>) -> RouteConfiguration {
    let to = RouteAction { cluster_specifier: Some(ClusterSpecifier::Cluster(name.to_owned())), ..Default::default() };
    let all = RouteMatch { path_specifier: Some(PathSpecifier::Prefix(String::from("/"))) };
    let route = Route { r#match: Some(all), action: Some(Action::Route(to)), ..Default::default() };
    let host = VirtualHost { name: name.to_owned(), domains: vec![String::from("*")], routes: vec![route] };
    RouteConfiguration { name: name.to_owned(), virtual_hosts: vec![host] }
}

/// A cluster whose endpoints are asked for under its own name.
pub(super) fn cluster(name: &str, target: &Target<'_>) -> Cluster {
    Cluster {
        name: name.to_owned(),
        cluster_discovery_type: Some(ClusterDiscoveryType::Type(DiscoveryType::Eds.into())),
        eds_cluster_config: Some(EdsClusterConfig { eds_config: Some(aggregated()), service_name: name.to_owned() }),
        lb_policy: LbPolicy::LeastRequest.into(),
        metadata: Some(described(target, target.protocol())),
        ..Default::default()
    }
}

/// The endpoints of a cluster. Those that are going and still answer are named as draining; those not ready are left out.
pub(super) fn endpoints(index: &Index, trust_domain: &str, name: &str, target: &Target<'_>) -> ClusterLoadAssignment {
    let mut localities: Vec<(String, Vec<LbEndpoint>)> = Vec::new();
    for (zone, endpoint) in match target {
        Target::Service(service, port) => of_service(index, trust_domain, service, &port.name),
        Target::Pod(pod, address) => {
            vec![(String::new(), endpoint(Some(pod), trust_domain, &address.ip().to_string(), address.port(), false))]
        }
    } {
        match localities.iter_mut().find(|(known, _)| *known == zone) {
            Some((_, endpoints)) => endpoints.push(endpoint),
            None => localities.push((zone, vec![endpoint])),
        }
    }
    localities.sort_by(|a, b| a.0.cmp(&b.0));
    let locality = |(zone, lb_endpoints): (String, Vec<LbEndpoint>)| LocalityLbEndpoints {
        locality: Some(Locality { zone, ..Default::default() }),
        lb_endpoints,
        ..Default::default()
    };
    ClusterLoadAssignment { cluster_name: name.to_owned(), endpoints: localities.into_iter().map(locality).collect() }
}

fn of_service(index: &Index, trust_domain: &str, service: &crate::index::Service, port: &str) -> Vec<(String, LbEndpoint)> {
    let mut all: Vec<(String, String, u16, bool, Option<&Pod>)> = Vec::new();
    for slice in index.slices(&service.key) {
        let Some(port) = slice.ports.iter().find(|known| known.name == port) else { continue };
        for Endpoint { address, pod, zone, ready, draining } in &slice.endpoints {
            if *ready || *draining || service.publish_not_ready {
                let pod = pod.as_ref().and_then(|pod| index.pod(pod)).or_else(|| index.pod_at(*address));
                all.push((address.to_string(), zone.clone(), port.port, !ready && *draining, pod));
            }
        }
    }
    // In an order of our own, whatever order they were heard of in: the version is a hash of the bytes.
    all.sort_by(|a, b| (&a.0, a.2).cmp(&(&b.0, b.2)));
    all.dedup_by(|a, b| (&a.0, a.2) == (&b.0, b.2));
    let message = |(address, zone, port, draining, pod): (String, String, u16, bool, Option<&Pod>)| {
        (zone, endpoint(pod, trust_domain, &address, port, draining))
    };
    all.into_iter().map(message).collect()
}

fn endpoint(pod: Option<&Pod>, trust_domain: &str, address: &str, port: u16, draining: bool) -> LbEndpoint {
    let health = if draining { HealthStatus::Draining } else { HealthStatus::Healthy };
    LbEndpoint {
        host_identifier: Some(HostIdentifier::Endpoint(EndpointMessage { address: Some(socket(address, port)) })),
        health_status: health.into(),
        metadata: pod.map(|pod| introduced(pod, trust_domain)),
        ..Default::default()
    }
}

fn introduced(pod: &Pod, trust_domain: &str) -> Metadata {
    let identity = trust_domain
        .parse::<TrustDomain>()
        .ok()
        .filter(|_| pod.meshed)
        .and_then(|domain| SpiffeId::new(&domain, &pod.key.namespace, &pod.service_account).ok())
        .map(|identity| identity.to_string());
    let mut texts =
        vec![(names::WORKLOAD, pod.workload.as_str()), (names::NAMESPACE, &pod.key.namespace), (names::POD, &pod.key.name)];
    texts.extend(identity.as_deref().map(|identity| (names::IDENTITY, identity)));
    names::metadata(texts)
}

fn described(target: &Target<'_>, protocol: Protocol) -> Metadata {
    match target {
        Target::Service(service, _) => names::metadata([
            (names::SERVICE, service.key.name.as_str()),
            (names::NAMESPACE, &service.key.namespace),
            (names::PROTOCOL, protocol.word()),
        ]),
        Target::Pod(pod, _) => {
            names::metadata([(names::NAMESPACE, pod.key.namespace.as_str()), (names::PROTOCOL, protocol.word())])
        }
    }
}

fn requests(behind: &str) -> FilterChain {
    let router = HttpFilter {
        name: String::from("envoy.filters.http.router"),
        config_type: Some(HttpConfigType::TypedConfig(any(names::ROUTER, &Router {}))),
    };
    let manager = HttpConnectionManager {
        stat_prefix: behind.to_owned(),
        route_specifier: Some(RouteSpecifier::Rds(Rds {
            config_source: Some(aggregated()),
            route_config_name: behind.to_owned(),
        })),
        http_filters: vec![router],
    };
    FilterChain {
        filter_chain_match: Some(FilterChainMatch {
            application_protocols: names::HTTP_PROTOCOLS.iter().map(|protocol| (*protocol).to_owned()).collect(),
            ..Default::default()
        }),
        filters: vec![filter("envoy.filters.network.http_connection_manager", any(names::HTTP_CONNECTION_MANAGER, &manager))],
        name: String::from("requests"),
        ..Default::default()
    }
}

fn bytes(behind: &str) -> FilterChain {
    let proxy = TcpProxy { stat_prefix: behind.to_owned(), cluster_specifier: Some(TcpCluster::Cluster(behind.to_owned())) };
    FilterChain {
        filters: vec![filter("envoy.filters.network.tcp_proxy", any(names::TCP_PROXY, &proxy))],
        name: String::from("bytes"),
        ..Default::default()
    }
}

fn filter(name: &str, config: Any) -> Filter {
    Filter { name: name.to_owned(), config_type: Some(ConfigType::TypedConfig(config)) }
}

fn any(type_url: &str, message: &impl Message) -> Any {
    Any { type_url: type_url.to_owned(), value: message.encode_to_vec() }
}

fn aggregated() -> ConfigSource {
    ConfigSource {
        config_source_specifier: Some(ConfigSourceSpecifier::Ads(AggregatedConfigSource {})),
        resource_api_version: ApiVersion::V3.into(),
    }
}

fn socket(address: &str, port: u16) -> Address {
    let socket = SocketAddress { address: address.to_owned(), port_specifier: Some(PortSpecifier::PortValue(u32::from(port))) };
    Address { address: Some(AddressKind::SocketAddress(socket)) }
}
