//! From xDS resources to a snapshot. Pure but for a memory of clusters, so that those which did not change stay the same
//! object and nobody who uses them has to look again.

use std::{collections::BTreeMap, net::SocketAddr, str::FromStr, sync::Arc, time::Duration};

use certs::name::SpiffeId;
use hashbrown::HashMap;
use wire::{
    envoy::config::{
        cluster::v3 as xds,
        core::v3::{HealthStatus, Metadata, address::Address, socket_address::PortSpecifier},
        endpoint::v3::{ClusterLoadAssignment, LbEndpoint, lb_endpoint::HostIdentifier},
        listener::v3::Listener,
        route::v3::{RouteConfiguration, route::Action, route_action::ClusterSpecifier, route_match::PathSpecifier},
    },
    names,
};

use super::resources::{Entry, Held, Resources};
use crate::snapshot::{
    Admits, Answer, Cluster, Destination, Endpoint, Inbound, Port, Protocol, Route, RouteTable, ServiceName, Snapshot,
};

/// Makes snapshots, remembering the clusters of the last one.
#[derive(Debug, Default)]
pub(super) struct Translator {
    clusters: BTreeMap<String, (String, Arc<Cluster>)>,
}

impl Translator {
    /// All that `resources` say. An address whose routes, clusters or endpoints have not arrived yet is left as `before`
    /// knew it, or out.
    pub(super) fn snapshot(&mut self, resources: &Resources, before: &Snapshot) -> Snapshot {
        self.clusters = self.translate_clusters(resources);
        let mut snapshot = Snapshot { inbound: inbound(resources, before), ..Snapshot::default() };
        for (name, held) in &resources.listeners {
            let Some(address) = names::parse_address(name) else { continue };
            let answer = match held {
                Held::Absent => Some(Answer::Unknown),
                Held::Present { resource, .. } => self.destination(address, resource, resources).map(Answer::Known),
            };
            if let Some(answer) = answer.or_else(|| before.addresses.get(&address).cloned()) {
                snapshot.addresses.insert(address, answer);
            }
        }
        snapshot
    }

    fn translate_clusters(&self, resources: &Resources) -> BTreeMap<String, (String, Arc<Cluster>)> {
        let translated = resources.endpoints.iter().filter_map(|(name, held)| {
            let (cluster_version, described) = resources.clusters.get(name)?.present().unzip();
            // A cluster without endpoints is an answer too; one that is missing altogether has none either.
            let (endpoints_version, assignment) = held.present().unzip();
            let version = format!("{cluster_version:?}/{endpoints_version:?}");
            let cluster = match self.clusters.get(name) {
                Some((known, cluster)) if *known == version => cluster.clone(),
                _ => Arc::new(cluster(name, described, assignment)),
            };
            Some((name.clone(), (version, cluster)))
        });
        translated.collect()
    }

    fn destination(&self, address: SocketAddr, entry: &Entry, resources: &Resources) -> Option<Arc<Destination>> {
        let requests = match &entry.requests {
            Some(name) => Some(Arc::new(self.table(resources.routes.get(name)?)?)),
            None => None,
        };
        let bytes = match &entry.bytes {
            Some(name) => Some(self.cluster(name)?),
            None => None,
        };
        let service = service(&entry.listener);
        Some(Arc::new(Destination { address, service, protocol: protocol(entry), requests, bytes, admits: Admits::Everybody }))
    }

    fn table(&self, routes: &Held<RouteConfiguration>) -> Option<RouteTable> {
        let Some((_, configuration)) = routes.present() else {
            // Control says there is no such table: requests have nowhere to go, and are told so.
            return Some(RouteTable { routes: Vec::new() });
        };
        let routes = configuration.virtual_hosts.iter().flat_map(|host| &host.routes);
        let routes: Option<Vec<Route>> = routes
            .filter_map(|route| {
                let prefix = match route.r#match.as_ref()?.path_specifier.as_ref()? {
                    PathSpecifier::Prefix(prefix) => prefix.clone(),
                    _ => return None,
                };
                let Some(Action::Route(action)) = &route.action else { return None };
                let Some(ClusterSpecifier::Cluster(cluster)) = &action.cluster_specifier else { return None };
                Some(self.cluster(cluster).map(|cluster| Route { prefix, cluster }))
            })
            .collect();
        Some(RouteTable { routes: routes? })
    }

    fn cluster(&self, name: &str) -> Option<Arc<Cluster>> {
        self.clusters.get(name).map(|(_, cluster)| cluster.clone())
    }
}

