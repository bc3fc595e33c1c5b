//! Routes, as proxies are told them: clause by clause, and against a slow model of what the Gateway API says.

mod calls;

use std::{collections::BTreeMap, sync::LazyLock, time::Duration};

use proptest::prelude::*;
use prost::Message;
use regex::Regex;
use wire::{
    envoy::{
        config::{
            core::v3::{HeaderValueOption, RuntimeFractionalPercent, header_value_option::HeaderAppendAction},
            route::v3::{
                DirectResponseAction, FilterConfig, RedirectAction, RouteMatch, WeightedCluster,
                header_matcher::HeaderMatchSpecifier,
                query_parameter_matcher::QueryParameterMatchSpecifier,
                redirect_action::{PathRewriteSpecifier, RedirectResponseCode},
                retry_policy::RetryBackOff,
                route_match::PathSpecifier,
            },
        },
        extensions::{
            filters::http::stateful_session::v3::{StatefulSessionPerRoute, stateful_session_per_route::Override},
            http::stateful_session::cookie::v3::CookieBasedSessionState,
        },
        r#type::matcher::v3::{RegexMatcher, StringMatcher, string_matcher::MatchPattern},
    },
    names,
};

use super::{super::view::View, *};
use crate::{
    index::{
        Edition, Object, Protocol, Subject,
        routes::{
            Action, Backend, CallMatch, Cors, Forward, HeaderChanges, Mirror, PathChange, PathMatch, Redirect, Reference, Retry,
            Rewrite, Route, RouteKind, Rule, Session, ToldBy, ValueMatch,
            tests::{grant, key_in, route as route_to, rule, to},
        },
        tests::{key, service},
        traffic::{Attached, Backoff, GrpcCode, Hedging, PolicyKind, Retries, RetryOn, Said, Timeouts, TrafficPolicy},
    },
    plan::Kind,
};

const CART: &str = "cart.shop.svc.cluster.local:80";
const V2: &str = "cart-v2.shop.svc.cluster.local:80";

fn shop(routes: impl IntoIterator<Item = Route>) -> Index {
    let mut index = Index::default();
    for (name, address) in [("cart", "10.96.0.5"), ("cart-v2", "10.96.0.6")] {
        index.apply(Object::Service(service(name, address, Protocol::Http)));
    }
    for route in routes {
        index.apply(Object::Route(route));
    }
    index
}

fn told(index: &Index, namespace: &str) -> Vec<xds::Route> {
    let target = Target::behind(index, CART).unwrap();
    let mut configuration = configuration(index, Some(&key_in(namespace, "caller")), CART, &target);
    assert_eq!((configuration.name.as_str(), configuration.virtual_hosts.len()), (CART, 1));
    configuration.virtual_hosts.remove(0).routes
}

/// A route of cart with one rule, and what its requests are told becomes of them.
fn becomes(rule: Rule) -> xds::Route {
    told(&shop([Route { rules: vec![rule], ..route_to("shop", "r", &key("cart"), &key("cart")) }]), "shop").remove(0)
}

fn forward(route: &xds::Route) -> RouteAction {
    match &route.action {
        Some(route::Action::Route(forward)) => forward.clone(),
        other => panic!("not forwarded: {other:?}"),
    }
}

fn forwarding(forward: Forward) -> Rule {
    Rule { action: Action::Forward(forward), ..rule(vec![Match::all()], Vec::new()) }
}

fn fails(route: &xds::Route) -> bool {
    route.action == Some(route::Action::DirectResponse(DirectResponseAction { status: 500 }))
}

fn prefix(path: &str) -> Match {
    Match { path: PathMatch::Prefix(path.into()), ..Match::all() }
}

