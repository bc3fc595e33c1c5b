//! Which requests a match is for, in xDS's words.

use regex::escape;
use wire::envoy::{
    config::route::v3::{
        HeaderMatcher, QueryParameterMatcher, RouteMatch, header_matcher::HeaderMatchSpecifier,
        query_parameter_matcher::QueryParameterMatchSpecifier, route_match::PathSpecifier,
    },
    r#type::matcher::v3::{RegexMatcher, StringMatcher, string_matcher::MatchPattern},
};

use crate::index::routes::{CallMatch, Match, PathMatch, ValueMatch};

/// The requests of `wanted`. When its prefix is to be taken away, what is left must begin with a slash: the path that is nothing
/// but the prefix is a match of its own then.
pub(super) fn of(wanted: &Match, takes_prefix_away: bool) -> Vec<RouteMatch> {
    let Match { path, headers, query, method } = wanted;
    let method = method.iter().map(|method| (String::from(":method"), ValueMatch::Exact(method.clone())));
    let header = |(name, value): (String, ValueMatch)| HeaderMatcher {
        name,
        header_match_specifier: Some(HeaderMatchSpecifier::StringMatch(text(&value))),
        ..Default::default()
    };
    let parameter = |(name, value): &(String, ValueMatch)| QueryParameterMatcher {
        name: name.clone(),
        query_parameter_match_specifier: Some(QueryParameterMatchSpecifier::StringMatch(text(value))),
    };
    let found = RouteMatch {
        path_specifier: None,
        headers: method.chain(headers.iter().cloned()).map(header).collect(),
        query_parameters: query.iter().map(parameter).collect(),
    };
    let paths = match path {
        PathMatch::Exact(path) => vec![PathSpecifier::Path(path.clone())],
        PathMatch::Prefix(prefix) if prefix.is_empty() => vec![PathSpecifier::Prefix(String::from("/"))],
        PathMatch::Prefix(prefix) if takes_prefix_away => {
            vec![PathSpecifier::Path(prefix.clone()), PathSpecifier::Prefix(format!("{prefix}/"))]
        }
        PathMatch::Prefix(prefix) => vec![PathSpecifier::PathSeparatedPrefix(prefix.clone())],
        PathMatch::Regex(regex) => vec![PathSpecifier::SafeRegex(RegexMatcher { regex: regex.clone() })],
        PathMatch::Call(call) => vec![path_of(call)],
    };
    paths.into_iter().map(|path| RouteMatch { path_specifier: Some(path), ..found.clone() }).collect()
}

/// The path of a call is its service and its method (the gRPC protocol over HTTP/2).
fn path_of(CallMatch { service, method }: &CallMatch) -> PathSpecifier {
    let expression = |part: &Option<ValueMatch>| match part {
        None => String::from("[^/]+"),
        Some(ValueMatch::Exact(name)) => escape(name),
        Some(ValueMatch::Regex(regex)) => format!("(?:{regex})"),
    };
    match (service, method) {
        (None, None) => PathSpecifier::Prefix(String::from("/")),
        (Some(ValueMatch::Exact(service)), Some(ValueMatch::Exact(method))) => {
            PathSpecifier::Path(format!("/{service}/{method}"))
        }
        (Some(ValueMatch::Exact(service)), None) => PathSpecifier::Prefix(format!("/{service}/")),
        _ => {
            let regex = format!("/{}/{}", expression(service), expression(method));
            PathSpecifier::SafeRegex(RegexMatcher { regex })
        }
    }
}

/// What browsers ask before the requests of `wanted`, where that names their method.
pub(super) fn preflight(wanted: &Match) -> Option<Match> {
    let method = wanted.method.clone().filter(|method| method != "OPTIONS")?;
    let mut preflight = Match { method: Some(String::from("OPTIONS")), ..wanted.clone() };
    preflight.headers.push((String::from("origin"), ValueMatch::Regex(String::from(".*"))));
    preflight.headers.push((String::from("access-control-request-method"), ValueMatch::Exact(method)));
    Some(preflight)
}

pub(super) fn text(value: &ValueMatch) -> StringMatcher {
    let pattern = match value {
        ValueMatch::Exact(text) => MatchPattern::Exact(text.clone()),
        ValueMatch::Regex(regex) => MatchPattern::SafeRegex(RegexMatcher { regex: regex.clone() }),
    };
    StringMatcher { match_pattern: Some(pattern), ignore_case: false }
}
