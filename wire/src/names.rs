//! Words both planes must agree on: resource types, resource names, and our metadata.

use std::{collections::BTreeMap, net::SocketAddr};

use prost_types::{Struct, Value, value::Kind};

use crate::envoy::config::core::v3::Metadata;

/// Listener resources: what an address is.
pub const LISTENER: &str = "type.googleapis.com/envoy.config.listener.v3.Listener";
/// Route configurations: which request goes to which cluster.
pub const ROUTE_CONFIGURATION: &str = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration";
/// Clusters: endpoints that can stand in for one another.
pub const CLUSTER: &str = "type.googleapis.com/envoy.config.cluster.v3.Cluster";
/// The endpoints of a cluster.
pub const CLUSTER_LOAD_ASSIGNMENT: &str = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";
/// A listener's filter for requests.
pub const HTTP_CONNECTION_MANAGER: &str =
    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
/// A listener's filter for opaque connections.
pub const TCP_PROXY: &str = "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy";
/// The HTTP filter that ends every chain.
pub const ROUTER: &str = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router";
/// What a route says to a filter.
pub const FILTER_CONFIG: &str = "type.googleapis.com/envoy.config.route.v3.FilterConfig";
/// The filter that tells browsers which pages may ask, by name, by its settings, and by what a route says to it.
pub const CORS_FILTER: &str = "envoy.filters.http.cors";
/// See [`CORS_FILTER`].
pub const CORS: &str = "type.googleapis.com/envoy.extensions.filters.http.cors.v3.Cors";
/// See [`CORS_FILTER`].
pub const CORS_POLICY: &str = "type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy";
/// The filter that spoils requests for a trial.
pub const FAULT_FILTER: &str = "envoy.filters.http.fault";
/// What is said to [`FAULT_FILTER`].
pub const HTTP_FAULT: &str = "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault";
/// The filter that counts how often is asked.
pub const RATE_LIMIT_FILTER: &str = "envoy.filters.http.local_ratelimit";
/// What is said to [`RATE_LIMIT_FILTER`].
pub const LOCAL_RATE_LIMIT: &str = "type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit";

/// The filter that keeps clients with their endpoints.
pub const SESSION_FILTER: &str = "envoy.filters.http.stateful_session";
/// Its settings where no route has any.
pub const SESSIONS: &str = "type.googleapis.com/envoy.extensions.filters.http.stateful_session.v3.StatefulSession";
/// Its settings for one route.
pub const SESSION: &str = "type.googleapis.com/envoy.extensions.filters.http.stateful_session.v3.StatefulSessionPerRoute";
/// Sessions that a cookie tells.
pub const SESSION_COOKIE: &str = "type.googleapis.com/envoy.extensions.http.stateful_session.cookie.v3.CookieBasedSessionState";
/// Sessions that a header tells.
pub const SESSION_HEADER: &str = "type.googleapis.com/envoy.extensions.http.stateful_session.header.v3.HeaderBasedSessionState";
/// The filter that asks who may do what.
pub const RBAC_FILTER: &str = "envoy.filters.http.rbac";
/// What is said to [`RBAC_FILTER`].
pub const RBAC: &str = "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC";
/// Paths by a template.
pub const URI_TEMPLATE: &str = "type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig";
/// The listener filter by which an Envoy tells requests from other bytes.
pub const HTTP_INSPECTOR: &str = "type.googleapis.com/envoy.extensions.filters.listener.http_inspector.v3.HttpInspector";
/// What a cluster says of the HTTP that its endpoints speak.
pub const HTTP_PROTOCOL_OPTIONS: &str = "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/// The listener that describes a proxy's own ports; every proxy gets its own under this name.
pub const INBOUND: &str = "inbound";

/// The cluster that stands in a route for backends that are none: nobody has it. Our proxy answers 500 to the share of requests that falls to
/// it, and so does Envoy, which routes tell; calls of gRPC's own clients fail as UNAVAILABLE.
pub const NO_BACKEND: &str = "no-backend";

/// Application protocols of a listener's chain for requests, as Envoy's HTTP inspector names them.
pub const HTTP_PROTOCOLS: [&str; 2] = ["http/1.1", "h2c"];

