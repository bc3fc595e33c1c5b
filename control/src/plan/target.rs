//! What an address or a name leads to.

use std::{net::SocketAddr, time::Duration};

use wire::{envoy::config::core::v3::Metadata, names};

use crate::index::{Index, Key, Pod, Protocol, Service, ServicePort};

/// A port of a service, or of a pod that is called by its own address.
pub(super) enum Target<'a> {
    Service(&'a Service, &'a ServicePort),
    Pod(&'a Pod, SocketAddr, Protocol),
}

impl<'a> Target<'a> {
    /// What is at an address. A service's address leads nowhere at ports that the service does not have.
    pub(super) fn at(index: &'a Index, address: SocketAddr) -> Option<Self> {
        match index.service_at(address.ip()) {
            Some(service) => Self::port_of(service, address.port()),
            None => Self::pod(index, address),
        }
    }

    /// What is behind the name of a route configuration, a cluster or its endpoints.
    pub(super) fn behind(index: &'a Index, name: &str) -> Option<Self> {
        if let Some(address) = names::parse_pod_port(name) {
            return Self::pod(index, address);
        }
        Self::named(index, names::parse_service_port(name)?)
    }

    /// What a client of gRPC means by its target.
    pub(super) fn called(index: &'a Index, target: &str) -> Option<Self> {
        Self::named(index, names::parse_grpc_target(target)?)
    }

    fn named(index: &'a Index, (name, namespace, port): (&str, &str, u16)) -> Option<Self> {
        Self::port_of(index.service(&Key { namespace: namespace.to_owned(), name: name.to_owned() })?, port)
    }

    fn port_of(service: &'a Service, port: u16) -> Option<Self> {
        service.ports.iter().find(|known| known.port == port).map(|port| Self::Service(service, port))
    }

    fn pod(index: &'a Index, address: SocketAddr) -> Option<Self> {
        let pod = index.pods_at(address.ip()).next()?;
        let protocol = index.ports_of(pod).get(&address.port()).copied().unwrap_or_default();
        Some(Self::Pod(pod, address, protocol))
    }

    /// Name of the route configuration, cluster and endpoints behind it.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Service(service, port) => names::service_port(&service.key.name, &service.key.namespace, port.port),
            Self::Pod(_, address, _) => names::pod_port(*address),
        }
    }

    /// How long a caller stays with the endpoint that he called, if he does.
    pub(super) fn affinity(&self) -> Option<Duration> {
        match self {
            Self::Service(service, _) => service.affinity,
            Self::Pod(..) => None,
        }
    }

    pub(super) fn protocol(&self) -> Protocol {
        match self {
            Self::Service(_, port) => port.protocol,
            Self::Pod(_, _, protocol) => *protocol,
        }
    }

    /// What a proxy is told about it, for telemetry.
    pub(super) fn metadata(&self) -> Metadata {
        let protocol = (names::PROTOCOL, self.protocol().word());
        match self {
            Self::Service(service, port) => {
                let number = port.port.to_string();
                names::metadata([
                    (names::SERVICE, service.key.name.as_str()),
                    (names::NAMESPACE, &service.key.namespace),
                    (names::PORT, &number),
                    protocol,
                ])
            }
            Self::Pod(pod, ..) => names::metadata([(names::NAMESPACE, pod.key.namespace.as_str()), protocol]),
        }
    }
}
