//! From the index to resources. Pure: the same index gives the same bytes, and so the same versions, in every replica of
//! control and after every restart.

mod resources;

use std::net::SocketAddr;

use aws_lc_rs::digest::{SHA256, digest};
use prost::Message;
use prost_types::Any;
use wire::names;

use crate::index::{Index, Key, Pod, Service};

/// A resource type, in the order in which resources of several types are sent: what is pointed at goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    Cluster,
    Endpoints,
    Listener,
    Route,
}

impl Kind {
    pub(crate) const ALL: [Kind; 4] = [Kind::Cluster, Kind::Endpoints, Kind::Listener, Kind::Route];

    pub(crate) fn type_url(self) -> &'static str {
        match self {
            Self::Cluster => names::CLUSTER,
            Self::Endpoints => names::CLUSTER_LOAD_ASSIGNMENT,
            Self::Listener => names::LISTENER,
            Self::Route => names::ROUTE_CONFIGURATION,
        }
    }

    pub(crate) fn from_type_url(url: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.type_url() == url)
    }

    /// The word in metrics.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Cluster => "cluster",
            Self::Endpoints => "endpoints",
            Self::Listener => "listener",
            Self::Route => "route",
        }
    }
}

/// A resource, ready to be sent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Resource {
    /// Of its content: it changes when and only when that does.
    pub(crate) version: String,
    /// The resource itself.
    pub(crate) body: Any,
}

/// The resource called `name`, as the proxy of `viewer` is told it; `None` when there is none.
pub(crate) fn resource(index: &Index, viewer: Option<&Key>, trust_domain: &str, kind: Kind, name: &str) -> Option<Resource> {
    let value = match kind {
        Kind::Listener if name == names::INBOUND => resources::inbound(index.pod(viewer?)?).encode_to_vec(),
        Kind::Listener => resources::listener(name, &at(index, names::parse_address(name)?)?).encode_to_vec(),
        Kind::Route => resources::routes(name, &behind(index, name)?).encode_to_vec(),
        Kind::Cluster => resources::cluster(name, &behind(index, name)?).encode_to_vec(),
        Kind::Endpoints => resources::endpoints(index, trust_domain, name, &behind(index, name)?).encode_to_vec(),
    };
    let hash = digest(&SHA256, &value);
    let version = hash.as_ref()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    Some(Resource { version, body: Any { type_url: kind.type_url().to_owned(), value } })
}

/// Every name of `kind`, for those who ask for all of them.
pub(crate) fn every_name(index: &Index, kind: Kind) -> Vec<String> {
    let ports = |service: &Service| -> Vec<u16> { service.ports.iter().map(|port| port.port).collect() };
    let per_service = |service: &Service| -> Vec<String> {
        match kind {
            Kind::Listener => {
                let address = |address: &std::net::IpAddr| {
                    let ports = ports(service).into_iter();
                    ports.map(|port| names::address(SocketAddr::new(*address, port))).collect::<Vec<_>>()
                };
                service.addresses.iter().flat_map(address).collect()
            }
            Kind::Route | Kind::Cluster | Kind::Endpoints => {
                let name = |port| names::service_port(&service.key.name, &service.key.namespace, port);
                ports(service).into_iter().map(name).collect()
            }
        }
    };
    index.services().flat_map(per_service).collect()
}

/// What an address or a name leads to.
enum Target<'a> {
    Service(&'a Service, &'a crate::index::ServicePort),
    Pod(&'a Pod, SocketAddr),
}

impl Target<'_> {
    /// Name of the route configuration and cluster behind it.
    fn name(&self) -> String {
        match self {
            Self::Service(service, port) => names::service_port(&service.key.name, &service.key.namespace, port.port),
            Self::Pod(_, address) => names::pod_port(*address),
        }
    }

    fn protocol(&self) -> crate::index::Protocol {
        match self {
            Self::Service(_, port) => port.protocol,
            Self::Pod(pod, address) => pod.declared_ports().get(&address.port()).copied().unwrap_or_default(),
        }
    }
}

fn at(index: &Index, address: SocketAddr) -> Option<Target<'_>> {
    if let Some(service) = index.service_at(address.ip()) {
        let port = service.ports.iter().find(|port| port.port == address.port())?;
        return Some(Target::Service(service, port));
    }
    index.pod_at(address.ip()).map(|pod| Target::Pod(pod, address))
}

fn behind<'a>(index: &'a Index, name: &str) -> Option<Target<'a>> {
    if let Some(address) = names::parse_pod_port(name) {
        return index.pod_at(address.ip()).map(|pod| Target::Pod(pod, address));
    }
    let (name, namespace, port) = names::parse_service_port(name)?;
    let service = index.service(&Key { namespace: namespace.to_owned(), name: name.to_owned() })?;
    let port = service.ports.iter().find(|known| known.port == port)?;
    Some(Target::Service(service, port))
}

