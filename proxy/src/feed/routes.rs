//! From a route configuration to routes, which name clusters that may not have arrived yet.
//!
//! What cannot be understood must not send a request where it was not meant to go: a match that cannot be read matches
//! nothing, and an action that cannot be read refuses what it was for.

use std::{
    str::FromStr,
    sync::Arc,
    time::{Duration, Instant},
};

use http::{HeaderName, Method, header::HOST};
use smallvec::smallvec;
use wire::envoy::{
    config::core::v3::Metadata,
    config::route::v3::{
        self as xds, DirectResponseAction, HeaderMatcher, QueryParameterMatcher, RouteAction, RouteConfiguration, RouteMatch,
        header_matcher::HeaderMatchSpecifier,
        query_parameter_matcher::QueryParameterMatchSpecifier,
        route,
        route_action::{ClusterSpecifier, RequestMirrorPolicy},
        route_match::PathSpecifier,
        weighted_cluster::ClusterWeight,
    },
    r#type::{
        matcher::v3::{StringMatcher, string_matcher::MatchPattern},
        v3::fractional_percent::DenominatorType,
    },
};

use super::{
    balancing,
    changes::{self, Headers},
    gates,
    limits::Limits,
    regexes, retries, sessions,
};
use crate::{
    refusal::Reason,
    snapshot::{Action, Backend, Forward, Match, Mirror, PathMatch, Route, TextMatch, Timeouts},
};

/// A method is matched as if it were this header.
const METHOD: &str = ":method";

/// And the host, which routes may also call by its own name.
const AUTHORITY: &str = ":authority";

/// All of something, in millionths.
const WHOLE: u32 = 1_000_000;

/// The routes of `configuration`, which is read at `now`, and what is wrong with those that cannot be used as they are.
pub(super) fn read(configuration: &RouteConfiguration, limits: &mut Limits, now: Instant) -> (Vec<Route<String>>, Vec<String>) {
    let mut mistakes = Vec::new();
    let mut routes = Vec::new();
    for (number, route) in configuration.virtual_hosts.iter().flat_map(|host| &host.routes).enumerate() {
        let mut note = |mistake: String| {
            let name = if route.name.is_empty() { format!("route {number}") } else { route.name.clone() };
            mistakes.push(format!("{name}: {mistake}"));
        };
        let matching = match matching(route.r#match.as_ref()) {
            Ok(matching) => matching.map(Arc::new),
            Err(mistake) => {
                note(format!("{mistake}; it matches nothing"));
                continue;
            }
        };
        let gate = gates::of_route(route, limits, now);
        let treated = gate.and_then(|gate| Ok(Route { gate, ..treated(route, matching.clone())? }));
        routes.push(treated.unwrap_or_else(|mistake| {
            note(format!("{mistake}; it refuses what it matches"));
            Route { matching, gate: None, changes: None, action: Action::Refuse(Reason::NoBackend) }
        }));
    }
    (routes, mistakes)
}

/// What a request must be; `None` when it may be anything.
fn matching(described: Option<&RouteMatch>) -> Result<Option<Match>, String> {
    let described = described.ok_or("it does not say what it matches")?;
    let mut matching = Match { path: path(described)?, method: None, headers: Vec::new(), query: Vec::new() };
    for header in &described.headers {
        match (header.name.as_str(), header_text(header)?) {
            (METHOD, TextMatch::Exact(method)) => {
                let method = Method::from_str(&method).map_err(|_| format!("{method:?} is not a method"))?;
                matching.method = Some(method);
            }
            (METHOD, TextMatch::Regex(_)) => return Err("a method can only be matched exactly".into()),
            (AUTHORITY, text) => matching.headers.push((HOST, text)),
            (name, text) => {
                let name = HeaderName::from_str(name).map_err(|_| format!("{name:?} is not the name of a header"))?;
                matching.headers.push((name, text));
            }
        }
    }
    for parameter in &described.query_parameters {
        matching.query.push((parameter.name.as_str().into(), parameter_text(parameter)?));
    }
    let anything = matches!(&matching.path, PathMatch::Prefix(prefix) if matches!(&**prefix, "" | "/"))
        && matching.method.is_none()
        && matching.headers.is_empty()
        && matching.query.is_empty();
    Ok((!anything).then_some(matching))
}

fn path(described: &RouteMatch) -> Result<PathMatch, String> {
    match described.path_specifier.as_ref().ok_or("it does not say which paths it matches")? {
        PathSpecifier::Path(path) => Ok(PathMatch::Exact(path.as_str().into())),
        PathSpecifier::Prefix(prefix) => Ok(PathMatch::Prefix(prefix.as_str().into())),
        PathSpecifier::PathSeparatedPrefix(elements) => Ok(PathMatch::Elements(elements.trim_end_matches('/').into())),
        PathSpecifier::SafeRegex(regex) => regexes::whole(&regex.regex).map(PathMatch::Regex),
    }
}

