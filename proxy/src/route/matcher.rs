//! Which route a request takes.

use http::{HeaderMap, HeaderName, Method, Request, Uri, header::HOST};
use regex::bytes::Regex;

use crate::snapshot::{Match, PathMatch, Route, TextMatch};

/// What a request asks for, as far as routes look at it.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// How.
    pub method: &'a Method,
    /// For what.
    pub uri: &'a Uri,
    /// What it says beside that.
    pub headers: &'a HeaderMap,
}

impl<'a> Asked<'a> {
    /// What `request` asks for.
    pub fn of<B>(request: &'a Request<B>) -> Self {
        Self { method: request.method(), uri: request.uri(), headers: request.headers() }
    }

    /// The path without its query. CONNECT names none, and OPTIONS may ask about all of them.
    pub fn path(self) -> &'a str {
        let path = self.uri.path();
        if path.starts_with('/') { path } else { "/" }
    }

    /// The first value of a parameter of the query, as it is written.
    fn parameter(self, name: &str) -> Option<&'a str> {
        let pairs = self.uri.query()?.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        pairs.into_iter().find(|(key, _)| *key == name).map(|(_, value)| value)
    }
}

/// The first of `routes` that `asked` matches.
pub(super) fn first<'a, C>(routes: &'a [Route<C>], asked: Asked<'_>) -> Option<&'a Route<C>> {
    routes.iter().find(|route| route.matching.as_deref().is_none_or(|matching| matches(matching, asked)))
}

fn matches(matching: &Match, asked: Asked<'_>) -> bool {
    let Match { path, method, headers, query } = matching;
    path_matches(path, asked.path())
        && method.as_ref().is_none_or(|method| method == asked.method)
        && headers.iter().all(|(name, wanted)| header_matches(name, wanted, asked))
        && query.iter().all(|(name, wanted)| asked.parameter(name).is_some_and(|value| text_matches(wanted, value.as_bytes())))
}

fn path_matches(wanted: &PathMatch, path: &str) -> bool {
    match wanted {
        PathMatch::Exact(exact) => path == &**exact,
        PathMatch::Prefix(prefix) => path.starts_with(&**prefix),
        PathMatch::Elements(elements) => {
            path.strip_prefix(&**elements).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        }
        PathMatch::Regex(regex) => regex.is_match(path.as_bytes()),
    }
}

fn header_matches(name: &HeaderName, wanted: &TextMatch, asked: Asked<'_>) -> bool {
    let mut values = asked.headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(only), None) => text_matches(wanted, only.as_bytes()),
        (Some(first), Some(second)) => {
            let mut joined = [first.as_bytes(), second.as_bytes()].join(&b","[..]);
            for value in values {
                joined.push(b',');
                joined.extend_from_slice(value.as_bytes());
            }
            text_matches(wanted, &joined)
        }
        // What is `Host` in HTTP/1 is part of the target in HTTP/2.
        (None, _) if name == HOST => asked.uri.authority().is_some_and(|host| text_matches(wanted, host.as_str().as_bytes())),
        (None, _) => false,
    }
}

pub(super) fn text_matches(wanted: &TextMatch, text: &[u8]) -> bool {
    match wanted {
        TextMatch::Exact(exact) => exact.as_bytes() == text,
        TextMatch::Regex(regex) => Regex::is_match(regex, text),
    }
}