/// Key of our metadata in `filter_metadata`.
pub const METADATA: &str = "weft.dev";
/// Metadata: a service's name.
pub const SERVICE: &str = "service";
/// Metadata: a namespace.
pub const NAMESPACE: &str = "namespace";
/// Metadata: a declared protocol: `auto`, `http`, `http2`, `grpc`, `tcp` or `tls`.
pub const PROTOCOL: &str = "protocol";
/// Metadata: the SPIFFE ID an endpoint must prove; absent for one without a sidecar.
pub const IDENTITY: &str = "identity";
/// Metadata: a workload's name.
pub const WORKLOAD: &str = "workload";
/// Metadata: a pod's name.
pub const POD: &str = "pod";
/// Metadata: the port of a service that a cluster stands for, in decimal.
pub const PORT: &str = "port";
/// Metadata of [`INBOUND`], and of those of its chains at whose port it is another: who may call the app: `allow-all`, `allow-authenticated` or `deny`.
pub const DEFAULT_POLICY: &str = "default-policy";
/// Metadata beside [`DEFAULT_POLICY`]: `required` where callers must prove who they are, whatever else lets them in.
pub const PROOF: &str = "proof";
/// What [`PROOF`] says.
pub const REQUIRED: &str = "required";
/// Metadata: seconds since his last call for which a caller stays with the endpoint that he called; absent when he does not.
pub const AFFINITY: &str = "affinity-seconds";
/// Metadata of a cluster: how its endpoints share work: `peak-ewma`, `least-request`, `round-robin`, `random`, `ring-hash` or `maglev`. Absent
/// for the first.
pub const BALANCER: &str = "balancer";
/// Metadata of a cluster: milliseconds in which a new endpoint's share grows to that of the others.
pub const SLOW_START: &str = "slow-start-ms";
/// Metadata of a cluster: an endpoint that takes so many times as long as its neighbours is put out.
pub const LATENCY_FACTOR: &str = "outlier-latency-factor";
/// Metadata of a cluster: milliseconds that a request may wait for a place, where its circuit breakers leave none.
pub const QUEUE: &str = "queue-ms";
/// Metadata of routes, and of the chains of [`INBOUND`]: how often may be asked, one limit a line: `REQUESTS/MILLISECONDS/BURST/all NAME` or
/// `REQUESTS/MILLISECONDS/BURST/client NAME`. Wherever the same line stands, the same count is meant.
pub const RATE_LIMITS: &str = "rate-limits";
/// Metadata of a route: milliseconds after which a client's session there ends, however it is used; absent when it does not.
pub const SESSION_ABSOLUTE: &str = "session-absolute-ms";
/// Metadata of a route: milliseconds without a request after which a client's session there ends; absent when it does not.
pub const SESSION_IDLE: &str = "session-idle-ms";
/// Metadata of a cluster: how many requests may be sent once more, as `percent/interval_ms/per_second`.
pub const RETRY_BUDGET: &str = "retry-budget";
/// Metadata of a route: bytes of a request's body that are kept for another try.
pub const RETRY_BODY: &str = "retry-body-bytes";
/// Metadata of a route: milliseconds of silence after which a second endpoint is asked as well.
pub const HEDGE_AFTER: &str = "hedge-after-ms";
/// Metadata of a route: how many more may be asked at once.
pub const HEDGE_ATTEMPTS: &str = "hedge-attempts";

const ADDRESS: &str = "address/";

/// Name of the listener that says what an original destination is.
pub fn address(address: SocketAddr) -> String {
    format!("{ADDRESS}{address}")
}

/// The original destination a listener's name asks about; `None` for other names.
pub fn parse_address(name: &str) -> Option<SocketAddr> {
    name.strip_prefix(ADDRESS)?.parse().ok()
}

/// Name of the route configuration and of the cluster behind a service's port.
pub fn service_port(name: &str, namespace: &str, port: u16) -> String {
    format!("{name}.{namespace}.svc.cluster.local:{port}")
}

/// Name of the route configuration and of the cluster behind a bare pod address.
pub fn pod_port(address: SocketAddr) -> String {
    format!("pod/{address}")
}

