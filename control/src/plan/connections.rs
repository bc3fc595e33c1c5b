//! Where opaque connections go: from the `TLSRoute`s or `TCPRoute`s of a service's port to chains of its listener.
//!
//! Of `TLSRoute`s each has the servers that it names, and the older one has what two name. Of `TCPRoute`s the oldest has all
//! connections. Neither kind tells its rules apart: the first counts. What nobody has is told no chain, and is broken off; so is the
//! share of a backend that cannot be found. Source: both kinds of the Gateway API, and GEP-1294 for routes of services.

use std::collections::BTreeSet;

use wire::{
    envoy::{
        config::listener::v3::{FilterChain, FilterChainMatch},
        extensions::filters::network::tcp_proxy::v3::{
            TcpProxy,
            tcp_proxy::{ClusterSpecifier, WeightedCluster, weighted_cluster::ClusterWeight},
        },
    },
    names,
};

use super::{
    routes::resolve,
    shape::{any, filter},
    target::Target,
};
use crate::index::{
    Index, Key,
    routes::{Action, Route, Servers},
};

/// Chains of a listener.
pub(super) struct Chains {
    pub(super) by_server: Vec<FilterChain>,
    /// For all else.
    pub(super) others: Option<FilterChain>,
}

/// Those of `target` as the proxy of `viewer` is told them; `None` where no routes are about whole connections.
pub(super) fn chains(index: &Index, viewer: Option<&Key>, target: &Target<'_>) -> Option<Chains> {
    let Target::Service(service, port) = target else { return None };
    let mut routes = index.routes_of(service, port, viewer.map(|viewer| viewer.namespace.as_str()));
    routes.retain(|route| !route.kind.is_of_requests());
    if routes.is_empty() {
        return None;
    }
    routes.sort_by_key(|route| route.made);
    let mut chains = Chains { by_server: Vec::new(), others: None };
    let mut taken = BTreeSet::new();
    for route in routes {
        let chain = || chain(&route.key.to_string(), destination(index, route));
        match &route.servers {
            Servers::All => chains.others = chains.others.take().or_else(|| Some(chain())),
            Servers::Named(names) => {
                let server_names: Vec<String> = names.iter().filter(|name| taken.insert(*name)).cloned().collect();
                if !server_names.is_empty() {
                    let wanted = FilterChainMatch { server_names, ..Default::default() };
                    chains.by_server.push(FilterChain { filter_chain_match: Some(wanted), ..chain() });
                }
            }
        }
    }
    Some(chains)
}

/// Every connection, to one cluster.
pub(super) fn to(cluster: &str) -> FilterChain {
    let to = ClusterSpecifier::Cluster(cluster.to_owned());
    let proxy = TcpProxy { stat_prefix: cluster.to_owned(), cluster_specifier: Some(to) };
    FilterChain { name: String::from("bytes"), ..ending_with(&proxy) }
}

fn chain(name: &str, to: ClusterSpecifier) -> FilterChain {
    FilterChain { name: name.to_owned(), ..ending_with(&TcpProxy { stat_prefix: name.to_owned(), cluster_specifier: Some(to) }) }
}

fn ending_with(proxy: &TcpProxy) -> FilterChain {
    FilterChain { filters: vec![filter("envoy.filters.network.tcp_proxy", any(names::TCP_PROXY, proxy))], ..Default::default() }
}

/// Who gets the connections of `route`.
fn destination(index: &Index, route: &Route) -> ClusterSpecifier {
    let backends = match route.rules.first().map(|rule| &rule.action) {
        Some(Action::Forward(forward)) => &forward.backends[..],
        _ => &[],
    };
    let shares = backends.iter().filter(|backend| backend.weight > 0).map(|backend| {
        let cluster = resolve(index, route, &backend.to).unwrap_or_else(|_| names::NO_BACKEND.to_owned());
        ClusterWeight { name: cluster, weight: backend.weight }
    });
    let mut clusters: Vec<ClusterWeight> = shares.collect();
    if clusters.len() > 1 {
        return ClusterSpecifier::WeightedClusters(WeightedCluster { clusters });
    }
    ClusterSpecifier::Cluster(clusters.pop().map_or_else(|| names::NO_BACKEND.to_owned(), |only| only.name))
}

#[cfg(test)]
mod tests {
    use wire::envoy::config::listener::v3::Listener;

    use super::*;
    use crate::{
        index::{
            Object, Protocol,
            routes::{
                Backend, RouteKind,
                tests::{key_in, route as route_to, rule, to as backend},
            },
            tests::{key, service},
        },
        plan::{Kind, resource, tests::mesh},
    };

    const CART: &str = "cart.shop.svc.cluster.local:80";
    const V2: &str = "cart-v2.shop.svc.cluster.local:80";

    fn told(index: &Index, namespace: &str) -> Listener {
        let viewer = key_in(namespace, "caller");
        let found = resource(index, Some(&viewer), &mesh(), Kind::Listener, "address/10.96.0.5:80").unwrap();
        prost::Message::decode(&found.body.value[..]).unwrap()
    }

