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
    index::routes::{Route, Rule, Session, ToldBy},
    plan::version,
};

/// What the filter is told of `session`, of `rule`, of `route`.
pub(super) fn filter(session: &Session, route: &Route, rule: &Rule) -> BTreeMap<String, Any> {
    let name = if session.name.is_empty() { made_name(route, rule) } else { session.name.clone() };
    let (kind, state) = match session.told_by {
        ToldBy::Header => ("header", any(names::SESSION_HEADER, &HeaderBasedSessionState { name })),
        ToldBy::Cookie => ("cookie", cookie(name, None)),
        ToldBy::PermanentCookie => ("cookie", cookie(name, session.absolute)),
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

fn cookie(name: String, lasts: Option<Duration>) -> Any {
    let ttl = lasts.and_then(|lasts| lasts.try_into().ok());
    any(names::SESSION_COOKIE, &CookieBasedSessionState { cookie: Some(Cookie { name, ttl, path: String::from("/") }) })
}

/// A name that no other rule has, and that stays the same as long as the rule keeps its place.
fn made_name(route: &Route, rule: &Rule) -> String {
    let number = route.rules.iter().position(|other| std::ptr::eq(other, rule)).unwrap_or_default();
    let of_rule = format!("{}/{}/{number}/{}", route.kind.word(), route.key, rule.name);
    format!("weft-session-{}", version(of_rule.as_bytes()))
}