#[test]
fn what_browsers_ask_before_is_for_the_rule_whose_method_they_mean() {
    let cors = Cors {
        origins: Vec::new(),
        credentials: false,
        methods: Vec::new(),
        headers: Vec::new(),
        exposed: Vec::new(),
        max_age: 5,
    };
    let named = |method: &str, cors: Option<&Cors>| {
        let wanted = Match { method: Some(method.into()), ..Match::all() };
        let rule = Rule { cors: cors.cloned(), ..rule(vec![wanted], vec![to(&key("cart"), 1)]) };
        let route = Route { rules: vec![rule], ..route_to("shop", "r", &key("cart"), &key("cart")) };
        let mut routes = told(&shop([route]), "shop");
        routes.pop();
        let names = |route: &xds::Route| -> Vec<String> {
            route.r#match.iter().flat_map(|wanted| &wanted.headers).map(|header| header.name.clone()).collect()
        };
        routes.iter().map(names).collect::<Vec<_>>()
    };
    let asked_before = vec![":method".to_owned(), "origin".to_owned(), "access-control-request-method".to_owned()];
    assert_eq!(named("PUT", Some(&cors)), [asked_before, vec![":method".to_owned()]]);
    assert_eq!(named("OPTIONS", Some(&cors)).len(), 1);
    assert_eq!(named("PUT", None).len(), 1);
}

#[test]
fn a_port_without_routes_takes_every_request_to_its_own_cluster() {
    let routes = told(&shop([]), "shop");
    assert_eq!(routes, [straight_to(CART, &Said::default())]);
    let elsewhere = route_to("shop", "r", &key("cart-v2"), &key("cart"));
    assert_eq!(told(&shop([elsewhere]), "shop"), routes);
}

#[test]
fn what_no_rule_is_for_is_answered_404() {
    let mut route = route_to("shop", "r", &key("cart"), &key("cart-v2"));
    route.rules[0].matches = vec![prefix("/a")];
    let routes = told(&shop([route]), "shop");
    assert_eq!(forward(&routes[0]).cluster_specifier, Some(ClusterSpecifier::Cluster(V2.into())));
    assert_eq!(routes[1].action, Some(route::Action::DirectResponse(DirectResponseAction { status: 404 })));
    assert_eq!(routes.len(), 2);
}

#[test]
fn a_consumer_is_told_his_own_routes_and_nobody_else_is() {
    let index = shop([route_to("other", "theirs", &key("cart"), &key("cart"))]);
    assert_eq!(told(&index, "shop"), [straight_to(CART, &Said::default())]);
    assert_eq!(told(&index, "other").len(), 2);
    let view = |namespace| View::of(&index, Some(&key_in(namespace, "caller")), Kind::Route, CART);
    assert_eq!((view("shop"), view("third")), (None, None));
    assert_eq!(view("other"), Some(View::Namespace("other".into())));
    assert_eq!(super::super::subject(Some(&key_in("other", "caller")), Kind::Route, CART), Some(Subject::Service(key("cart"))));
}

#[test]
fn matches_are_said_in_the_words_of_xds() {
    let wanted = Match {
        path: PathMatch::Exact("/a".into()),
        headers: vec![("x".into(), ValueMatch::Exact("1".into())), ("y".into(), ValueMatch::Regex("2.*".into()))],
        query: vec![("q".into(), ValueMatch::Exact("3".into()))],
        method: Some("GET".into()),
    };
    let found = matches::of(&wanted, false).remove(0);
    let names: Vec<&str> = found.headers.iter().map(|header| header.name.as_str()).collect();
    assert_eq!((names, found.query_parameters[0].name.as_str()), (vec![":method", "x", "y"], "q"));
    for (path, expected) in [
        (PathMatch::Exact("/a".into()), PathSpecifier::Path("/a".into())),
        (PathMatch::Prefix("/a".into()), PathSpecifier::PathSeparatedPrefix("/a".into())),
        (PathMatch::Prefix(String::new()), PathSpecifier::Prefix("/".into())),
    ] {
        assert_eq!(matches::of(&Match { path, ..wanted.clone() }, false)[0].path_specifier, Some(expected));
    }
}

