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
    },
    names,
};

use super::{
    balancing,
    resources::{Entry, Held, Resources},
};
use crate::snapshot::{
    Admits, Answer, Cluster, Destination, Endpoint, Inbound, Port, Protocol, RetryBudget, Route, RouteTable, ServiceName,
    Snapshot,
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
            Some(name) => Some(Arc::new(self.table(resources.routes.get(name)?, resources)?)),
            None => None,
        };
        let bytes = match &entry.bytes {
            Some(table) => Some(table.toward(|name| self.backend(name, resources))?),
            None => None,
        };
        let service = service(&entry.listener);
        Some(Arc::new(Destination {
            address,
            service,
            protocol: protocol(entry),
            requests,
            bytes,
            admits: Admits::Everybody,
            authorization: None,
        }))
    }

    fn table(&self, routes: &Held<Vec<Route<String>>>, resources: &Resources) -> Option<RouteTable> {
        let Some((_, routes)) = routes.present() else {
            // Control says there is no such table: requests have nowhere to go, and are told so.
            return Some(RouteTable::default());
        };
        let routes = routes.iter().map(|route| route.toward(|name| self.backend(name, resources)));
        Some(RouteTable { routes: routes.collect::<Option<_>>()? })
    }

    /// The cluster that a route names, or that there is none; `None` before that is known.
    fn backend(&self, name: &str, resources: &Resources) -> Option<Option<Arc<Cluster>>> {
        match resources.clusters.get(name)? {
            Held::Present { .. } => self.cluster(name).map(Some),
            Held::Absent => Some(None),
        }
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
    let others = Port {
        protocol: Protocol::Undeclared,
        admits: admits(policy(entry.listener.metadata.as_ref())),
        authorization: entry.authorizations.get(&None).cloned(),
        gate: None,
    };
    let chains = entry.listener.filter_chains.iter();
    let ports: HashMap<u16, Port> = chains
        .filter_map(|chain| {
            let port = chain.filter_chain_match.as_ref()?.destination_port.as_ref()?;
            let gate = entry.gates.get(port).cloned();
            let authorization = entry.authorizations.get(&Some(*port)).cloned();
            let port = u16::try_from(*port).ok()?;
            let metadata = chain.metadata.as_ref();
            let admits = policy(metadata).map_or(others.admits, |word| admits(Some(word)));
            let protocol = declared(names::metadata_text(metadata, names::PROTOCOL));
            Some((port, Port { protocol, admits, authorization, gate }))
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
        (_, Some(table)) if table.needs_names() => Protocol::Tls,
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
    let mut near: BTreeMap<u32, Vec<Arc<Endpoint>>> = BTreeMap::new();
    for locality in assignment.into_iter().flat_map(|assignment| &assignment.endpoints) {
        let endpoints = locality.lb_endpoints.iter().filter_map(endpoint).map(Arc::new);
        near.entry(locality.priority).or_default().extend(endpoints);
    }
    let staying = |level: &Vec<Arc<Endpoint>>| level.iter().filter(|endpoint| !endpoint.draining).cloned().collect::<Vec<_>>();
    let levels: Vec<_> = near.values().map(staying).filter(|level| !level.is_empty()).collect();
    let balancing = described.map_or_else(Default::default, |described| balancing::balancing(described, &levels));
    let affinity =
        described.and_then(|described| names::metadata_text(described.metadata.as_ref(), names::AFFINITY)?.parse().ok());
    let affinity = affinity.map(Duration::from_secs);
    let retry_budget = described.map(retry_budget).unwrap_or_default();
    let endpoints = near.into_values().flatten().collect();
    Cluster { name: name.into(), endpoints, affinity, retry_budget, discovered: true, balancing }
}

/// Three numbers with a slash between them; what cannot be read leaves the usual budget in force.
fn retry_budget(described: &xds::Cluster) -> RetryBudget {
    let told = names::metadata_text(described.metadata.as_ref(), names::RETRY_BUDGET).unwrap_or_default();
    let mut numbers = told.splitn(3, '/').map(|number| number.parse::<u32>().ok());
    match (numbers.next().flatten(), numbers.next().flatten(), numbers.next().flatten()) {
        (Some(percent), Some(millis), Some(per_second)) if millis > 0 => {
            RetryBudget { percent, interval: Duration::from_millis(millis.into()), per_second }
        }
        _ => RetryBudget::default(),
    }
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

#[cfg(test)]
mod tests {
    use prost::Message;
    use wire::envoy::{
        config::{
            listener::v3::{Filter, FilterChain, filter::ConfigType},
            route::v3::{
                Route, RouteAction, RouteConfiguration, RouteMatch, VirtualHost, WeightedCluster, route::Action,
                route_action::ClusterSpecifier, route_match::PathSpecifier, weighted_cluster::ClusterWeight,
            },
        },
        extensions::filters::network::http_connection_manager::v3::{
            HttpConnectionManager, Rds, http_connection_manager::RouteSpecifier,
        },
    };

    use super::{super::resources::Kind, *};

    const ADDRESS: &str = "10.96.0.5:80";

    fn listener() -> Listener {
        let rds = Rds { route_config_name: "cart".into(), ..Default::default() };
        let manager = HttpConnectionManager { route_specifier: Some(RouteSpecifier::Rds(rds)), ..Default::default() };
        let config = prost_types::Any { type_url: names::HTTP_CONNECTION_MANAGER.into(), value: manager.encode_to_vec() };
        let filter = Filter { config_type: Some(ConfigType::TypedConfig(config)), ..Default::default() };
        let chain = FilterChain { filters: vec![filter], ..Default::default() };
        Listener { filter_chains: vec![chain], ..Default::default() }
    }

    fn routes() -> RouteConfiguration {
        let cluster = |name: &str| ClusterWeight { name: name.into(), weight: Some(1), ..Default::default() };
        let weighted = WeightedCluster { clusters: vec![cluster("v1"), cluster("v2")] };
        let specifier = Some(ClusterSpecifier::WeightedClusters(weighted));
        let action = Action::Route(RouteAction { cluster_specifier: specifier, ..Default::default() });
        let path_specifier = Some(PathSpecifier::Prefix("/".into()));
        let matching = RouteMatch { path_specifier, ..Default::default() };
        let route = Route { r#match: Some(matching), action: Some(action), ..Default::default() };
        let host = VirtualHost { routes: vec![route], ..Default::default() };
        RouteConfiguration { name: "cart".into(), virtual_hosts: vec![host] }
    }

    fn published(resources: &Resources) -> Option<Answer> {
        let snapshot = Translator::default().snapshot(resources, &Snapshot::default());
        snapshot.addresses.get(&ADDRESS.parse::<SocketAddr>().unwrap()).cloned()
    }

    #[test]
    fn an_address_is_published_when_all_that_share_its_requests_are_known() {
        let mut resources = Resources::default();
        let mut told = |kind, name: &str, body: Vec<u8>| {
            resources.insert(kind, name, "1", &body).unwrap();
            published(&resources).is_some()
        };
        assert!(!told(Kind::Listener, &format!("address/{ADDRESS}"), listener().encode_to_vec()));
        assert!(!told(Kind::Route, "cart", routes().encode_to_vec()));
        assert!(!told(Kind::Cluster, "v1", Vec::new()));
        assert!(!told(Kind::Endpoints, "v1", Vec::new()));
        assert!(!told(Kind::Cluster, "v2", Vec::new()));
        assert!(told(Kind::Endpoints, "v2", Vec::new()));
    }

    #[test]
    fn a_budget_is_three_numbers_and_anything_else_the_usual_one() {
        let budget = |told| {
            let metadata = Some(names::metadata([(names::RETRY_BUDGET, told)]));
            retry_budget(&xds::Cluster { metadata, ..Default::default() })
        };
        assert_eq!(budget("5/2000/1"), RetryBudget { percent: 5, interval: Duration::from_secs(2), per_second: 1 });
        for odd in ["", "5/2000", "5/0/1", "-1/2/3", "1/2/3/4"] {
            assert_eq!(budget(odd), RetryBudget::default(), "{odd:?}");
        }
    }

    #[test]
    fn a_cluster_that_does_not_exist_is_known_not_to() {
        let mut resources = Resources::default();
        resources.insert(Kind::Listener, &format!("address/{ADDRESS}"), "1", &listener().encode_to_vec()).unwrap();
        resources.insert(Kind::Route, "cart", "1", &routes().encode_to_vec()).unwrap();
        resources.insert(Kind::Cluster, "v1", "1", &[]).unwrap();
        resources.insert(Kind::Endpoints, "v1", "1", &[]).unwrap();
        resources.absent(Kind::Cluster, "v2");
        let Some(Answer::Known(cart)) = published(&resources) else { panic!("it is published") };
        assert_eq!(cart.clusters().map(|cluster| &*cluster.name).collect::<Vec<_>>(), ["v1"]);
    }
}
