//! Where requests go: the clusters that routes name.

use wire::{
    envoy::config::cluster::v3::{
        Cluster,
        cluster::{ClusterDiscoveryType, DiscoveryType, EdsClusterConfig},
    },
    names,
};

use super::{balancing, shape::aggregated, target::Target};
use crate::index::Index;

/// A cluster whose endpoints are asked for under its own name.
pub(super) fn cluster(index: &Index, name: &str, target: &Target<'_>) -> Cluster {
    let mut metadata = target.metadata();
    if let Some(time) = target.affinity() {
        names::add_text(&mut metadata, names::AFFINITY, &time.as_secs().to_string());
    }
    let cluster = Cluster {
        name: name.to_owned(),
        cluster_discovery_type: Some(ClusterDiscoveryType::Type(DiscoveryType::Eds.into())),
        eds_cluster_config: Some(EdsClusterConfig { eds_config: Some(aggregated()), service_name: name.to_owned() }),
        metadata: Some(metadata),
        ..Default::default()
    };
    match target {
        Target::Service(service, port) => balancing::with(cluster, &index.traffic_of_service(service, port)),
        Target::Pod(..) => cluster,
    }
}