#[test]
fn shares_follow_weights_and_those_of_nobody_fail() {
    let there = key_in("depot", "stock");
    let weighted = |backends: Vec<Backend>| becomes(rule(vec![Match::all()], backends));
    let other = Backend { to: Reference::Other("Bucket shop/b".into()), ..to(&key("cart"), 2) };
    let no_port = Backend { to: Reference::Service(key("cart"), Some(81)), ..to(&key("cart"), 2) };
    for nobody in [to(&key("gone"), 2), to(&there, 2), other, no_port] {
        let Some(ClusterSpecifier::WeightedClusters(WeightedCluster { clusters })) =
            forward(&weighted(vec![to(&key("cart"), 8), nobody.clone(), to(&key("cart-v2"), 0)])).cluster_specifier
        else {
            panic!("one cluster")
        };
        let shares: Vec<_> = clusters.iter().map(|share| (share.name.as_str(), share.weight)).collect();
        assert_eq!(shares, [(CART, Some(8)), (names::NO_BACKEND, Some(2))]);
        assert!(fails(&weighted(vec![nobody, to(&key("cart"), 0)])));
    }
    assert!(fails(&weighted(Vec::new())) && fails(&weighted(vec![to(&key("cart"), 0)])));
}

#[test]
fn a_service_of_another_namespace_needs_a_grant() {
    let there = key_in("depot", "stock");
    let mut index = shop([route_to("shop", "r", &key("cart"), &there)]);
    index.apply(Object::Service(crate::index::Service { key: there, ..service("stock", "10.96.0.7", Protocol::Http) }));
    assert!(fails(&told(&index, "shop")[0]));
    index.apply(Object::ReferenceGrant(grant("depot", "shop")));
    let stock = ClusterSpecifier::Cluster("stock.depot.svc.cluster.local:80".into());
    assert_eq!(forward(&told(&index, "shop")[0]).cluster_specifier, Some(stock));
}

#[test]
fn header_fields_are_changed_for_all_requests_and_for_one_backends() {
    let changes = |name: &str| HeaderChanges {
        set: vec![(name.into(), "50%".into())],
        add: vec![(name.into(), "more".into())],
        remove: vec![format!("no-{name}")],
    };
    let backend = Backend { request: changes("x"), response: changes("y"), ..to(&key("cart"), 1) };
    let made = becomes(Rule { request: changes("a"), response: changes("b"), ..rule(vec![Match::all()], vec![backend]) });
    let said = |options: &[HeaderValueOption]| -> Vec<(String, String, HeaderAppendAction)> {
        let said = options.iter().map(|option| (option.header.clone().unwrap(), option.append_action()));
        said.map(|(header, action)| (header.key, header.value, action)).collect()
    };
    let expected = |name: &str| {
        vec![
            (name.to_owned(), "50%%".to_owned(), HeaderAppendAction::OverwriteIfExistsOrAdd),
            (name.to_owned(), "more".to_owned(), HeaderAppendAction::AppendIfExistsOrAdd),
        ]
    };
    assert_eq!((said(&made.request_headers_to_add), said(&made.response_headers_to_add)), (expected("a"), expected("b")));
    assert_eq!(
        (made.request_headers_to_remove.as_slice(), made.response_headers_to_remove.as_slice()),
        (&["no-a".to_owned()][..], &["no-b".to_owned()][..])
    );
    let Some(ClusterSpecifier::WeightedClusters(WeightedCluster { clusters })) = forward(&made).cluster_specifier else {
        panic!("its fields are not changed")
    };
    assert_eq!(
        (said(&clusters[0].request_headers_to_add), said(&clusters[0].response_headers_to_add)),
        (expected("x"), expected("y"))
    );
    assert_eq!(clusters[0].request_headers_to_remove, ["no-x"]);
    assert_eq!(clusters[0].response_headers_to_remove, ["no-y"]);
}

