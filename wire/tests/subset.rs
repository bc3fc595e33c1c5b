//! Our messages are a true subset of the full definitions: what we write, others read whole; what they write, we read as
//! far as we name it.

use envoy_types::pb::envoy::{
    config as full_config,
    extensions::filters::{http as full_http, network as full_network},
    service::discovery::v3 as full_discovery,
};
use prost::Message;
use wire::envoy::{
    config::{
        cluster::v3::{
            CircuitBreakers, Cluster, OutlierDetection,
            circuit_breakers::{Thresholds, thresholds::RetryBudget},
            cluster::{ClusterDiscoveryType, CommonLbConfig, DiscoveryType, EdsClusterConfig, LbPolicy},
        },
        core::v3::{
            Address, AggregatedConfigSource, ApiVersion, ConfigSource, HeaderValue, HeaderValueOption, HealthStatus,
            Http1ProtocolOptions, Http2ProtocolOptions, Locality, Node, RuntimeFractionalPercent, SocketAddress,
            address::Address as AddressKind, config_source::ConfigSourceSpecifier, header_value_option::HeaderAppendAction,
            socket_address::PortSpecifier,
        },
        endpoint::v3::{
            ClusterLoadAssignment, Endpoint, LbEndpoint, LocalityLbEndpoints, cluster_load_assignment::Policy,
            lb_endpoint::HostIdentifier,
        },
        listener::v3::{
            ApiListener, Filter, FilterChain, FilterChainMatch, Listener, ListenerFilter, filter::ConfigType,
            listener_filter::ConfigType as ListenerFilterConfig,
        },
        route::v3::{
            DirectResponseAction, FilterConfig, HeaderMatcher, QueryParameterMatcher, RedirectAction, RetryPolicy, Route,
            RouteAction, RouteConfiguration, RouteMatch, VirtualHost, WeightedCluster,
            header_matcher::HeaderMatchSpecifier,
            query_parameter_matcher::QueryParameterMatchSpecifier,
            redirect_action::{PathRewriteSpecifier, RedirectResponseCode, SchemeRewriteSpecifier},
            retry_policy::RetryBackOff,
            route::Action,
            route_action::{
                ClusterNotFoundResponseCode, ClusterSpecifier, HashPolicy, MaxStreamDuration, RequestMirrorPolicy,
                hash_policy::{ConnectionProperties, Cookie, Header, PolicySpecifier},
            },
            route_match::PathSpecifier,
            weighted_cluster::ClusterWeight,
        },
    },
    extensions::filters::{
        common::fault::v3::{FaultDelay, fault_delay::FaultDelaySecifier},
        http::{
            cors::v3::CorsPolicy,
            fault::v3::{FaultAbort, HttpFault, fault_abort::ErrorType},
            local_ratelimit::v3::LocalRateLimit,
        },
    },
    extensions::{
        filters::network::{
            http_connection_manager::v3::{
                HttpConnectionManager, HttpFilter, Rds, http_connection_manager::RouteSpecifier,
                http_filter::ConfigType as HttpConfig,
            },
            tcp_proxy::v3::{
                TcpProxy,
                tcp_proxy::{
                    ClusterSpecifier as TcpCluster, WeightedCluster as TcpWeightedCluster,
                    weighted_cluster::ClusterWeight as TcpClusterWeight,
                },
            },
        },
        upstreams::http::v3::{
            HttpProtocolOptions,
            http_protocol_options::{
                ExplicitHttpConfig, UpstreamProtocolOptions, UseDownstreamHttpConfig, explicit_http_config::ProtocolConfig,
            },
        },
    },
    service::discovery::v3::{DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse, Resource},
    r#type::{
        matcher::v3::{RegexMatchAndSubstitute, RegexMatcher, StringMatcher, string_matcher::MatchPattern},
        v3::{FractionalPercent, Percent, TokenBucket, fractional_percent::DenominatorType},
    },
};

/// Every field that we set must be known to `Full`: bytes that it does not know would not come back. Maps may come back in
/// another order, so ours are compared, not bytes.
fn is_read_whole<Ours: Message + Default + PartialEq, Full: Message + Default>(ours: &Ours) {
    let sent = ours.encode_to_vec();
    let full = Full::decode(&*sent).expect("the full definition reads what we write");
    let back = full.encode_to_vec();
    assert_eq!(back.len(), sent.len(), "a field of ours is unknown to the full definition");
    assert!(
        Ours::decode(&*back).expect("we read what the full definition writes") == *ours,
        "a field of ours changed its meaning"
    );
}