#[cfg(test)]
mod tests {
    use wire::envoy::config::{
        core::v3::HealthStatus, endpoint::v3::ClusterLoadAssignment, listener::v3::Listener, route::v3::RouteConfiguration,
    };

    use super::*;
    use crate::index::{
        Endpoint, Object, Protocol, ServicePort, Slice, SlicePort,
        tests::{key, pod},
    };

    const CART: &str = "cart.shop.svc.cluster.local:80";

    fn shop(protocol: Protocol) -> Index {
        let mut index = Index::default();
        let port = ServicePort { name: String::new(), port: 80, protocol };
        let addresses = vec!["10.96.0.5".parse().unwrap()];
        index.apply(Object::Service(Service { key: key("cart"), addresses, ports: vec![port], publish_not_ready: false }));
        index.apply(Object::Pod(pod("a", "10.77.0.5")));
        index.apply(Object::Pod(Pod { meshed: false, ..pod("b", "10.77.0.6") }));
        let endpoint = |name: &str, address: &str, ready, draining| Endpoint {
            address: address.parse().unwrap(),
            pod: Some(key(name)),
            zone: String::new(),
            ready,
            draining,
        };
        index.apply(Object::Slice(Slice {
            key: key("cart-1"),
            service: key("cart"),
            endpoints: vec![
                endpoint("a", "10.77.0.5", true, false),
                endpoint("b", "10.77.0.6", false, true),
                endpoint("c", "10.77.0.7", false, false),
            ],
            ports: vec![SlicePort { name: String::new(), port: 8080 }],
        }));
        index
    }

    fn get<T: Message + Default>(index: &Index, kind: Kind, name: &str) -> Option<T> {
        let resource = resource(index, Some(&key("a")), "cluster.local", kind, name)?;
        Some(T::decode(&*resource.body.value).unwrap())
    }

    #[test]
    fn an_undeclared_port_takes_requests_and_bytes_and_a_declared_one_what_it_declares() {
        for (protocol, requests, bytes) in
            [(Protocol::Auto, true, true), (Protocol::Http, true, false), (Protocol::Tcp, false, true)]
        {
            let listener: Listener = get(&shop(protocol), Kind::Listener, "address/10.96.0.5:80").unwrap();
            assert_eq!(!listener.filter_chains.is_empty(), requests, "{protocol:?}");
            assert_eq!(listener.default_filter_chain.is_some(), bytes, "{protocol:?}");
        }
    }

    #[test]
    fn endpoints_say_who_they_are_and_whether_they_are_leaving() {
        let assignment: ClusterLoadAssignment = get(&shop(Protocol::Auto), Kind::Endpoints, CART).unwrap();
        let endpoints: Vec<_> = assignment.endpoints.iter().flat_map(|locality| &locality.lb_endpoints).collect();
        let told: Vec<_> = endpoints
            .iter()
            .map(|endpoint| (endpoint.health_status(), names::metadata_text(endpoint.metadata.as_ref(), names::IDENTITY)))
            .collect();
        let cart = Some("spiffe://cluster.local/ns/shop/sa/cart");
        assert_eq!(told, [(HealthStatus::Healthy, cart), (HealthStatus::Draining, None)], "what is not ready is left out");
    }

    #[test]
    fn a_bare_pod_address_leads_to_that_pod_alone() {
        let index = shop(Protocol::Auto);
        let routes: RouteConfiguration = get(&index, Kind::Route, "pod/10.77.0.5:9000").unwrap();
        assert_eq!(routes.name, "pod/10.77.0.5:9000");
        let assignment: ClusterLoadAssignment = get(&index, Kind::Endpoints, "pod/10.77.0.5:9000").unwrap();
        assert_eq!(assignment.endpoints[0].lb_endpoints.len(), 1);
    }

    #[test]
    fn what_nobody_has_is_no_resource() {
        let index = shop(Protocol::Auto);
        for name in ["address/10.96.0.5:81", "address/1.1.1.1:80", "address/x", "other"] {
            assert!(resource(&index, None, "cluster.local", Kind::Listener, name).is_none(), "{name}");
        }
        assert!(resource(&index, None, "cluster.local", Kind::Cluster, "cart.shop.svc.cluster.local:81").is_none());
        assert!(resource(&index, None, "cluster.local", Kind::Listener, names::INBOUND).is_none(), "without a pod");
    }

    #[test]
    fn versions_follow_the_content_and_nothing_else() {
        let (one, other) = (shop(Protocol::Auto), shop(Protocol::Auto));
        let version = |index: &Index| resource(index, None, "cluster.local", Kind::Endpoints, CART).unwrap().version;
        assert_eq!(version(&one), version(&other));
        let mut fewer = shop(Protocol::Auto);
        fewer.retain(
            &[
                (Object::Pod(pod("a", "10.77.0.5")).identity()),
                (crate::index::Object::Service(one.service(&key("cart")).unwrap().clone()).identity()),
            ]
            .into_iter()
            .collect(),
        );
        assert_ne!(version(&one), version(&fewer));
    }
}