#[test]
fn a_rule_keeps_its_name_its_limits_of_time_and_its_tries() {
    let limits = Forward {
        backends: vec![to(&key("cart"), 1)],
        timeout: Some(Duration::from_millis(1500)),
        try_timeout: Some(Duration::ZERO),
        ..Forward::default()
    };
    let made = becomes(Rule { name: "slow".into(), ..forwarding(limits) });
    let sent = forward(&made);
    assert_eq!(made.name, "slow");
    assert_eq!(sent.timeout, Some(prost_types::Duration { seconds: 1, nanos: 500_000_000 }));
    assert_eq!(sent.retry_policy.unwrap().per_try_timeout, Some(prost_types::Duration::default()));
    let retried = |retry| {
        let limits = Forward { backends: vec![to(&key("cart"), 1)], retry: Some(retry), ..Forward::default() };
        forward(&becomes(forwarding(limits))).retry_policy
    };
    let usual = retried(Retry::default()).unwrap();
    assert_eq!(
        (usual.retry_on.as_str(), usual.num_retries, usual.retry_back_off),
        ("connect-failure,refused-stream,reset", None, None)
    );
    let wait = Some(Duration::from_millis(100));
    let full = retried(Retry { codes: vec![500, 503], attempts: Some(3), backoff: wait }).unwrap();
    assert_eq!((full.num_retries, full.retriable_status_codes), (Some(3), vec![500, 503]));
    assert!(full.retry_on.ends_with(",retriable-status-codes"), "{}", full.retry_on);
    let [base, max] = [100_000_000, 1_000_000_000].map(|nanos| Duration::from_nanos(nanos).try_into().ok());
    assert_eq!(full.retry_back_off, Some(RetryBackOff { base_interval: base, max_interval: max }));
    assert_eq!(retried(Retry { attempts: Some(0), ..Retry::default() }), None);
    let unlimited = forward(&becomes(rule(vec![Match::all()], vec![to(&key("cart"), 1)])));
    assert_eq!((unlimited.timeout, unlimited.retry_policy), (None, None));
}

#[test]
fn a_session_is_told_in_envoys_words_and_keeps_those_who_weigh_nothing() {
    let session =
        Session { told_by: ToldBy::PermanentCookie, name: String::new(), absolute: Some(Duration::from_secs(60)), idle: None };
    let backends = vec![to(&key("cart"), 1), to(&key("cart-v2"), 0)];
    let made = becomes(forwarding(Forward { backends, session: Some(session), ..Forward::default() }));
    let config = FilterConfig::decode(&made.typed_per_filter_config[names::SESSION_FILTER].value[..]).unwrap();
    let of_route = StatefulSessionPerRoute::decode(&config.config.as_ref().unwrap().value[..]).unwrap();
    let Some(Override::StatefulSession(session)) = of_route.r#override else { panic!("no session") };
    let state = session.session_state.unwrap().typed_config.unwrap();
    let cookie = CookieBasedSessionState::decode(&state.value[..]).unwrap().cookie.unwrap();
    assert!(config.is_optional && cookie.name.starts_with("weft-session-"));
    assert_eq!((cookie.ttl.unwrap().seconds, cookie.path.as_str()), (60, "/"));
    assert_eq!(names::metadata_text(made.metadata.as_ref(), names::SESSION_ABSOLUTE), Some("60000"));
    let Some(ClusterSpecifier::WeightedClusters(all)) = forward(&made).cluster_specifier else { panic!("one cluster") };
    let shares: Vec<_> = all.clusters.iter().map(|share| (share.name.as_str(), share.weight)).collect();
    assert_eq!(shares, [(CART, Some(1)), (V2, Some(0))]);
    let without = becomes(rule(vec![Match::all()], vec![to(&key("cart"), 1)]));
    assert!(without.typed_per_filter_config.is_empty() && without.metadata.is_none());
}

#[test]
fn copies_go_to_whoever_can_be_found() {
    let mirrors = [(key("cart-v2"), 1_000_000), (key("cart-v2"), 250_000), (key("gone"), 1_000_000)];
    let mirror = |(service, millionths)| Mirror { to: Reference::Service(service, Some(80)), millionths };
    let mirrors = mirrors.into_iter().map(mirror).collect();
    let made = becomes(forwarding(Forward { backends: vec![to(&key("cart"), 1)], mirrors, ..Forward::default() }));
    let part = |of: &RuntimeFractionalPercent| of.default_value.as_ref().map(|part| part.numerator);
    let policies = forward(&made).request_mirror_policies;
    let parts: Vec<_> =
        policies.iter().map(|policy| (policy.cluster.as_str(), policy.runtime_fraction.as_ref().and_then(part))).collect();
    assert_eq!(parts, [(V2, None), (V2, Some(250_000))]);
}