    fn shop(protocol: Protocol, routes: impl IntoIterator<Item = Route>) -> Index {
        let mut index = Index::default();
        for (name, address) in [("cart", "10.96.0.5"), ("cart-v2", "10.96.0.6")] {
            index.apply(Object::Service(service(name, address, protocol)));
        }
        for route in routes {
            index.apply(Object::Route(route));
        }
        index
    }

    fn tcp(name: &str, backends: Vec<Backend>) -> Route {
        let rules = vec![rule(Vec::new(), backends)];
        Route { kind: RouteKind::Tcp, rules, ..route_to("shop", name, &key("cart"), &key("cart")) }
    }

    fn tls(name: &str, servers: &[&str], backends: Vec<Backend>) -> Route {
        let servers = Servers::Named(servers.iter().map(|name| (*name).to_owned()).collect());
        Route { kind: RouteKind::Tls, servers, ..tcp(name, backends) }
    }

    /// The names of servers, and to whom their connections go.
    fn shares(chain: &FilterChain) -> (Vec<String>, Vec<(String, u32)>) {
        use wire::envoy::config::listener::v3::filter::ConfigType;
        let Some(ConfigType::TypedConfig(config)) = &chain.filters[0].config_type else { panic!("no configuration") };
        let proxy: TcpProxy = prost::Message::decode(&config.value[..]).unwrap();
        let shares = match proxy.cluster_specifier.unwrap() {
            ClusterSpecifier::Cluster(only) => vec![(only, 1)],
            ClusterSpecifier::WeightedClusters(all) => all.clusters.into_iter().map(|share| (share.name, share.weight)).collect(),
        };
        (chain.filter_chain_match.clone().unwrap_or_default().server_names, shares)
    }

    fn rest(listener: &Listener) -> Vec<(String, u32)> {
        shares(listener.default_filter_chain.as_ref().unwrap()).1
    }

    fn share(cluster: &str, weight: u32) -> (String, u32) {
        (cluster.to_owned(), weight)
    }

    #[test]
    fn connections_are_shared_by_weight_and_are_nothing_else() {
        let backends =
            vec![backend(&key("cart"), 9), backend(&key("cart-v2"), 1), backend(&key("gone"), 2), backend(&key("cart"), 0)];
        let listener = told(&shop(Protocol::Auto, [tcp("r", backends)]), "shop");
        assert!(listener.filter_chains.is_empty(), "no requests are looked for");
        assert_eq!(rest(&listener), [share(CART, 9), share(V2, 1), share(names::NO_BACKEND, 2)]);
        let nobodys = told(&shop(Protocol::Tcp, [tcp("r", vec![backend(&key("cart"), 0)])]), "shop");
        assert_eq!(rest(&nobodys), [share(names::NO_BACKEND, 1)]);
    }

    #[test]
    fn the_oldest_route_has_all_connections() {
        let older = Route { made: 1, ..tcp("z", vec![backend(&key("cart-v2"), 1)]) };
        let newer = Route { made: 2, ..tcp("a", vec![backend(&key("cart"), 1)]) };
        assert_eq!(rest(&told(&shop(Protocol::Tcp, [newer, older]), "shop")), [share(V2, 1)]);
    }

    #[test]
    fn servers_are_told_apart_by_name_and_the_older_route_has_what_two_name() {
        let older = Route { made: 1, ..tls("z", &["a.shop", "*.shop"], vec![backend(&key("cart-v2"), 1)]) };
        let newer = Route { made: 2, ..tls("a", &["a.shop", "b.shop"], vec![backend(&key("cart"), 1)]) };
        let listener = told(&shop(Protocol::Tls, [newer.clone(), older.clone()]), "shop");
        let chains: Vec<_> = listener.filter_chains.iter().map(shares).collect();
        let named = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(chains, [(named(&["a.shop", "*.shop"]), vec![share(V2, 1)]), (named(&["b.shop"]), vec![share(CART, 1)])]);
        assert!(listener.default_filter_chain.is_none(), "what nobody named goes nowhere");
        let all = Route { servers: Servers::All, ..older };
        let listener = told(&shop(Protocol::Tls, [newer, all]), "shop");
        assert_eq!((listener.filter_chains.len(), rest(&listener)), (1, vec![share(V2, 1)]));
    }

    #[test]
    fn a_port_that_is_declared_to_speak_http_keeps_its_requests() {
        let listener = told(&shop(Protocol::Http, [tcp("r", vec![backend(&key("cart-v2"), 1)])]), "shop");
        assert_eq!((listener.filter_chains.len(), listener.default_filter_chain), (1, None));
    }

    #[test]
    fn a_consumers_routes_of_connections_are_his_alone() {
        let theirs = Route { key: key_in("other", "r"), ..tcp("r", vec![backend(&key("cart"), 2)]) };
        let index = shop(Protocol::Auto, [theirs]);
        assert_eq!((told(&index, "shop").filter_chains.len(), told(&index, "other").filter_chains.len()), (1, 0));
    }
}