/// What others write beside our fields is skipped, and what is ours is understood.
fn is_understood<Full: Message, Ours: Message + Default>(full: &Full) -> Ours {
    Ours::decode(&*full.encode_to_vec()).expect("we read what the full definition writes")
}

fn any(value: u8) -> prost_types::Any {
    prost_types::Any { type_url: String::from("type.googleapis.com/x"), value: vec![value] }
}

fn aggregated() -> ConfigSource {
    ConfigSource {
        config_source_specifier: Some(ConfigSourceSpecifier::Ads(AggregatedConfigSource {})),
        resource_api_version: ApiVersion::V3.into(),
    }
}

fn address() -> Address {
    let socket = SocketAddress { address: "10.77.0.5".into(), port_specifier: Some(PortSpecifier::PortValue(8080)) };
    Address { address: Some(AddressKind::SocketAddress(socket)) }
}

fn locality() -> Locality {
    Locality { region: "r".into(), zone: "z".into(), sub_zone: "s".into() }
}

fn metadata() -> wire::envoy::config::core::v3::Metadata {
    wire::names::metadata([(wire::names::SERVICE, "cart")])
}

#[test]
fn listeners() {
    let chain = FilterChain {
        filter_chain_match: Some(FilterChainMatch {
            destination_port: Some(80),
            application_protocols: vec!["h2c".into()],
            server_names: vec!["cart.example".into()],
        }),
        filters: vec![Filter { name: "f".into(), config_type: Some(ConfigType::TypedConfig(any(1))) }],
        metadata: Some(metadata()),
        name: "chain".into(),
    };
    let listener = Listener {
        name: "address/10.96.0.5:80".into(),
        address: Some(address()),
        filter_chains: vec![chain.clone()],
        metadata: Some(metadata()),
        listener_filters: vec![ListenerFilter {
            name: "inspector".into(),
            config_type: Some(ListenerFilterConfig::TypedConfig(any(3))),
        }],
        listener_filters_timeout: Some(prost_types::Duration { seconds: 1, nanos: 0 }),
        continue_on_listener_filters_timeout: true,
        bind_to_port: Some(false),
        api_listener: Some(ApiListener { api_listener: Some(any(2)) }),
        default_filter_chain: Some(chain),
    };
    is_read_whole::<_, full_config::listener::v3::Listener>(&listener);
}

#[test]
fn filters() {
    let rds = Rds { config_source: Some(aggregated()), route_config_name: "cart".into() };
    let manager = HttpConnectionManager {
        stat_prefix: "cart".into(),
        route_specifier: Some(RouteSpecifier::Rds(rds)),
        http_filters: vec![HttpFilter {
            name: "router".into(),
            config_type: Some(HttpConfig::TypedConfig(any(1))),
            is_optional: true,
        }],
    };
    is_read_whole::<_, full_network::http_connection_manager::v3::HttpConnectionManager>(&manager);
    let weighted = TcpWeightedCluster { clusters: vec![TcpClusterWeight { name: "cart".into(), weight: 3 }] };
    for cluster in [TcpCluster::Cluster("cart".into()), TcpCluster::WeightedClusters(weighted)] {
        let proxy = TcpProxy { stat_prefix: "cart".into(), cluster_specifier: Some(cluster) };
        is_read_whole::<_, full_network::tcp_proxy::v3::TcpProxy>(&proxy);
    }
}

fn fraction() -> FractionalPercent {
    FractionalPercent { numerator: 10, denominator: DenominatorType::TenThousand.into() }
}

