//! From the chains of a listener to where opaque connections go, by names of clusters that may not have arrived yet.

use smallvec::{SmallVec, smallvec};
use wire::envoy::{
    config::listener::v3::FilterChain,
    extensions::filters::network::tcp_proxy::v3::{
        TcpProxy,
        tcp_proxy::{ClusterSpecifier, weighted_cluster::ClusterWeight},
    },
};

use crate::snapshot::{Backend, ConnectionRoute, ConnectionTable, ServerName};

/// Where the connections of `chain` go, which ends with `proxy`: a route for each name of a server that it is for.
pub(super) fn read(chain: &FilterChain, proxy: &TcpProxy) -> Result<Vec<ConnectionRoute<String>>, String> {
    let backends: SmallVec<[Backend<String>; 1]> = match &proxy.cluster_specifier {
        Some(ClusterSpecifier::Cluster(cluster)) => smallvec![Backend::only(cluster.clone())],
        Some(ClusterSpecifier::WeightedClusters(weighted)) => weighted.clusters.iter().map(backend).collect(),
        None => return Err("its TCP proxy names no cluster".into()),
    };
    let names = chain.filter_chain_match.iter().flat_map(|wanted| &wanted.server_names);
    let mut servers: Vec<Option<ServerName>> = names.map(|name| Some(ServerName::read(name))).collect();
    if servers.is_empty() {
        servers.push(None);
    }
    Ok(servers.into_iter().map(|server| ConnectionRoute { server, backends: backends.clone() }).collect())
}

fn backend(ClusterWeight { name, weight }: &ClusterWeight) -> Backend<String> {
    Backend { weight: usize::try_from(*weight).unwrap_or(usize::MAX), ..Backend::only(name.clone()) }
}

/// Those that are for fewer connections go first, as Envoy looks for a chain: a name, then those under the longest one.
pub(super) fn table(mut routes: Vec<ConnectionRoute<String>>) -> ConnectionTable<String> {
    routes.sort_by_key(|route| match &route.server {
        Some(ServerName::Exact(_)) => (0, 0),
        Some(ServerName::Under(suffix)) => (1, usize::MAX - suffix.len()),
        None => (2, 0),
    });
    ConnectionTable { routes: routes.into() }
}

#[cfg(test)]
mod tests {
    use wire::envoy::{
        config::listener::v3::FilterChainMatch, extensions::filters::network::tcp_proxy::v3::tcp_proxy::WeightedCluster,
    };

    use super::*;

    fn chain(names: &[&str]) -> FilterChain {
        let server_names = names.iter().map(|name| (*name).to_owned()).collect();
        FilterChain { filter_chain_match: Some(FilterChainMatch { server_names, ..Default::default() }), ..Default::default() }
    }

    fn to(cluster: &str) -> TcpProxy {
        TcpProxy { cluster_specifier: Some(ClusterSpecifier::Cluster(cluster.into())), ..Default::default() }
    }

    #[test]
    fn the_narrowest_name_goes_first_in_whatever_order_chains_are_told() {
        let mut routes = read(&chain(&[]), &to("rest")).unwrap();
        routes.extend(read(&chain(&["*.example", "a.shop.example"]), &to("a")).unwrap());
        routes.extend(read(&chain(&["*.shop.example"]), &to("b")).unwrap());
        let table = table(routes);
        let order: Vec<&str> = table.clusters().map(String::as_str).collect();
        assert_eq!(order, ["a", "b", "a", "rest"]);
        assert!(table.needs_names());
    }

    #[test]
    fn those_that_share_connections_keep_their_weights() {
        let share = |name: &str, weight| ClusterWeight { name: name.into(), weight };
        let weighted = WeightedCluster { clusters: vec![share("v1", 9), share("v2", 1)] };
        let specifier = Some(ClusterSpecifier::WeightedClusters(weighted));
        let routes = read(&chain(&[]), &TcpProxy { cluster_specifier: specifier, ..Default::default() }).unwrap();
        assert_eq!(routes[0].backends.iter().map(|backend| backend.weight).collect::<Vec<_>>(), [9, 1]);
        assert!(!table(routes).needs_names());
        assert!(read(&chain(&[]), &TcpProxy::default()).is_err());
    }
}