fn header_text(header: &HeaderMatcher) -> Result<TextMatch, String> {
    match &header.header_match_specifier {
        Some(HeaderMatchSpecifier::StringMatch(text)) if !header.invert_match => self::text(text),
        _ => Err(format!("the header {} is matched neither exactly nor by a regular expression", header.name)),
    }
}

fn parameter_text(parameter: &QueryParameterMatcher) -> Result<TextMatch, String> {
    match &parameter.query_parameter_match_specifier {
        Some(QueryParameterMatchSpecifier::StringMatch(text)) => self::text(text),
        _ => Err(format!("the parameter {} is matched neither exactly nor by a regular expression", parameter.name)),
    }
}

pub(super) fn text(matcher: &StringMatcher) -> Result<TextMatch, String> {
    match &matcher.match_pattern {
        Some(MatchPattern::Exact(exact)) if !matcher.ignore_case => Ok(TextMatch::Exact(exact.as_str().into())),
        Some(MatchPattern::SafeRegex(regex)) => regexes::whole(&regex.regex).map(TextMatch::Regex),
        _ => Err("a text is matched neither exactly nor by a regular expression".into()),
    }
}

/// What becomes of the requests that are as `matching` says.
fn treated(route: &xds::Route, matching: Option<Arc<Match>>) -> Result<Route<String>, String> {
    let action = action(route, matching.as_deref().map(|matching| &matching.path))?;
    let request = Headers { add: &route.request_headers_to_add, remove: &route.request_headers_to_remove };
    let response = Headers { add: &route.response_headers_to_add, remove: &route.response_headers_to_remove };
    Ok(Route { matching, gate: None, changes: changes::changes(request, response)?, action })
}

fn action(route: &xds::Route, path: Option<&PathMatch>) -> Result<Action<String>, String> {
    match &route.action {
        Some(route::Action::Route(action)) => {
            let forward = forward(action, route.metadata.as_ref(), path)?;
            Ok(Action::Forward(Forward { session: sessions::read(route)?, ..forward }))
        }
        Some(route::Action::Redirect(redirect)) => Ok(Action::Redirect(Arc::new(changes::redirect(redirect, path)?))),
        Some(route::Action::DirectResponse(DirectResponseAction { status: 404 })) => Ok(Action::Refuse(Reason::NoRoute)),
        Some(route::Action::DirectResponse(DirectResponseAction { status: 500 })) => Ok(Action::Refuse(Reason::NoBackend)),
        Some(route::Action::DirectResponse(DirectResponseAction { status })) => {
            Err(format!("no answer of ours has the status {status}"))
        }
        None => Err("it does not say what to do".into()),
    }
}

fn forward(action: &RouteAction, metadata: Option<&Metadata>, path: Option<&PathMatch>) -> Result<Forward<String>, String> {
    let backends = match &action.cluster_specifier {
        Some(ClusterSpecifier::Cluster(cluster)) => smallvec![Backend::only(cluster.clone())],
        Some(ClusterSpecifier::WeightedClusters(weighted)) => weighted.clusters.iter().map(backend).collect::<Result<_, _>>()?,
        None => return Err("it names no cluster".into()),
    };
    let key = balancing::key(&action.hash_policy);
    let mirrors = action.request_mirror_policies.iter().map(mirror).collect();
    Ok(Forward {
        rewrite: changes::rewrite(action, path)?,
        timeouts: timeouts(action)?,
        retries: retries::read(action, metadata)?.map(Arc::new),
        hedging: retries::hedging(metadata),
        mirrors,
        key,
        ..Forward::to(backends)
    })
}

/// What is not said is not limited, and no time at all means the same.
fn timeouts(action: &RouteAction) -> Result<Timeouts, String> {
    let limit = |told: Option<prost_types::Duration>| {
        let limit = told.map(|told| Duration::try_from(told).map_err(|_| "a timeout is negative".to_owned()));
        Ok::<_, String>(limit.transpose()?.filter(|limit| !limit.is_zero()))
    };
    let attempt = action.retry_policy.as_ref().and_then(|policy| policy.per_try_timeout);
    Ok(Timeouts { request: limit(action.timeout)?, attempt: limit(attempt)?, idle: limit(action.idle_timeout)? })
}

