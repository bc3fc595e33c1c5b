//! Envoy as a sidecar, configured much as a mesh would: one listener, a filter for the traffic, one cluster.

use std::{fs, process::Command};

use serde_json::{Value, json};

use super::{
    super::identities::{Identities, Identity, spiffe},
    Contestant, End, Place, Post, Traffic,
};

/// Where the types of Envoy's configuration are named.
const TYPES: &str = "type.googleapis.com/envoy";

pub(super) fn command(post: &Post, place: &Place) -> anyhow::Result<Command> {
    let config = place.scratch.join(format!("{}.json", post.word(Contestant::Envoy)));
    fs::write(&config, bootstrap(post, &place.identities).to_string())?;
    let mut command = Command::new(place.programs.path("envoy")?);
    command.arg("--config-path").arg(config);
    command.args(["--concurrency", "1", "--disable-hot-restart", "--log-level", "error"]);
    Ok(command)
}

fn bootstrap(post: &Post, identities: &Identities) -> Value {
    let (inward, onward) = match post.end {
        End::Client => (None, Some(upstream_tls(post.traffic, identities))),
        End::Server => (Some(downstream_tls(post.traffic, identities)), None),
    };
    let (address, port) = post.dials();
    let endpoint = json!({ "endpoint": { "address": socket(&address.to_string(), port) } });
    let mut cluster = json!({
        "name": "next",
        "type": "STATIC",
        "connect_timeout": "5s",
        "load_assignment": { "cluster_name": "next", "endpoints": [{ "lb_endpoints": [endpoint] }] },
        "circuit_breakers": { "thresholds": [
            { "max_connections": 100_000, "max_pending_requests": 100_000, "max_requests": 100_000 },
        ] },
    });
    if post.traffic.is_http2() {
        cluster["typed_extension_protocol_options"] = json!({ "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": format!("{TYPES}.extensions.upstreams.http.v3.HttpProtocolOptions"),
            "explicit_http_config": { "http2_protocol_options": {} },
        } });
    }
    if let Some(tls) = onward {
        cluster["transport_socket"] = tls;
    }
    let mut chain = json!({ "filters": [filter(post.traffic)] });
    if let Some(tls) = inward {
        chain["transport_socket"] = tls;
    }
    let listener = json!({
        "name": "in",
        "address": socket("0.0.0.0", post.listens()),
        "tcp_backlog_size": 4096,
        "filter_chains": [chain],
    });
    json!({ "static_resources": { "listeners": [listener], "clusters": [cluster] } })
}

fn socket(address: &str, port: u16) -> Value {
    json!({ "socket_address": { "address": address, "port_value": port } })
}

fn filter(traffic: Traffic) -> Value {
    let codec = match traffic {
        Traffic::Http1 => "HTTP1",
        Traffic::Http2 | Traffic::Grpc => "HTTP2",
        Traffic::Opaque => {
            return json!({ "name": "envoy.filters.network.tcp_proxy", "typed_config": {
                "@type": format!("{TYPES}.extensions.filters.network.tcp_proxy.v3.TcpProxy"),
                "stat_prefix": "in",
                "cluster": "next",
            } });
        }
    };
    let route = json!({ "match": { "prefix": "/" }, "route": { "cluster": "next", "timeout": "0s" } });
    json!({ "name": "envoy.filters.network.http_connection_manager", "typed_config": {
        "@type": format!("{TYPES}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"),
        "stat_prefix": "in",
        "codec_type": codec,
        "route_config": { "virtual_hosts": [{ "name": "all", "domains": ["*"], "routes": [route] }] },
        "http_filters": [{ "name": "envoy.filters.http.router", "typed_config": {
            "@type": format!("{TYPES}.extensions.filters.http.router.v3.Router"),
        } }],
    } })
}

fn upstream_tls(traffic: Traffic, identities: &Identities) -> Value {
    json!({ "name": "envoy.transport_sockets.tls", "typed_config": {
        "@type": format!("{TYPES}.extensions.transport_sockets.tls.v3.UpstreamTlsContext"),
        "sni": "server",
        // No session is kept to be resumed.
        "max_session_keys": 0,
        "common_tls_context": common_tls(traffic, &identities.client, identities, "server"),
    } })
}

fn downstream_tls(traffic: Traffic, identities: &Identities) -> Value {
    json!({ "name": "envoy.transport_sockets.tls", "typed_config": {
        "@type": format!("{TYPES}.extensions.transport_sockets.tls.v3.DownstreamTlsContext"),
        "require_client_certificate": true,
        "disable_stateless_session_resumption": true,
        "disable_stateful_session_resumption": true,
        "common_tls_context": common_tls(traffic, &identities.server, identities, "client"),
    } })
}

fn common_tls(traffic: Traffic, own: &Identity, identities: &Identities, peer: &str) -> Value {
    let alpn = match traffic {
        Traffic::Http1 => vec!["http/1.1"],
        Traffic::Http2 | Traffic::Grpc => vec!["h2"],
        Traffic::Opaque => vec![],
    };
    json!({
        "tls_params": { "tls_minimum_protocol_version": "TLSv1_3", "tls_maximum_protocol_version": "TLSv1_3" },
        "tls_certificates": [
            { "certificate_chain": { "filename": own.certificate }, "private_key": { "filename": own.key } },
        ],
        "validation_context": {
            "trusted_ca": { "filename": identities.root },
            "match_typed_subject_alt_names": [{ "san_type": "URI", "matcher": { "exact": spiffe(peer) } }],
        },
        "alpn_protocols": alpn,
    })
}
