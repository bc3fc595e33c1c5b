//! How clients stay with an endpoint: Envoy's filter for that, and our metadata for what it does not say.

use std::{collections::BTreeMap, time::Duration};

use prost_types::Any;
use wire::{
    envoy::{
        config::{core::v3::TypedExtensionConfig, route::v3::FilterConfig},
        extensions::{
            filters::http::stateful_session::v3::{
                StatefulSession, StatefulSessionPerRoute, stateful_session_per_route::Override,
            },
            http::stateful_session::{cookie::v3::CookieBasedSessionState, header::v3::HeaderBasedSessionState},
        },
        r#type::http::v3::Cookie,
    },
    names,
};

use super::super::shape::any;
use crate::{
    index::routes::{CallMatch, PathMatch, Route, Rule, Session, ToldBy, ValueMatch},
    plan::version,
};

/// What ends the part of a regular expression that is text.
const REGEX_SIGNS: &str = r".^$*+?()[]{}|\";

/// What the filter is told of `session`, of `rule`, of `route`, where requests are `wanted` at a path.
pub(super) fn filter(session: &Session, route: &Route, rule: &Rule, wanted: &PathMatch) -> BTreeMap<String, Any> {
    let name = if session.name.is_empty() { made_name(route, rule) } else { session.name.clone() };
    let (kind, state) = match session.told_by {
        ToldBy::Header => ("header", any(names::SESSION_HEADER, &HeaderBasedSessionState { name })),
        ToldBy::Cookie => ("cookie", cookie(name, wanted, None)),
        ToldBy::PermanentCookie => ("cookie", cookie(name, wanted, session.absolute)),
    };
    let state = TypedExtensionConfig { name: format!("envoy.http.stateful_session.{kind}"), typed_config: Some(state) };
    let of_route =
        StatefulSessionPerRoute { r#override: Some(Override::StatefulSession(StatefulSession { session_state: Some(state) })) };
    let config = FilterConfig { config: Some(any(names::SESSION, &of_route)), is_optional: true };
    [(names::SESSION_FILTER.to_owned(), any(names::FILTER_CONFIG, &config))].into()
}

/// What our own proxy is told besides: texts of our metadata.
pub(super) fn texts(session: &Session) -> impl Iterator<Item = (&'static str, String)> {
    let times = [(names::SESSION_ABSOLUTE, session.absolute), (names::SESSION_IDLE, session.idle)];
    times.into_iter().filter_map(|(key, time)| Some((key, time?.as_millis().to_string())))
}

fn cookie(name: String, wanted: &PathMatch, lasts: Option<Duration>) -> Any {
    let ttl = lasts.and_then(|lasts| lasts.try_into().ok());
    any(names::SESSION_COOKIE, &CookieBasedSessionState { cookie: Some(Cookie { name, ttl, path: path(wanted) }) })
}

/// The path for which a client is to tell its session: the one that its match names, as far as it names one (GEP-1619, "Path").
fn path(wanted: &PathMatch) -> String {
    let text = match wanted {
        PathMatch::Exact(path) | PathMatch::Prefix(path) => upto(path, |sign| sign == ';' || !sign.is_ascii_graphic()),
        PathMatch::Regex(regex) if regex.contains('|') => "",
        PathMatch::Regex(regex) => {
            upto(regex.trim_start_matches('^'), |sign| REGEX_SIGNS.contains(sign) || sign == ';' || !sign.is_ascii_graphic())
        }
        PathMatch::Call(CallMatch { service: Some(ValueMatch::Exact(service)), .. }) => return format!("/{service}"),
        PathMatch::Call(_) => "",
    };
    let text = text.trim_end_matches('/');
    if text.is_empty() { String::from("/") } else { text.to_owned() }
}

/// `path`, or those of its elements that are before the first sign that `ends` it.
fn upto(path: &str, ends: impl Fn(char) -> bool) -> &str {
    let Some(end) = path.find(ends) else { return path };
    let before = path.get(..end).unwrap_or_default();
    before.rfind('/').and_then(|slash| before.get(..slash)).unwrap_or_default()
}

/// A name that no other rule has, and that stays the same as long as the rule keeps its place.
fn made_name(route: &Route, rule: &Rule) -> String {
    let number = route.rules.iter().position(|other| std::ptr::eq(other, rule)).unwrap_or_default();
    let of_rule = format!("{}/{}/{number}/{}", route.kind.word(), route.key, rule.name);
    format!("weft-session-{}", version(of_rule.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_for_the_path_that_is_matched() {
        let call = |service| PathMatch::Call(CallMatch { service, method: Some(ValueMatch::Exact("Add".into())) });
        for (wanted, expected) in [
            (PathMatch::Prefix(String::new()), "/"),
            (PathMatch::Prefix("/a/b".into()), "/a/b"),
            (PathMatch::Exact("/a/".into()), "/a"),
            (PathMatch::Exact("/a/b;c".into()), "/a"),
            (PathMatch::Regex("/p1/p2/.*/p3".into()), "/p1/p2"),
            (PathMatch::Regex("^/ab?".into()), "/"),
            (PathMatch::Regex("/a/b|/c".into()), "/"),
            (PathMatch::Regex("/a/b".into()), "/a/b"),
            (call(Some(ValueMatch::Exact("shop.Cart".into()))), "/shop.Cart"),
            (call(Some(ValueMatch::Regex("shop.*".into()))), "/"),
            (call(None), "/"),
        ] {
            assert_eq!(path(&wanted), expected, "{wanted:?}");
        }
    }
}