/// Who is to get a copy; of all where it does not say of how many.
fn mirror(policy: &RequestMirrorPolicy) -> Mirror<String> {
    let part = policy.runtime_fraction.as_ref().and_then(|fraction| fraction.default_value);
    let millionths = part.map_or(WHOLE, |part| {
        let each = match part.denominator() {
            DenominatorType::Hundred => WHOLE / 100,
            DenominatorType::TenThousand => WHOLE / 10_000,
            DenominatorType::Million => 1,
        };
        part.numerator.saturating_mul(each).min(WHOLE)
    });
    Mirror { millionths, cluster: Some(policy.cluster.clone()) }
}

fn backend(cluster: &ClusterWeight) -> Result<Backend<String>, String> {
    let request = Headers { add: &cluster.request_headers_to_add, remove: &cluster.request_headers_to_remove };
    let response = Headers { add: &cluster.response_headers_to_add, remove: &cluster.response_headers_to_remove };
    let changes = changes::changes(request, response)?;
    let weight = usize::try_from(cluster.weight.unwrap_or_default()).unwrap_or(usize::MAX);
    Ok(Backend { weight, changes, cluster: Some(cluster.name.clone()) })
}

#[cfg(test)]
mod tests {
    use wire::envoy::{
        config::{
            core::v3::RuntimeFractionalPercent,
            route::v3::{RetryPolicy, VirtualHost, WeightedCluster},
        },
        r#type::{matcher::v3::RegexMatcher, v3::FractionalPercent},
    };

    use super::*;