fn inbound(resources: &Resources, before: &Snapshot) -> Option<Arc<Inbound>> {
    let entry = match resources.listeners.get(names::INBOUND)? {
        Held::Present { resource, .. } => resource,
        // Our pod is going, or control does not know it yet: what it said last stays in force.
        Held::Absent => return Some(before.inbound.clone().unwrap_or_default()),
    };
    let others = Port { protocol: Protocol::Undeclared, admits: admits(policy(entry.listener.metadata.as_ref())) };
    let chains = entry.listener.filter_chains.iter();
    let ports: HashMap<u16, Port> = chains
        .filter_map(|chain| {
            let port = chain.filter_chain_match.as_ref()?.destination_port.as_ref()?;
            let port = u16::try_from(*port).ok()?;
            let metadata = chain.metadata.as_ref();
            let admits = policy(metadata).map_or(others.admits, |word| admits(Some(word)));
            Some((port, Port { protocol: declared(names::metadata_text(metadata, names::PROTOCOL)), admits }))
        })
        .collect();
    Some(Arc::new(Inbound { ports, others }))
}

fn policy(metadata: Option<&Metadata>) -> Option<&str> {
    names::metadata_text(metadata, names::DEFAULT_POLICY)
}

/// A word that we do not know is not an invitation.
fn admits(word: Option<&str>) -> Admits {
    match word {
        Some("allow-all") => Admits::Everybody,
        Some("allow-authenticated") => Admits::Authenticated,
        _ => Admits::Nobody,
    }
}

fn service(listener: &Listener) -> Option<ServiceName> {
    let metadata = listener.metadata.as_ref();
    let name = names::metadata_text(metadata, names::SERVICE)?;
    let namespace = names::metadata_text(metadata, names::NAMESPACE)?;
    Some(ServiceName { name: name.into(), namespace: namespace.into() })
}

fn protocol(entry: &Entry) -> Protocol {
    match (&entry.requests, &entry.bytes) {
        (Some(_), Some(_)) => Protocol::Undeclared,
        (Some(_), None) => Protocol::Http,
        (None, _) => Protocol::Opaque,
    }
}

fn declared(word: Option<&str>) -> Protocol {
    match word {
        Some("http" | "http2" | "grpc") => Protocol::Http,
        Some("tcp" | "tls") => Protocol::Opaque,
        _ => Protocol::Undeclared,
    }
}

fn cluster(name: &str, described: Option<&xds::Cluster>, assignment: Option<&ClusterLoadAssignment>) -> Cluster {
    let endpoints = assignment
        .into_iter()
        .flat_map(|assignment| &assignment.endpoints)
        .flat_map(|locality| &locality.lb_endpoints)
        .filter_map(endpoint)
        .map(Arc::new);
    let affinity =
        described.and_then(|described| names::metadata_text(described.metadata.as_ref(), names::AFFINITY)?.parse().ok());
    let affinity = affinity.map(Duration::from_secs);
    Cluster { name: name.into(), endpoints: endpoints.collect(), affinity, discovered: true }
}

fn endpoint(endpoint: &LbEndpoint) -> Option<Endpoint> {
    let Some(HostIdentifier::Endpoint(host)) = &endpoint.host_identifier else { return None };
    let Some(Address::SocketAddress(socket)) = &host.address.as_ref()?.address else { return None };
    let Some(PortSpecifier::PortValue(port)) = socket.port_specifier else { return None };
    let address = SocketAddr::new(socket.address.parse().ok()?, u16::try_from(port).ok()?);
    let draining = match endpoint.health_status() {
        HealthStatus::Unknown | HealthStatus::Healthy | HealthStatus::Degraded => false,
        HealthStatus::Draining => true,
        HealthStatus::Unhealthy | HealthStatus::Timeout => return None,
    };
    let metadata: Option<&Metadata> = endpoint.metadata.as_ref();
    let identity = match names::metadata_text(metadata, names::IDENTITY) {
        // An identity that cannot be read must not turn into plaintext: the endpoint is left out.
        Some(identity) => Some(SpiffeId::from_str(identity).ok()?),
        None => None,
    };
    let text = |key| names::metadata_text(metadata, key).unwrap_or_default().into();
    Some(Endpoint { address, identity, workload: text(names::WORKLOAD), namespace: text(names::NAMESPACE), draining })
}
