//! The xDS resources we hold, decoded, and which others they point at.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use prost::Message;
use wire::{
    envoy::{
        config::{cluster::v3::Cluster, endpoint::v3::ClusterLoadAssignment, listener::v3::Listener},
        extensions::filters::network::http_connection_manager::v3::{
            HttpConnectionManager, http_connection_manager::RouteSpecifier,
        },
    },
    names,
};

use super::{authorization, connections, gates, limits::Limits, routes};
use crate::{
    clock,
    snapshot::{Authorization, ConnectionTable, Gate, Route},
};

/// A resource type we speak, in the order in which a whole answer is made of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    Listener,
    Route,
    Cluster,
    Endpoints,
}

impl Kind {
    pub(super) const ALL: [Kind; 4] = [Kind::Listener, Kind::Route, Kind::Cluster, Kind::Endpoints];

    pub(super) fn type_url(self) -> &'static str {
        match self {
            Self::Listener => names::LISTENER,
            Self::Route => names::ROUTE_CONFIGURATION,
            Self::Cluster => names::CLUSTER,
            Self::Endpoints => names::CLUSTER_LOAD_ASSIGNMENT,
        }
    }

    pub(super) fn from_type_url(url: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.type_url() == url)
    }
}

/// A resource with its version, or the knowledge that there is none of that name.
#[derive(Clone, Debug)]
pub(super) enum Held<T> {
    Present { version: String, resource: T },
    Absent,
}

impl<T> Held<T> {
    pub(super) fn present(&self) -> Option<(&str, &T)> {
        match self {
            Self::Present { version, resource } => Some((version, resource)),
            Self::Absent => None,
        }
    }
}

/// A listener, taken apart into what we use of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Entry {
    pub(super) listener: Listener,
    /// Route configuration for requests, if it takes any.
    pub(super) requests: Option<String>,
    /// Where opaque connections go, if it takes any.
    pub(super) bytes: Option<ConnectionTable<String>>,
    /// What requests must pass at single ports, of our own.
    pub(super) gates: BTreeMap<u32, Arc<Gate>>,
    /// What policies say of our own ports; under no number, of all others.
    pub(super) authorizations: BTreeMap<Option<u32>, Arc<Authorization>>,
}

/// All resources held, by name.
#[derive(Debug, Default)]
pub(super) struct Resources {
    pub(super) listeners: BTreeMap<String, Held<Entry>>,
    pub(super) routes: BTreeMap<String, Held<Vec<Route<String>>>>,
    pub(super) clusters: BTreeMap<String, Held<Cluster>>,
    pub(super) endpoints: BTreeMap<String, Held<ClusterLoadAssignment>>,
    limits: Limits,
}

impl Resources {
    /// Takes one resource in.
    ///
    /// # Errors
    /// What is wrong with it, for the NACK. Nothing is changed then; but of a route configuration, those routes that can be
    /// used are in force: what one team wrote must not hold up what others did.
    pub(super) fn insert(&mut self, kind: Kind, name: &str, version: &str, body: &[u8]) -> Result<(), String> {
        let version = version.to_owned();
        match kind {
            Kind::Listener => {
                let entry = entry(name, decode(name, body)?, &mut self.limits)?;
                put(&mut self.listeners, name, version, entry);
            }
            Kind::Route => {
                let (routes, mistakes) = routes::read(&decode(name, body)?, &mut self.limits, clock::now());
                put(&mut self.routes, name, version, routes);
                if !mistakes.is_empty() {
                    return Err(format!("{name}: {}", mistakes.join("; ")));
                }
            }
            Kind::Cluster => put(&mut self.clusters, name, version, decode(name, body)?),
            Kind::Endpoints => put(&mut self.endpoints, name, version, decode(name, body)?),
        }
        Ok(())
    }

    /// There is no resource of that name.
    pub(super) fn absent(&mut self, kind: Kind, name: &str) {
        let name = name.to_owned();
        match kind {
            Kind::Listener => drop(self.listeners.insert(name, Held::Absent)),
            Kind::Route => drop(self.routes.insert(name, Held::Absent)),
            Kind::Cluster => drop(self.clusters.insert(name, Held::Absent)),
            Kind::Endpoints => drop(self.endpoints.insert(name, Held::Absent)),
        }
    }

    /// Lets go of a resource nobody needs.
    pub(super) fn forget(&mut self, kind: Kind, name: &str) {
        match kind {
            Kind::Listener => drop(self.listeners.remove(name)),
            Kind::Route => drop(self.routes.remove(name)),
            Kind::Cluster => drop(self.clusters.remove(name)),
            Kind::Endpoints => drop(self.endpoints.remove(name)),
        }
    }