#[test]
fn callers_are_sent_elsewhere() {
    let redirect = |redirect: Redirect| -> RedirectAction {
        let made = becomes(Rule { action: Action::Redirect(redirect), ..rule(vec![prefix("/a")], Vec::new()) });
        let Some(route::Action::Redirect(made)) = made.action else { panic!("not sent elsewhere") };
        made
    };
    let plain = Redirect { scheme: None, host: None, port: None, path: None, status: 302 };
    let made = redirect(plain.clone());
    assert_eq!((made.response_code(), made.port_redirect, made.host_redirect.as_str()), (RedirectResponseCode::Found, 0, ""));
    for (status, code) in [
        (301, RedirectResponseCode::MovedPermanently),
        (303, RedirectResponseCode::SeeOther),
        (307, RedirectResponseCode::TemporaryRedirect),
        (308, RedirectResponseCode::PermanentRedirect),
    ] {
        assert_eq!(redirect(Redirect { status, ..plain.clone() }).response_code(), code);
    }
    let port = |scheme: Option<&str>, port| {
        redirect(Redirect { scheme: scheme.map(str::to_owned), port, ..plain.clone() }).port_redirect
    };
    assert_eq!((port(Some("https"), None), port(Some("http"), None), port(Some("https"), Some(8443))), (443, 80, 8443));
    let full = redirect(Redirect { path: Some(PathChange::Full("/b".into())), ..plain.clone() });
    assert_eq!(full.path_rewrite_specifier, Some(PathRewriteSpecifier::PathRedirect("/b".into())));
    let part = redirect(Redirect { host: Some("b.example".into()), path: Some(PathChange::Prefix("/b".into())), ..plain });
    assert_eq!(part.path_rewrite_specifier, Some(PathRewriteSpecifier::PrefixRewrite("/b".into())));
    assert_eq!((part.host_redirect.as_str(), part.port_redirect), ("b.example", 0));
}

#[test]
fn a_request_is_made_into_another() {
    let rewrite = |host: Option<&str>, path| {
        let rewrite = Rewrite { host: host.map(str::to_owned), path };
        forward(&becomes(forwarding(Forward { backends: vec![to(&key("cart"), 1)], rewrite, ..Forward::default() })))
    };
    assert_eq!(rewrite(Some("b.example"), None).host_rewrite_literal, "b.example");
    let full = rewrite(None, Some(PathChange::Full(r"/b\1".into()))).regex_rewrite.unwrap();
    assert_eq!((full.pattern.unwrap().regex.as_str(), full.substitution.as_str()), ("^.*$", r"/b\\1"));
}