#[test]
fn what_routes_say_to_filters() {
    is_read_whole::<_, full_config::route::v3::FilterConfig>(&FilterConfig { config: Some(any(1)), is_optional: true });
    let time = prost_types::Duration { seconds: 1, nanos: 2 };
    for error in [ErrorType::HttpStatus(503), ErrorType::GrpcStatus(14)] {
        let delay = FaultDelay { fault_delay_secifier: Some(FaultDelaySecifier::FixedDelay(time)), percentage: Some(fraction()) };
        let abort = FaultAbort { error_type: Some(error), percentage: Some(fraction()) };
        is_read_whole::<_, full_http::fault::v3::HttpFault>(&HttpFault { delay: Some(delay), abort: Some(abort) });
    }
    let all = || Some(RuntimeFractionalPercent { default_value: Some(fraction()) });
    let limit = LocalRateLimit {
        stat_prefix: "weft".into(),
        token_bucket: Some(TokenBucket { max_tokens: 1, tokens_per_fill: Some(2), fill_interval: Some(time) }),
        filter_enabled: all(),
        filter_enforced: all(),
    };
    is_read_whole::<_, full_http::local_ratelimit::v3::LocalRateLimit>(&limit);
    let policy = CorsPolicy {
        allow_origin_string_match: vec![StringMatcher {
            match_pattern: Some(MatchPattern::Exact("*".into())),
            ignore_case: false,
        }],
        allow_methods: "GET".into(),
        allow_headers: "a".into(),
        expose_headers: "b".into(),
        max_age: "5".into(),
        allow_credentials: Some(true),
        forward_not_matching_preflights: Some(true),
    };
    is_read_whole::<_, full_http::cors::v3::CorsPolicy>(&policy);
}

#[test]
fn routes() {
    let regex = || RegexMatcher { regex: "/v[0-9]+".into() };
    let text = |pattern| Some(StringMatcher { match_pattern: Some(pattern), ignore_case: true });
    let set = |append_action: HeaderAppendAction| HeaderValueOption {
        header: Some(HeaderValue { key: "x".into(), value: "y".into() }),
        append_action: append_action.into(),
    };
    let add = || vec![set(HeaderAppendAction::AppendIfExistsOrAdd), set(HeaderAppendAction::OverwriteIfExistsOrAdd)];
    let remove = || vec![String::from("z")];
    let duration = |seconds| Some(prost_types::Duration { seconds, nanos: 2 });
    let weighted = WeightedCluster {
        clusters: vec![ClusterWeight {
            name: "a".into(),
            weight: Some(90),
            request_headers_to_add: add(),
            response_headers_to_add: add(),
            response_headers_to_remove: remove(),
            request_headers_to_remove: remove(),
        }],
    };
    let header =
        |specifier| HeaderMatcher { name: ":method".into(), header_match_specifier: Some(specifier), invert_match: true };
    let parameter = |specifier| QueryParameterMatcher { name: "q".into(), query_parameter_match_specifier: Some(specifier) };
    let matching = |path| RouteMatch {
        path_specifier: Some(path),
        headers: vec![
            header(HeaderMatchSpecifier::StringMatch(text(MatchPattern::Exact("GET".into())).unwrap())),
            header(HeaderMatchSpecifier::PresentMatch(true)),
        ],
        query_parameters: vec![
            parameter(QueryParameterMatchSpecifier::StringMatch(text(MatchPattern::SafeRegex(regex())).unwrap())),
            parameter(QueryParameterMatchSpecifier::PresentMatch(true)),
        ],
    };
    let retries = RetryPolicy {
        retry_on: "5xx".into(),
        num_retries: Some(2),
        per_try_timeout: duration(1),
        retriable_status_codes: vec![503],
        retry_back_off: Some(RetryBackOff { base_interval: duration(1), max_interval: duration(2) }),
    };
    let mirror = RequestMirrorPolicy {
        cluster: "m".into(),
        runtime_fraction: Some(RuntimeFractionalPercent {
            default_value: Some(FractionalPercent { numerator: 10, denominator: DenominatorType::TenThousand.into() }),
        }),
    };
    let hash = |specifier| HashPolicy { policy_specifier: Some(specifier), terminal: true };
    let hashes = || {
        vec![
            hash(PolicySpecifier::Header(Header { header_name: "x-user".into() })),
            hash(PolicySpecifier::Cookie(Cookie { name: "session".into(), ttl: duration(3), path: "/".into() })),
            hash(PolicySpecifier::ConnectionProperties(ConnectionProperties { source_ip: true })),
        ]
    };
    let action = |specifier| {
        Action::Route(RouteAction {
            cluster_specifier: Some(specifier),
            prefix_rewrite: "/to".into(),
            host_rewrite_literal: "host".into(),
            timeout: duration(1),
            retry_policy: Some(retries.clone()),
            hash_policy: hashes(),
            idle_timeout: duration(3),
            cluster_not_found_response_code: ClusterNotFoundResponseCode::InternalServerError.into(),
            max_stream_duration: Some(MaxStreamDuration { max_stream_duration: duration(3) }),
            request_mirror_policies: vec![mirror.clone()],
            regex_rewrite: Some(RegexMatchAndSubstitute { pattern: Some(regex()), substitution: "/".into() }),
        })
    };
    let redirect = |path, code: RedirectResponseCode| {
        Action::Redirect(RedirectAction {
            host_redirect: "host".into(),
            response_code: code.into(),
            path_rewrite_specifier: Some(path),
            scheme_rewrite_specifier: Some(SchemeRewriteSpecifier::SchemeRedirect("https".into())),
            port_redirect: 8443,
        })
    };
    let route = |path, action| Route {
        r#match: Some(matching(path)),
        action: Some(action),
        metadata: Some(metadata()),
        request_headers_to_add: add(),
        response_headers_to_add: add(),
        response_headers_to_remove: remove(),
        request_headers_to_remove: remove(),
        typed_per_filter_config: [(String::from("filter"), any(1))].into(),
        name: "rule".into(),
    };
    let moved = redirect(PathRewriteSpecifier::PathRedirect("/to".into()), RedirectResponseCode::PermanentRedirect);
    let under = redirect(PathRewriteSpecifier::PrefixRewrite("/to".into()), RedirectResponseCode::Found);
    let host = VirtualHost {
        name: "all".into(),
        domains: vec!["*".into()],
        routes: vec![
            route(PathSpecifier::Prefix("/".into()), action(ClusterSpecifier::Cluster("cart".into()))),
            route(PathSpecifier::Path("/x".into()), action(ClusterSpecifier::WeightedClusters(weighted))),
            route(PathSpecifier::SafeRegex(regex()), moved),
            route(PathSpecifier::PathSeparatedPrefix("/y".into()), under),
            route(PathSpecifier::Prefix("/".into()), Action::DirectResponse(DirectResponseAction { status: 404 })),
        ],
    };
    let routes = RouteConfiguration { name: "cart".into(), virtual_hosts: vec![host] };
    is_read_whole::<_, full_config::route::v3::RouteConfiguration>(&routes);
}