    /// Names and versions held of one kind.
    pub(super) fn versions(&self, kind: Kind) -> BTreeMap<String, String> {
        fn of<T>(map: &BTreeMap<String, Held<T>>) -> BTreeMap<String, String> {
            map.iter().filter_map(|(name, held)| held.present().map(|(version, _)| (name.clone(), version.to_owned()))).collect()
        }
        match kind {
            Kind::Listener => of(&self.listeners),
            Kind::Route => of(&self.routes),
            Kind::Cluster => of(&self.clusters),
            Kind::Endpoints => of(&self.endpoints),
        }
    }

    /// Names of `kind` that the held resources point at. Listeners are asked for by workers, so none point at those.
    pub(super) fn pointed_at(&self, kind: Kind) -> BTreeSet<String> {
        let entries = || self.listeners.values().filter_map(|held| held.present().map(|(_, entry)| entry));
        let clusters = || {
            let routes = self.routes.values().filter_map(Held::present).flat_map(|(_, routes)| routes);
            let tables = entries().filter_map(|entry| entry.bytes.as_ref());
            routes.flat_map(Route::clusters).chain(tables.flat_map(ConnectionTable::clusters)).cloned()
        };
        match kind {
            Kind::Listener => BTreeSet::new(),
            Kind::Route => entries().filter_map(|entry| entry.requests.clone()).collect(),
            // Endpoints go by their cluster's name, so both can be asked for at once.
            Kind::Cluster | Kind::Endpoints => clusters().collect(),
        }
    }
}

fn put<T>(map: &mut BTreeMap<String, Held<T>>, name: &str, version: String, resource: T) {
    map.insert(name.to_owned(), Held::Present { version, resource });
}

fn decode<T: Message + Default>(name: &str, body: &[u8]) -> Result<T, String> {
    T::decode(body).map_err(|error| format!("{name}: {error}"))
}

fn entry(name: &str, listener: Listener, limits: &mut Limits) -> Result<Entry, String> {
    let mut entry = Entry::default();
    let mut connections = Vec::new();
    for chain in listener.filter_chains.iter().chain(&listener.default_filter_chain) {
        let port = chain.filter_chain_match.as_ref().and_then(|wanted| wanted.destination_port);
        let gate = gates::of_port(chain.metadata.as_ref(), limits, clock::now()).map_err(|why| format!("{name}: {why}"))?;
        entry.gates.extend(port.zip(gate));
        let authorization = authorization::of(chain).map_err(|why| format!("{name}: {why}"))?;
        entry.authorizations.extend(authorization.map(|said| (port, Arc::new(said))));
        for filter in &chain.filters {
            let Some(config) = filter_config(filter) else { continue };
            match config.type_url.as_str() {
                names::HTTP_CONNECTION_MANAGER => {
                    let manager: HttpConnectionManager = decode(name, &config.value)?;
                    entry.requests = match manager.route_specifier {
                        Some(RouteSpecifier::Rds(rds)) => Some(rds.route_config_name),
                        _ => return Err(format!("{name}: its HTTP connection manager names no route configuration (rds)")),
                    };
                }
                names::TCP_PROXY => {
                    let routes = connections::read(chain, &decode(name, &config.value)?);
                    connections.extend(routes.map_err(|why| format!("{name}: {why}"))?);
                }
                names::RBAC => {}
                other => return Err(format!("{name}: a filter of the type {other} is not known")),
            }
        }
    }
    entry.bytes = (!connections.is_empty()).then(|| connections::table(connections));
    entry.listener = listener;
    Ok(entry)
}

fn filter_config(filter: &wire::envoy::config::listener::v3::Filter) -> Option<&prost_types::Any> {
    use wire::envoy::config::listener::v3::filter::ConfigType;
    match &filter.config_type {
        Some(ConfigType::TypedConfig(config)) => Some(config),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use wire::envoy::{
        config::route::v3::{Route, RouteConfiguration, RouteMatch, VirtualHost, route_match::PathSpecifier},
        r#type::matcher::v3::RegexMatcher,
    };

    use super::*;

    #[test]
    fn what_is_wrong_with_a_route_is_told_and_the_rest_is_held() {
        let route = |path_specifier| {
            let matching = RouteMatch { path_specifier: Some(path_specifier), ..Default::default() };
            Route { r#match: Some(matching), ..Default::default() }
        };
        let wrong = route(PathSpecifier::SafeRegex(RegexMatcher { regex: "(".into() }));
        let host = VirtualHost { routes: vec![wrong, route(PathSpecifier::Prefix("/".into()))], ..Default::default() };
        let configuration = RouteConfiguration { name: "cart".into(), virtual_hosts: vec![host] };
        let mut resources = Resources::default();
        let mistake = resources.insert(Kind::Route, "cart", "1", &configuration.encode_to_vec()).unwrap_err();
        assert!(mistake.starts_with("cart: route 0: ") && mistake.contains("route 1: "), "{mistake}");
        assert_eq!(resources.routes["cart"].present().unwrap().1.len(), 1);
    }
}
