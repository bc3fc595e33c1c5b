//! Where requests go: the clusters that routes name.

use std::collections::BTreeMap;

use prost_types::Any;
use wire::{
    envoy::{
        config::{
            cluster::v3::{
                Cluster,
                cluster::{ClusterDiscoveryType, DiscoveryType, EdsClusterConfig},
            },
            core::v3::{Http1ProtocolOptions, Http2ProtocolOptions},
        },
        extensions::upstreams::http::v3::{
            HttpProtocolOptions,
            http_protocol_options::{
                ExplicitHttpConfig, UpstreamProtocolOptions, UseDownstreamHttpConfig, explicit_http_config::ProtocolConfig,
            },
        },
    },
    names,
};

use super::{
    balancing,
    shape::{aggregated, any},
    target::Target,
};
use crate::index::{Index, Protocol};

/// Under which name Envoy looks for what a cluster says of HTTP.
const HTTP: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

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
        typed_extension_protocol_options: protocols(target.protocol()),
        ..Default::default()
    };
    match target {
        Target::Service(service, port) => balancing::with(cluster, &index.traffic_of_service(service, port)),
        Target::Pod(pod, address, _) => balancing::with(cluster, &index.traffic_of_pod(pod, address.port())),
    }
}

/// Which HTTP an Envoy asks endpoints in. It would speak HTTP/1.1 if nothing were said; ours finds out by itself.
fn protocols(declared: Protocol) -> BTreeMap<String, Any> {
    let (older, newer) = (Http1ProtocolOptions {}, Http2ProtocolOptions {});
    let said = match declared {
        Protocol::Tcp | Protocol::Tls => return BTreeMap::new(),
        Protocol::Http2 | Protocol::Grpc => UpstreamProtocolOptions::ExplicitHttpConfig(ExplicitHttpConfig {
            protocol_config: Some(ProtocolConfig::Http2ProtocolOptions(newer)),
        }),
        Protocol::Http | Protocol::Auto => UpstreamProtocolOptions::UseDownstreamProtocolConfig(UseDownstreamHttpConfig {
            http_protocol_options: Some(older),
            http2_protocol_options: Some(newer),
        }),
    };
    let options = HttpProtocolOptions { upstream_protocol_options: Some(said) };
    [(HTTP.to_owned(), any(names::HTTP_PROTOCOL_OPTIONS, &options))].into()
}