    fn route(path: PathSpecifier, action: route::Action) -> xds::Route {
        let matching = RouteMatch { path_specifier: Some(path), ..Default::default() };
        xds::Route { r#match: Some(matching), action: Some(action), ..Default::default() }
    }

    fn to(cluster: &str) -> route::Action {
        let specifier = ClusterSpecifier::Cluster(cluster.into());
        route::Action::Route(RouteAction { cluster_specifier: Some(specifier), ..Default::default() })
    }

    fn regex(expression: &str) -> PathSpecifier {
        PathSpecifier::SafeRegex(RegexMatcher { regex: expression.into() })
    }

    fn text(pattern: MatchPattern) -> Option<StringMatcher> {
        Some(StringMatcher { match_pattern: Some(pattern), ignore_case: false })
    }

    fn header(name: &str, value: &str) -> HeaderMatcher {
        let specifier = text(MatchPattern::Exact(value.into())).map(HeaderMatchSpecifier::StringMatch);
        HeaderMatcher { name: name.into(), invert_match: false, header_match_specifier: specifier }
    }

    fn read(routes: Vec<xds::Route>) -> (Vec<Route<String>>, Vec<String>) {
        let host = VirtualHost { routes, ..Default::default() };
        super::read(
            &RouteConfiguration { name: "cart".into(), virtual_hosts: vec![host] },
            &mut Limits::default(),
            crate::clock::now(),
        )
    }

    fn clusters(routes: &[Route<String>]) -> Vec<&str> {
        routes.iter().flat_map(Route::clusters).map(String::as_str).collect()
    }

    #[test]
    fn what_is_for_everything_costs_no_look_at_a_request() {
        let (routes, mistakes) = read(vec![route(PathSpecifier::Prefix("/".into()), to("cart"))]);
        assert!(routes[0].matching.is_none() && mistakes.is_empty());
    }

    #[test]
    fn every_part_of_a_match_is_kept() {
        let mut full = route(PathSpecifier::PathSeparatedPrefix("/a/".into()), to("cart"));
        let matching = full.r#match.as_mut().unwrap();
        matching.headers = vec![header(":method", "PUT"), header("X-Env", "canary"), header(":authority", "cart")];
        let value = text(MatchPattern::SafeRegex(RegexMatcher { regex: "[0-9]+".into() }));
        matching.query_parameters = vec![QueryParameterMatcher {
            name: "page".into(),
            query_parameter_match_specifier: value.map(QueryParameterMatchSpecifier::StringMatch),
        }];
        let (routes, mistakes) = read(vec![full]);
        assert_eq!(mistakes, [""; 0]);
        let matching = routes[0].matching.as_ref().unwrap();
        assert!(matches!(&matching.path, PathMatch::Elements(elements) if &**elements == "/a"));
        assert_eq!(matching.method, Some(Method::PUT));
        assert_eq!(matching.headers.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["x-env", "host"]);
        let TextMatch::Regex(page) = &matching.query[0].1 else { panic!("page is matched by an expression") };
        assert!(page.is_match(b"12") && !page.is_match(b"12a"));
    }

    #[test]
    fn an_expression_that_cannot_be_used_matches_nothing_and_its_neighbours_do() {
        for wrong in ["(", "a)|(?:b", r"\p{Greek}", "(?:(?:[a-z]{1,100}){1,100}){1,100}"] {
            let neighbour = route(PathSpecifier::Path("/b".into()), to("cart"));
            let (routes, mistakes) = read(vec![route(regex(wrong), to("none")), neighbour]);
            assert_eq!(clusters(&routes), ["cart"]);
            assert!(mistakes[0].starts_with("route 0: ") && mistakes[0].ends_with("it matches nothing"), "{mistakes:?}");
        }
    }

    #[test]
    fn a_match_that_is_not_understood_matches_nothing() {
        let mut inverted = route(PathSpecifier::Prefix("/".into()), to("cart"));
        inverted.r#match.as_mut().unwrap().headers = vec![HeaderMatcher { invert_match: true, ..header("x-env", "canary") }];
        let (routes, mistakes) = read(vec![inverted]);
        assert!(routes.is_empty());
        assert_eq!(mistakes.len(), 1);
    }

    #[test]
    fn an_action_that_is_not_understood_refuses_what_it_was_for() {
        let answer = |status| route::Action::DirectResponse(DirectResponseAction { status });
        for (action, expected, mistaken) in [
            (answer(404), Reason::NoRoute, false),
            (answer(500), Reason::NoBackend, false),
            (answer(418), Reason::NoBackend, true),
            (route::Action::Route(RouteAction::default()), Reason::NoBackend, true),
        ] {
            let (routes, mistakes) = read(vec![route(PathSpecifier::Prefix("/".into()), action)]);
            assert!(matches!(&routes[0].action, Action::Refuse(reason) if *reason == expected));
            assert_eq!(!mistakes.is_empty(), mistaken, "{mistakes:?}");
        }
    }

    #[test]
    fn a_change_that_is_not_for_a_route_to_make_refuses_what_it_was_for() {
        let mut wrong = route(PathSpecifier::Prefix("/".into()), to("cart"));
        wrong.request_headers_to_remove = vec!["x-debug".into()];
        assert!(read(vec![wrong.clone()]).0[0].changes.is_some());
        wrong.request_headers_to_remove = vec!["content-length".into()];
        let (routes, mistakes) = read(vec![wrong]);
        assert!(matches!(&routes[0].action, Action::Refuse(Reason::NoBackend)));
        assert!(mistakes[0].contains("content-length"), "{mistakes:?}");
    }

    #[test]
    fn no_time_at_all_is_no_limit() {
        let read = |timeout, per_try| {
            let duration = |seconds| prost_types::Duration { seconds, nanos: 0 };
            let retry_policy = RetryPolicy { per_try_timeout: Some(duration(per_try)), ..Default::default() };
            timeouts(&RouteAction { timeout: Some(duration(timeout)), retry_policy: Some(retry_policy), ..Default::default() })
        };
        let limits = Timeouts { request: Some(Duration::from_secs(2)), attempt: Some(Duration::from_secs(1)), idle: None };
        assert_eq!(read(2, 1), Ok(limits));
        assert_eq!(read(0, 0), Ok(Timeouts::default()));
        assert!(read(-1, 0).is_err());
        assert_eq!(timeouts(&RouteAction::default()), Ok(Timeouts::default()));
    }

    #[test]
    fn copies_are_of_the_part_that_is_said() {
        let policy = |numerator, denominator: DenominatorType| {
            let part = FractionalPercent { numerator, denominator: denominator.into() };
            let runtime_fraction = Some(RuntimeFractionalPercent { default_value: Some(part) });
            mirror(&RequestMirrorPolicy { cluster: "m".into(), runtime_fraction }).millionths
        };
        assert_eq!(policy(10, DenominatorType::Hundred), 100_000);
        assert_eq!(policy(10, DenominatorType::TenThousand), 1_000);
        assert_eq!(policy(10, DenominatorType::Million), 10);
        assert_eq!(policy(200, DenominatorType::Hundred), 1_000_000);
        assert_eq!(mirror(&RequestMirrorPolicy { cluster: "m".into(), runtime_fraction: None }).millionths, 1_000_000);
    }

    #[test]
    fn those_that_share_requests_keep_their_weights() {
        let cluster = |name: &str, weight| ClusterWeight { name: name.into(), weight, ..Default::default() };
        let weighted = WeightedCluster { clusters: vec![cluster("v1", Some(9)), cluster("v2", Some(1)), cluster("v3", None)] };
        let specifier = Some(ClusterSpecifier::WeightedClusters(weighted));
        let action = route::Action::Route(RouteAction { cluster_specifier: specifier, ..Default::default() });
        let (routes, _) = read(vec![route(PathSpecifier::Prefix("/".into()), action)]);
        assert_eq!(clusters(&routes), ["v1", "v2", "v3"]);
        let Action::Forward(forward) = &routes[0].action else { panic!("requests go on") };
        assert_eq!(forward.backends.iter().map(|backend| backend.weight).collect::<Vec<_>>(), [9, 1, 0]);
    }
}
