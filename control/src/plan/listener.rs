//! What an address is, and what a pod's own ports are.

use std::collections::BTreeMap;

use wire::{
    envoy::{
        config::listener::v3::{
            FilterChain, FilterChainMatch, Listener, ListenerFilter, listener_filter::ConfigType as ListenerConfigType,
        },
        extensions::filters::{
            http::{
                cors::v3::Cors, fault::v3::HttpFault, local_ratelimit::v3::LocalRateLimit, router::v3::Router,
                stateful_session::v3::StatefulSession,
            },
            listener::http_inspector::v3::HttpInspector,
            network::http_connection_manager::v3::{
                HttpConnectionManager, HttpFilter, Rds, http_connection_manager::RouteSpecifier,
                http_filter::ConfigType as HttpConfigType,
            },
        },
    },
    names,
};

use super::{
    authorization,
    callers::Callers,
    connections::{self, Chains},
    limits,
    shape::{aggregated, any, filter, socket},
    target::Target,
};
use crate::index::{Pod, Protocol, authorizations::Authorizations, traffic::RateLimit};

/// How long an Envoy waits for the first bytes before it takes a connection for one whose server speaks first.
const INSPECTION_MAX: prost_types::Duration = prost_types::Duration { seconds: 0, nanos: 250_000_000 };

/// What an address is. The shape other proxies know too: a chain for requests, and a default chain for all else; or the chains of
/// those routes that are about whole connections. Nobody can bind a service's address: an Envoy takes its connections from a listener with
/// `use_original_dst`.
pub(super) fn listener(name: &str, target: &Target<'_>, routed: Option<Chains>) -> Listener {
    let protocol = target.protocol();
    let behind = target.name();
    let tells_requests = routed.is_none() && protocol.takes_requests();
    let Chains { by_server, others } = routed.unwrap_or_else(|| Chains {
        by_server: protocol.takes_requests().then(|| requests(&behind)).into_iter().collect(),
        others: protocol.takes_bytes().then(|| connections::to(&behind)),
    });
    Listener {
        name: name.to_owned(),
        address: names::parse_address(name).map(socket),
        filter_chains: by_server,
        default_filter_chain: others,
        listener_filters: tells_requests.then(inspector).into_iter().collect(),
        listener_filters_timeout: tells_requests.then_some(INSPECTION_MAX),
        continue_on_listener_filters_timeout: tells_requests,
        bind_to_port: Some(false),
        metadata: Some(target.metadata()),
        ..Default::default()
    }
}

/// What a pod's own ports speak, who may call them, and how often. Nobody can declare all of them: the default chain is for the others.
pub(super) fn inbound(
    pod: &Pod,
    mut ports: BTreeMap<u16, Protocol>,
    callers: &Callers,
    rates: &BTreeMap<u16, Vec<RateLimit>>,
    authorizations: &Authorizations<'_>,
) -> Listener {
    for port in callers.ports().chain(rates.keys().copied()).chain(authorizations.ports.keys().copied()) {
        ports.entry(port).or_default();
    }
    let chain = |(port, protocol): (u16, Protocol)| {
        let policy = callers.at(port).map(|policy| (names::DEFAULT_POLICY, policy.word()));
        let rates = rates.get(&port).map(|rates| limits::text(rates));
        let rates = rates.as_deref().map(|rates| (names::RATE_LIMITS, rates));
        let proof = callers.need_proof_at(port).then_some((names::PROOF, names::REQUIRED));
        let said = [(names::PROTOCOL, protocol.word())].into_iter().chain(policy).chain(rates).chain(proof);
        let at_port = authorizations.ports.get(&port).into_iter().flatten();
        let policies: Vec<_> = authorizations.everywhere.iter().chain(at_port).copied().collect();
        FilterChain {
            filter_chain_match: Some(FilterChainMatch { destination_port: Some(u32::from(port)), ..Default::default() }),
            filters: authorization::filters(&policies),
            metadata: Some(names::metadata(said)),
            name: format!("port-{port}"),
        }
    };
    let proof = callers.need_proof().then_some((names::PROOF, names::REQUIRED));
    Listener {
        name: names::INBOUND.to_owned(),
        filter_chains: ports.into_iter().map(chain).collect(),
        default_filter_chain: Some(FilterChain {
            filters: authorization::filters(&authorizations.everywhere),
            metadata: Some(names::metadata([(names::PROTOCOL, Protocol::Auto.word())].into_iter().chain(proof))),
            name: String::from("other-ports"),
            ..Default::default()
        }),
        metadata: Some(names::metadata([
            (names::POD, pod.key.name.as_str()),
            (names::NAMESPACE, &pod.key.namespace),
            (names::DEFAULT_POLICY, callers.elsewhere().word()),
        ])),
        ..Default::default()
    }
}

fn requests(behind: &str) -> FilterChain {
    let manager = HttpConnectionManager {
        stat_prefix: behind.to_owned(),
        route_specifier: Some(RouteSpecifier::Rds(Rds {
            config_source: Some(aggregated()),
            route_config_name: behind.to_owned(),
        })),
        http_filters: http_filters(),
    };
    FilterChain {
        filter_chain_match: Some(FilterChainMatch {
            application_protocols: names::HTTP_PROTOCOLS.iter().map(|protocol| (*protocol).to_owned()).collect(),
            ..Default::default()
        }),
        filters: vec![filter("envoy.filters.network.http_connection_manager", any(names::HTTP_CONNECTION_MANAGER, &manager))],
        name: String::from("requests"),
        ..Default::default()
    }
}

/// What requests pass. What each does is for each route to say; whoever does not know one is not to refuse the whole.
pub(super) fn http_filters() -> Vec<HttpFilter> {
    let filter = |name: &str, config, is_optional| HttpFilter {
        name: name.to_owned(),
        config_type: Some(HttpConfigType::TypedConfig(config)),
        is_optional,
    };
    let rates = LocalRateLimit { stat_prefix: String::from("weft"), ..Default::default() };
    vec![
        filter(names::CORS_FILTER, any(names::CORS, &Cors {}), true),
        filter(names::FAULT_FILTER, any(names::HTTP_FAULT, &HttpFault::default()), true),
        filter(names::RATE_LIMIT_FILTER, any(names::LOCAL_RATE_LIMIT, &rates), true),
        filter(names::SESSION_FILTER, any(names::SESSIONS, &StatefulSession::default()), true),
        filter("envoy.filters.http.router", any(names::ROUTER, &Router {}), false),
    ]
}

/// By which an Envoy finds out whether the chain for requests is meant.
fn inspector() -> ListenerFilter {
    ListenerFilter {
        name: String::from("envoy.filters.listener.http_inspector"),
        config_type: Some(ListenerConfigType::TypedConfig(any(names::HTTP_INSPECTOR, &HttpInspector {}))),
    }
}