/// The pod address a route configuration or cluster is named after; `None` for other names.
pub fn parse_pod_port(name: &str) -> Option<SocketAddr> {
    name.strip_prefix("pod/")?.parse().ok()
}

/// Name, namespace and port of the service a route configuration or cluster is named after; `None` for other names.
pub fn parse_service_port(name: &str) -> Option<(&str, &str, u16)> {
    let (host, port) = name.rsplit_once(':')?;
    let (name, namespace) = host.strip_suffix(".svc.cluster.local")?.split_once('.')?;
    Some((name, namespace, port.parse().ok()?))
}

/// Name, namespace and port of the service that a client of gRPC means by its target, as it would be written for DNS: `cart.shop:80`, with or without
/// `.svc` or `.svc.cluster.local`; `None` for other names.
pub fn parse_grpc_target(target: &str) -> Option<(&str, &str, u16)> {
    let (host, port) = target.rsplit_once(':')?;
    let (name, rest) = host.split_once('.')?;
    let namespace = rest.strip_suffix(".svc.cluster.local").or_else(|| rest.strip_suffix(".svc")).unwrap_or(rest);
    let whole = !name.is_empty() && !namespace.is_empty() && !namespace.contains(['.', '/']);
    whole.then_some((name, namespace, port.parse().ok()?))
}

/// How a pod's proxy calls itself in `Node.id`.
pub fn node_id(pod: &str, namespace: &str) -> String {
    format!("{pod}.{namespace}")
}

/// Our metadata with the given texts.
pub fn metadata<'a>(texts: impl IntoIterator<Item = (&'a str, &'a str)>) -> Metadata {
    let fields: BTreeMap<String, Value> =
        texts.into_iter().map(|(key, text)| (key.to_owned(), Value { kind: Some(Kind::StringValue(text.to_owned())) })).collect();
    Metadata { filter_metadata: [(METADATA.to_owned(), Struct { fields })].into_iter().collect() }
}

/// Adds a text to our metadata.
pub fn add_text(metadata: &mut Metadata, key: &str, text: &str) {
    let ours = metadata.filter_metadata.entry(METADATA.to_owned()).or_default();
    ours.fields.insert(key.to_owned(), Value { kind: Some(Kind::StringValue(text.to_owned())) });
}

/// One text of our metadata, if it is there.
pub fn metadata_text<'a>(metadata: Option<&'a Metadata>, key: &str) -> Option<&'a str> {
    match &metadata?.filter_metadata.get(METADATA)?.fields.get(key)?.kind {
        Some(Kind::StringValue(text)) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_made_of_an_address_is_read_back() {
        for text in ["10.96.0.5:80", "[fd77::5]:8080"] {
            let wanted: SocketAddr = text.parse().unwrap();
            assert_eq!(parse_address(&address(wanted)), Some(wanted));
        }
        assert_eq!(parse_address(INBOUND), None);
        assert_eq!(parse_address("address/nonsense"), None);
        assert_eq!(parse_service_port(&service_port("cart", "shop", 80)), Some(("cart", "shop", 80)));
        let pod: SocketAddr = "[fd77::5]:8080".parse().unwrap();
        assert_eq!(parse_pod_port(&pod_port(pod)), Some(pod));
    }

    #[test]
    fn a_target_of_grpc_means_a_service_as_dns_would() {
        for target in ["cart.shop:80", "cart.shop.svc:80", "cart.shop.svc.cluster.local:80"] {
            assert_eq!(parse_grpc_target(target), Some(("cart", "shop", 80)), "{target}");
        }
        for other in [
            "",
            "cart",
            "cart:80",
            "cart.shop",
            "cart.shop:x",
            ".shop:80",
            "cart.:80",
            "cart.shop.example:80",
            INBOUND,
            "address/10.96.0.5:80",
        ] {
            assert_eq!(parse_grpc_target(other), None, "{other}");
        }
    }

    #[test]
    fn metadata_is_read_back() {
        let metadata = metadata([(SERVICE, "cart"), (NAMESPACE, "shop")]);
        assert_eq!(metadata_text(Some(&metadata), SERVICE), Some("cart"));
        assert_eq!(metadata_text(Some(&metadata), POD), None);
    }
}