/// Source: the table of `ReplacePrefixMatch`, and what it comes to for the prefix of all paths.
#[test]
fn a_prefix_is_replaced_by_whole_elements() {
    for (path, wanted, new, expected) in [
        ("/foo/bar", "/foo", "/xyz", "/xyz/bar"),
        ("/foo", "/foo", "/xyz", "/xyz"),
        ("/foo/", "/foo", "/xyz", "/xyz/"),
        ("/foo/bar", "/foo", "", "/bar"),
        ("/foo/", "/foo", "", "/"),
        ("/foo", "/foo", "", "/"),
        ("/foo", "", "/xyz", "/xyz/foo"),
        ("/foo", "", "", "/foo"),
    ] {
        let rewrite = Rewrite { host: None, path: Some(PathChange::Prefix(new.into())) };
        let rule = Rule {
            matches: vec![prefix(wanted)],
            ..forwarding(Forward { backends: vec![to(&key("cart"), 1)], rewrite, ..Forward::default() })
        };
        let routes = told(&shop([Route { rules: vec![rule], ..route_to("shop", "r", &key("cart"), &key("cart")) }]), "shop");
        let call = Call { path, ..Call::default() };
        let first = routes.iter().find(|route| call.is_for(route.r#match.as_ref().unwrap())).unwrap();
        let matched = match first.r#match.as_ref().unwrap().path_specifier.as_ref().unwrap() {
            PathSpecifier::Path(path) | PathSpecifier::Prefix(path) | PathSpecifier::PathSeparatedPrefix(path) => path.len(),
            PathSpecifier::SafeRegex(_) => panic!("no regular expression was asked for"),
        };
        assert_eq!(format!("{}{}", forward(first).prefix_rewrite, &path[matched..]), expected, "{path} {wanted} {new}");
    }
}

#[test]
fn what_a_rule_cannot_do_to_its_requests_fails_them() {
    assert!(fails(&becomes(Rule { action: Action::Fail, ..rule(vec![Match::all()], Vec::new()) })));
}

/// A request, as far as matches look at it.
#[derive(Clone, Debug, Default)]
struct Call {
    path: &'static str,
    method: &'static str,
    headers: BTreeMap<&'static str, &'static str>,
    query: BTreeMap<&'static str, &'static str>,
}

/// Regular expressions, for all of a text.
static REGEXES: LazyLock<BTreeMap<&str, Regex>> = LazyLock::new(|| {
    ["/a.*", "/[a-z]/b", "[12]"].into_iter().map(|regex| (regex, Regex::new(&format!("^(?:{regex})$")).unwrap())).collect()
});

/// As a proxy reads what it is told.
impl Call {
    fn is_for(&self, wanted: &RouteMatch) -> bool {
        let path = match wanted.path_specifier.as_ref().unwrap() {
            PathSpecifier::Path(path) => self.path == path,
            PathSpecifier::Prefix(prefix) => self.path.starts_with(prefix.as_str()),
            PathSpecifier::PathSeparatedPrefix(prefix) => {
                self.path.strip_prefix(prefix.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            }
            PathSpecifier::SafeRegex(regex) => REGEXES[regex.regex.as_str()].is_match(self.path),
        };
        let headers = wanted.headers.iter().all(|header| {
            let value = if header.name == ":method" { Some(&self.method) } else { self.headers.get(header.name.as_str()) };
            let Some(HeaderMatchSpecifier::StringMatch(text)) = &header.header_match_specifier else { return false };
            value.is_some_and(|value| is(text, value))
        });
        path && headers
            && wanted.query_parameters.iter().all(|parameter| {
                let Some(QueryParameterMatchSpecifier::StringMatch(text)) = &parameter.query_parameter_match_specifier else {
                    return false;
                };
                self.query.get(parameter.name.as_str()).is_some_and(|value| is(text, value))
            })
    }
}

fn is(text: &StringMatcher, value: &str) -> bool {
    match text.match_pattern.as_ref().unwrap() {
        MatchPattern::Exact(exact) => value == exact,
        MatchPattern::SafeRegex(regex) => REGEXES[regex.regex.as_str()].is_match(value),
        other => panic!("nobody says {other:?}"),
    }
}

/// A match, of a rule, of a route.
type Wanted<'a> = (&'a Route, usize, &'a Match);

/// Of what the more counts, and how much of it a match has.
type Criterion = Box<dyn Fn(&Wanted<'_>) -> i64>;

/// As the Gateway API reads what is written: one criterion after the other, each taken only by those that are left.
fn chosen<'a>(call: &Call, routes: &'a [Route]) -> Option<&'a str> {
    let value = |wanted: &ValueMatch, found: Option<&&str>| match (wanted, found) {
        (_, None) => false,
        (ValueMatch::Exact(text), Some(found)) => text == found,
        (ValueMatch::Regex(regex), Some(found)) => REGEXES[regex.as_str()].is_match(found),
    };
    let elements = |path: &str| path.split('/').skip(1).map(str::to_owned).collect::<Vec<_>>();
    let is_for = |wanted: &Match| {
        let path = match &wanted.path {
            PathMatch::Exact(path) => path == call.path,
            PathMatch::Prefix(prefix) => elements(call.path).starts_with(&elements(prefix)),
            PathMatch::Regex(regex) => REGEXES[regex.as_str()].is_match(call.path),
            PathMatch::Call(_) => panic!("none of these is of gRPC"),
        };
        path && wanted.method.as_ref().is_none_or(|method| method == call.method)
            && wanted.headers.iter().all(|(name, wanted)| value(wanted, call.headers.get(name.as_str())))
            && wanted.query.iter().all(|(name, wanted)| value(wanted, call.query.get(name.as_str())))
    };
    let mut left: Vec<Wanted<'_>> = Vec::new();
    for route in routes {
        for (number, rule) in route.rules.iter().enumerate() {
            left.extend(rule.matches.iter().filter(|wanted| is_for(wanted)).map(|wanted| (route, number, wanted)));
        }
    }
    let length = |wanted: &Match, of: fn(&PathMatch) -> Option<&String>| of(&wanted.path).map_or(-1, |text| text.len() as i64);
    let exact = |path: &PathMatch| matches!(path, PathMatch::Exact(_));
    let criteria: Vec<Criterion> = vec![
        Box::new(move |(_, _, wanted)| i64::from(exact(&wanted.path))),
        // This one is our own.
        Box::new(move |(_, _, wanted)| {
            length(wanted, |path| if let PathMatch::Regex(regex) = path { Some(regex) } else { None })
        }),
        Box::new(move |(_, _, wanted)| length(wanted, |path| if let PathMatch::Prefix(text) = path { Some(text) } else { None })),
        Box::new(|(_, _, wanted)| i64::from(wanted.method.is_some())),
        Box::new(|(_, _, wanted)| wanted.headers.len() as i64),
        Box::new(|(_, _, wanted)| wanted.query.len() as i64),
        Box::new(|(route, ..)| -route.made),
    ];
    for criterion in criteria {
        let most = left.iter().map(&criterion).max()?;
        left.retain(|candidate| criterion(candidate) == most);
    }
    let first = left.iter().map(|(route, ..)| route.key.to_string()).min()?;
    left.retain(|(route, ..)| route.key.to_string() == first);
    let (route, number, _) = left.into_iter().min_by_key(|(_, number, _)| *number)?;
    Some(&route.rules[number].name)
}

fn any_match() -> impl Strategy<Value = Match> {
    let path = prop_oneof![
        prop::sample::select(vec!["/a", "/a/", "/a/b"]).prop_map(|path| PathMatch::Exact(path.into())),
        prop::sample::select(vec!["", "/a", "/a/b", "/ab"]).prop_map(|path| PathMatch::Prefix(path.into())),
        prop::sample::select(vec!["/a.*", "/[a-z]/b"]).prop_map(|path| PathMatch::Regex(path.into())),
    ];
    let values = || {
        let value = prop_oneof![Just(ValueMatch::Exact("1".into())), Just(ValueMatch::Regex("[12]".into()))];
        prop::collection::btree_map(prop::sample::select(vec!["x", "y"]).prop_map(str::to_owned), value, 0..3)
    };
    let method = prop::option::of(prop::sample::select(vec!["GET", "PUT"]).prop_map(str::to_owned));
    (path, values(), values(), method).prop_map(|(path, headers, query, method)| Match {
        path,
        headers: headers.into_iter().collect(),
        query: query.into_iter().collect(),
        method,
    })
}

/// A rule: its matches, and whether it takes their prefixes away, if that is what all of them are.
type Drawn = (Vec<Match>, bool);

fn any_routes() -> impl Strategy<Value = Vec<Route>> {
    let rules = prop::collection::vec((prop::collection::vec(any_match(), 1..3), any::<bool>()), 1..4);
    prop::collection::vec((0..2_i64, rules), 1..4).prop_map(|routes| {
        let route = |(name, (made, rules)): (&str, (i64, Vec<Drawn>))| {
            let rule = |(number, (matches, takes_away)): (usize, Drawn)| {
                let takes_away = takes_away && matches.iter().all(|wanted| matches!(wanted.path, PathMatch::Prefix(_)));
                let rewrite = Rewrite { host: None, path: takes_away.then(|| PathChange::Prefix(String::new())) };
                let forward = Forward { backends: vec![to(&key("cart"), 1)], rewrite, ..Forward::default() };
                Rule { name: format!("{name}-{number}"), matches, ..forwarding(forward) }
            };
            let rules = rules.into_iter().enumerate().map(rule).collect();
            Route { made, rules, ..route_to("shop", name, &key("cart"), &key("cart")) }
        };
        ["r", "q", "r-2"].into_iter().zip(routes).map(route).collect()
    })
}

fn any_call() -> impl Strategy<Value = Call> {
    let values =
        || prop::collection::btree_map(prop::sample::select(vec!["x", "y"]), prop::sample::select(vec!["1", "2", "3"]), 0..3);
    let path = prop::sample::select(vec!["/", "/a", "/a/", "/a/b", "/ab", "/a/b/c", "/b", "/b/b"]);
    let method = prop::sample::select(vec!["GET", "PUT", "POST"]);
    (path, method, values(), values()).prop_map(|(path, method, headers, query)| Call { path, method, headers, query })
}

proptest! {
    #[test]
    fn a_request_gets_the_rule_that_the_gateway_api_gives_it(
        routes in any_routes(), calls in prop::collection::vec(any_call(), 400),
    ) {
        let compiled = told(&shop(routes.clone()), "shop");
        for call in calls {
            let found = compiled.iter().find(|route| call.is_for(route.r#match.as_ref().unwrap())).unwrap();
            prop_assert_eq!(Some(found.name.as_str()).filter(|name| !name.is_empty()), chosen(&call, &routes), "{:?}", call);
        }
    }
}

/// A policy for `target` that says so.
fn policy(name: &str, target: Attached, said: Said) -> Object {
    Object::TrafficPolicy(Box::new(TrafficPolicy {
        kind: PolicyKind::Traffic,
        key: key(name),
        made: 1,
        edition: Edition::default(),
        targets: vec![target],
        said,
        mistakes: Vec::new(),
    }))
}

#[test]
fn what_policies_say_of_tries_is_said_to_proxies_and_what_a_route_says_itself_counts_first() {
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    let retries = Retries {
        attempts: 2,
        on: vec![RetryOn::FiveHundreds, RetryOn::Reset],
        codes: vec![429],
        grpc: vec![GrpcCode::Unavailable],
        backoff: Some(Backoff { base: Duration::from_millis(10), max: Duration::from_millis(40) }),
        body_max: Some(1000),
    };
    let hedging = Hedging { after: Duration::from_millis(100), attempts: 1 };
    let timeouts = Timeouts { request: seconds(10), attempt: seconds(2), idle: seconds(60) };
    let said = Said { retries: Some(retries), hedging: Some(hedging), timeouts, ..Said::default() };
    let of_service = policy("tries", Attached::Service(key("cart"), None), said);

    let mut index = shop([]);
    index.apply(of_service.clone());
    let straight = told(&index, "shop").remove(0);
    let action = forward(&straight);
    let time = |millis| Duration::from_millis(millis).try_into().ok();
    assert_eq!((action.timeout, action.idle_timeout), (time(10_000), time(60_000)));
    let told_of_tries = action.retry_policy.unwrap();
    assert_eq!(told_of_tries.retry_on, "5xx,reset,retriable-status-codes,unavailable");
    assert_eq!((told_of_tries.num_retries, told_of_tries.retriable_status_codes), (Some(2), vec![429]));
    assert_eq!(told_of_tries.per_try_timeout, time(2000));
    assert_eq!(told_of_tries.retry_back_off, Some(RetryBackOff { base_interval: time(10), max_interval: time(40) }));
    let text = |name| names::metadata_text(straight.metadata.as_ref(), name);
    let texts = [names::RETRY_BODY, names::HEDGE_AFTER, names::HEDGE_ATTEMPTS].map(text);
    assert_eq!(texts, [Some("1000"), Some("100"), Some("1")]);

    let own = Forward {
        backends: vec![to(&key("cart"), 1)],
        timeout: seconds(1),
        retry: Some(Retry { attempts: Some(0), ..Retry::default() }),
        ..Forward::default()
    };
    let mut index = shop([Route { rules: vec![forwarding(own)], ..route_to("shop", "r", &key("cart"), &key("cart")) }]);
    index.apply(of_service);
    let action = forward(&told(&index, "shop")[0]);
    assert_eq!(action.timeout, time(1000));
    let told_of_tries = action.retry_policy.unwrap();
    assert_eq!((told_of_tries.retry_on.as_str(), told_of_tries.per_try_timeout), ("", time(2000)));
}