#[test]
fn sessions() {
    use envoy_types::pb::envoy::extensions::{
        filters::http::stateful_session::v3 as full_filter, http::stateful_session as full_session,
    };
    use wire::envoy::{
        config::{core::v3::TypedExtensionConfig, route::v3::FilterConfig},
        extensions::{
            filters::http::stateful_session::v3::{
                StatefulSession, StatefulSessionPerRoute, stateful_session_per_route::Override,
            },
            http::stateful_session::{cookie::v3::CookieBasedSessionState, header::v3::HeaderBasedSessionState},
        },
        r#type::http::v3::Cookie,
    };
    let cookie = Cookie { name: "stay".into(), ttl: Some(prost_types::Duration { seconds: 1, nanos: 0 }), path: "/".into() };
    let by_cookie = CookieBasedSessionState { cookie: Some(cookie) };
    is_read_whole::<_, full_session::cookie::v3::CookieBasedSessionState>(&by_cookie);
    let by_header = HeaderBasedSessionState { name: "x-stay".into() };
    is_read_whole::<_, full_session::header::v3::HeaderBasedSessionState>(&by_header);
    let state = TypedExtensionConfig { name: "state".into(), typed_config: Some(any(1)) };
    let of_route =
        StatefulSessionPerRoute { r#override: Some(Override::StatefulSession(StatefulSession { session_state: Some(state) })) };
    is_read_whole::<_, full_filter::StatefulSessionPerRoute>(&of_route);
    let config = FilterConfig { config: Some(any(2)), is_optional: true };
    is_read_whole::<_, full_config::route::v3::FilterConfig>(&config);
    use prost::Name;
    for (ours, full) in [
        (wire::names::FILTER_CONFIG, full_config::route::v3::FilterConfig::full_name()),
        (wire::names::SESSIONS, full_filter::StatefulSession::full_name()),
        (wire::names::SESSION, full_filter::StatefulSessionPerRoute::full_name()),
        (wire::names::SESSION_COOKIE, full_session::cookie::v3::CookieBasedSessionState::full_name()),
        (wire::names::SESSION_HEADER, full_session::header::v3::HeaderBasedSessionState::full_name()),
    ] {
        assert_eq!(ours, format!("type.googleapis.com/{full}"));
    }
}

#[test]
fn clusters() {
    let duration = |seconds| Some(prost_types::Duration { seconds, nanos: 0 });
    let thresholds = Thresholds {
        max_connections: Some(1),
        max_pending_requests: Some(2),
        max_requests: Some(3),
        retry_budget: Some(RetryBudget {
            budget_percent: Some(Percent { value: 20.0 }),
            min_retry_concurrency: Some(3),
            budget_interval: duration(10),
        }),
    };
    let outliers = OutlierDetection {
        consecutive_5xx: Some(5),
        interval: duration(10),
        base_ejection_time: duration(5),
        max_ejection_percent: Some(50),
        enforcing_consecutive_5xx: Some(100),
        enforcing_success_rate: Some(0),
        failure_percentage_threshold: Some(50),
        enforcing_failure_percentage: Some(100),
        failure_percentage_minimum_hosts: Some(1),
        failure_percentage_request_volume: Some(20),
        max_ejection_time: duration(60),
        always_eject_one_host: Some(true),
    };
    let cluster = Cluster {
        name: "cart".into(),
        cluster_discovery_type: Some(ClusterDiscoveryType::Type(DiscoveryType::Eds.into())),
        eds_cluster_config: Some(EdsClusterConfig { eds_config: Some(aggregated()), service_name: "cart".into() }),
        connect_timeout: Some(prost_types::Duration { seconds: 1, nanos: 0 }),
        lb_policy: LbPolicy::Maglev.into(),
        circuit_breakers: Some(CircuitBreakers { thresholds: vec![thresholds] }),
        outlier_detection: Some(outliers),
        metadata: Some(metadata()),
        common_lb_config: Some(CommonLbConfig { healthy_panic_threshold: Some(Percent { value: 30.0 }) }),
        typed_extension_protocol_options: [(String::from("http"), any(1))].into(),
    };
    is_read_whole::<_, full_config::cluster::v3::Cluster>(&cluster);
    let explicit = ExplicitHttpConfig { protocol_config: Some(ProtocolConfig::Http2ProtocolOptions(Http2ProtocolOptions {})) };
    let downstream = UseDownstreamHttpConfig {
        http_protocol_options: Some(Http1ProtocolOptions {}),
        http2_protocol_options: Some(Http2ProtocolOptions {}),
    };
    for said in
        [UpstreamProtocolOptions::ExplicitHttpConfig(explicit), UpstreamProtocolOptions::UseDownstreamProtocolConfig(downstream)]
    {
        let options = HttpProtocolOptions { upstream_protocol_options: Some(said) };
        is_read_whole::<_, envoy_types::pb::envoy::extensions::upstreams::http::v3::HttpProtocolOptions>(&options);
    }
}

#[test]
fn endpoints() {
    let endpoint = LbEndpoint {
        host_identifier: Some(HostIdentifier::Endpoint(Endpoint { address: Some(address()) })),
        health_status: HealthStatus::Draining.into(),
        metadata: Some(metadata()),
        load_balancing_weight: Some(3),
    };
    let localities = LocalityLbEndpoints {
        locality: Some(locality()),
        lb_endpoints: vec![endpoint],
        load_balancing_weight: Some(4),
        priority: 1,
    };
    let policy = Policy { overprovisioning_factor: Some(140) };
    let assignment = ClusterLoadAssignment { cluster_name: "cart".into(), endpoints: vec![localities], policy: Some(policy) };
    is_read_whole::<_, full_config::endpoint::v3::ClusterLoadAssignment>(&assignment);
}

#[test]
fn discovery_in_both_variants() {
    let node = Node { id: "web-0.shop".into(), cluster: "web".into(), metadata: None, locality: Some(locality()) };
    let error = wire::google::rpc::Status { code: 3, message: "no".into(), details: vec![any(1)] };
    let plane = wire::envoy::config::core::v3::ControlPlane { identifier: "weft".into() };
    let request = DeltaDiscoveryRequest {
        node: Some(node.clone()),
        type_url: wire::names::CLUSTER.into(),
        resource_names_subscribe: vec!["a".into()],
        resource_names_unsubscribe: vec!["b".into()],
        initial_resource_versions: [("c".into(), "1".into())].into_iter().collect(),
        response_nonce: "n".into(),
        error_detail: Some(error.clone()),
    };
    is_read_whole::<_, full_discovery::DeltaDiscoveryRequest>(&request);
    let response = DeltaDiscoveryResponse {
        system_version_info: "v".into(),
        resources: vec![Resource { version: "1".into(), resource: Some(any(3)), name: "a".into() }],
        type_url: wire::names::CLUSTER.into(),
        nonce: "n".into(),
        removed_resources: vec!["b".into()],
        control_plane: Some(plane.clone()),
    };
    is_read_whole::<_, full_discovery::DeltaDiscoveryResponse>(&response);
    let request = DiscoveryRequest {
        version_info: "1".into(),
        node: Some(node),
        resource_names: vec!["a".into()],
        type_url: wire::names::LISTENER.into(),
        response_nonce: "n".into(),
        error_detail: Some(error),
    };
    is_read_whole::<_, full_discovery::DiscoveryRequest>(&request);
    let response = DiscoveryResponse {
        version_info: "1".into(),
        resources: vec![any(4)],
        type_url: wire::names::LISTENER.into(),
        nonce: "n".into(),
        control_plane: Some(plane),
    };
    is_read_whole::<_, full_discovery::DiscoveryResponse>(&response);
}

#[test]
fn a_listener_of_others_is_understood_as_far_as_we_speak() {
    use full_config::{core::v3 as core, listener::v3 as listener};
    let socket = core::SocketAddress {
        address: "10.96.0.5".into(),
        port_specifier: Some(core::socket_address::PortSpecifier::PortValue(80)),
        resolver_name: "skipped".into(),
        ..Default::default()
    };
    let full = listener::Listener {
        name: "address/10.96.0.5:80".into(),
        address: Some(core::Address { address: Some(core::address::Address::SocketAddress(socket)) }),
        stat_prefix: "skipped".into(),
        default_filter_chain: Some(listener::FilterChain { name: "bytes".into(), ..Default::default() }),
        ..Default::default()
    };
    let ours: Listener = is_understood(&full);
    assert_eq!(ours.name, full.name);
    assert_eq!(ours.default_filter_chain.map(|chain| chain.name), Some("bytes".into()));
    let Some(AddressKind::SocketAddress(socket)) = ours.address.and_then(|address| address.address) else { panic!("no address") };
    assert_eq!(socket.port_specifier, Some(PortSpecifier::PortValue(80)));
}

#[test]
fn endpoints_of_others_are_understood_as_far_as_we_speak() {
    use full_config::{core::v3 as core, endpoint::v3 as endpoint};
    let one = endpoint::LbEndpoint {
        host_identifier: Some(endpoint::lb_endpoint::HostIdentifier::Endpoint(endpoint::Endpoint {
            hostname: "skipped".into(),
            ..Default::default()
        })),
        health_status: core::HealthStatus::Draining.into(),
        ..Default::default()
    };
    let locality = endpoint::LocalityLbEndpoints { lb_endpoints: vec![one], priority: 2, ..Default::default() };
    let full = endpoint::ClusterLoadAssignment {
        cluster_name: "cart".into(),
        endpoints: vec![locality],
        policy: Some(endpoint::cluster_load_assignment::Policy::default()),
        ..Default::default()
    };
    let ours: ClusterLoadAssignment = is_understood(&full);
    assert_eq!(ours.endpoints[0].priority, 2);
    assert_eq!(ours.endpoints[0].lb_endpoints[0].health_status(), HealthStatus::Draining);
}

#[test]
fn services_and_types_have_the_names_that_others_know() {
    use envoy_types::pb::envoy::{
        extensions::{
            filters::{
                http::{
                    cors::v3::{Cors, CorsPolicy},
                    fault::v3::HttpFault,
                    local_ratelimit::v3::LocalRateLimit,
                    router::v3::Router,
                },
                listener::http_inspector::v3::HttpInspector,
            },
            upstreams::http::v3::HttpProtocolOptions,
        },
        service::discovery::v3::aggregated_discovery_service_server as full_service,
    };
    use prost::Name;
    use wire::{envoy::service::discovery::v3::aggregated_discovery_service_server as our_service, names};
    assert_eq!(our_service::SERVICE_NAME, full_service::SERVICE_NAME);
    let certificates = wire::istio::v1::auth::istio_certificate_service_server::SERVICE_NAME;
    assert_eq!(certificates, "istio.v1.auth.IstioCertificateService");
    for (ours, full) in [
        (names::LISTENER, full_config::listener::v3::Listener::full_name()),
        (names::ROUTE_CONFIGURATION, full_config::route::v3::RouteConfiguration::full_name()),
        (names::CLUSTER, full_config::cluster::v3::Cluster::full_name()),
        (names::CLUSTER_LOAD_ASSIGNMENT, full_config::endpoint::v3::ClusterLoadAssignment::full_name()),
        (names::HTTP_CONNECTION_MANAGER, full_network::http_connection_manager::v3::HttpConnectionManager::full_name()),
        (names::TCP_PROXY, full_network::tcp_proxy::v3::TcpProxy::full_name()),
        (names::ROUTER, Router::full_name()),
        (names::FILTER_CONFIG, full_config::route::v3::FilterConfig::full_name()),
        (names::CORS, Cors::full_name()),
        (names::CORS_POLICY, CorsPolicy::full_name()),
        (names::HTTP_FAULT, HttpFault::full_name()),
        (names::LOCAL_RATE_LIMIT, LocalRateLimit::full_name()),
        (names::HTTP_INSPECTOR, HttpInspector::full_name()),
        (names::HTTP_PROTOCOL_OPTIONS, HttpProtocolOptions::full_name()),
    ] {
        assert_eq!(ours, format!("type.googleapis.com/{full}"));
    }
}

#[test]
fn authorization() {
    use envoy_types::pb::envoy::extensions::{
        filters::http::rbac::v3 as full_filter, path::r#match::uri_template::v3 as full_template,
    };
    use prost::Name;
    use wire::envoy::{
        config::{
            core::v3::{CidrRange, TypedExtensionConfig},
            rbac::v3::{
                Permission, Policy, Principal, Rbac, permission, permission::Rule, principal, principal::Identifier, rbac,
            },
        },
        extensions::{filters::http::rbac::v3::Rbac as Filter, path::r#match::uri_template::v3::UriTemplateMatchConfig},
        r#type::matcher::v3::{PathMatcher, path_matcher},
    };
    let text = |pattern| StringMatcher { match_pattern: Some(pattern), ignore_case: true };
    let may = |rule| Permission { rule: Some(rule) };
    let path = PathMatcher { rule: Some(path_matcher::Rule::Path(text(MatchPattern::Contains("a".into())))) };
    let template = UriTemplateMatchConfig { path_template: "/a/*".into() };
    is_read_whole::<_, full_template::UriTemplateMatchConfig>(&template);
    let extension = TypedExtensionConfig { name: "template".into(), typed_config: Some(any(1)) };
    let present = HeaderMatcher {
        name: "x-a".into(),
        header_match_specifier: Some(HeaderMatchSpecifier::PresentMatch(true)),
        invert_match: false,
    };
    let permissions = vec![
        may(Rule::Any(true)),
        may(Rule::AndRules(permission::Set { rules: vec![may(Rule::DestinationPort(80)), may(Rule::UrlPath(path))] })),
        may(Rule::OrRules(permission::Set { rules: vec![may(Rule::UriTemplate(extension)), may(Rule::Header(present))] })),
        may(Rule::NotRule(Box::new(may(Rule::Any(true))))),
    ];
    let who = |identifier| Principal { identifier: Some(identifier) };
    let named = principal::Authenticated { principal_name: Some(text(MatchPattern::Suffix("/sa/web".into()))) };
    let block = CidrRange { address_prefix: "10.0.0.0".into(), prefix_len: Some(8) };
    let principals = vec![
        who(Identifier::Any(true)),
        who(Identifier::AndIds(principal::Set { ids: vec![who(Identifier::Authenticated(named))] })),
        who(Identifier::OrIds(principal::Set { ids: vec![who(Identifier::DirectRemoteIp(block))] })),
        who(Identifier::NotId(Box::new(who(Identifier::Any(true))))),
    ];
    let policies = [("shop/cart[0]".to_owned(), Policy { permissions, principals })].into();
    let filter = Filter { rules: Some(Rbac { action: rbac::Action::Deny.into(), policies }) };
    is_read_whole::<_, full_filter::Rbac>(&filter);
    for (ours, full) in [
        (wire::names::RBAC, full_filter::Rbac::full_name()),
        (wire::names::URI_TEMPLATE, full_template::UriTemplateMatchConfig::full_name()),
    ] {
        assert_eq!(ours, format!("type.googleapis.com/{full}"));
    }
}
