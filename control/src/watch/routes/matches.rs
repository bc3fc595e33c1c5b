//! Which requests a rule is for.

use http::{HeaderName, Method};
use regex::RegexBuilder;

use super::Mistake;
use crate::{
    index::routes::{CallMatch, Match, PathMatch, ValueMatch},
    manifest::routes::{self, GrpcMatch, MethodMatch, PathMatch as SaidPath, ValueMatch as SaidValue},
};

/// A regular expression that becomes larger than this is none: proxies hold it, too.
const REGEX_BYTES: usize = 1 << 20;

/// The requests of `said`, which stands at `field`; `None` when something in it means nothing.
pub(super) fn http(said: &routes::Match, field: &str, mistakes: &mut Vec<Mistake>) -> Option<Match> {
    let mut reading = Reading { field, mistakes, is_whole: true };
    let path = reading.or_wrong("path", said.path.as_ref().map_or(Ok(Match::all().path), path));
    let headers = reading.values("headers", &said.headers, header_name);
    let query = reading.values("queryParams", &said.query_params, |name| Ok(name.to_owned()));
    let method = said.method.as_deref().map(method).transpose();
    let method = reading.or_wrong("method", method);
    reading.is_whole.then_some(Match { path: path?, headers, query, method: method? })
}

/// The calls of `said`.
pub(super) fn grpc(said: &GrpcMatch, field: &str, mistakes: &mut Vec<Mistake>) -> Option<Match> {
    let mut reading = Reading { field, mistakes, is_whole: true };
    let call = reading.or_wrong("method", said.method.as_ref().map_or(Ok(Match::all().path), call));
    let headers = reading.values("headers", &said.headers, header_name);
    reading.is_whole.then_some(Match { path: call?, headers, ..Match::all() })
}

struct Reading<'a> {
    field: &'a str,
    mistakes: &'a mut Vec<Mistake>,
    /// Whether everything in it has a meaning so far.
    is_whole: bool,
}

impl Reading<'_> {
    fn or_wrong<T>(&mut self, at: &str, read: Result<T, String>) -> Option<T> {
        let wrong = |what| {
            self.is_whole = false;
            self.mistakes.push(Mistake { field: format!("{}.{at}", self.field), what });
        };
        read.map_err(wrong).ok()
    }

    fn values(&mut self, at: &str, all: &[SaidValue], name: fn(&str) -> Result<String, String>) -> Vec<(String, ValueMatch)> {
        let mut read: Vec<(String, ValueMatch)> = Vec::new();
        for (number, said) in all.iter().enumerate() {
            let pair = name(&said.name).and_then(|name| Ok((name, value(said.kind.as_deref(), &said.value)?)));
            // Of two with one name the first counts.
            let new =
                self.or_wrong(&format!("{at}[{number}]"), pair).filter(|(name, _)| !read.iter().any(|(known, _)| known == name));
            read.extend(new);
        }
        read
    }
}

fn method(said: &str) -> Result<String, String> {
    let read = Method::from_bytes(said.as_bytes());
    read.map(|_| said.to_owned()).map_err(|_| format!("`{said}` is not a method"))
}

/// Source: `GRPCMethodMatch`: an empty text is none, and one of the two must be said.
fn call(MethodMatch { kind, service, method }: &MethodMatch) -> Result<PathMatch, String> {
    let part = |said: &Option<String>| {
        let said = said.as_deref().filter(|said| !said.is_empty());
        let read = said.map(|said| match value(kind.as_deref(), said)? {
            ValueMatch::Exact(name) if !is_name(&name) => Err(format!("`{name}` is not the name of a service or method")),
            read => Ok(read),
        });
        read.transpose()
    };
    match (part(service)?, part(method)?) {
        (None, None) => Err(String::from("neither a service nor a method is named")),
        (service, method) => Ok(PathMatch::Call(CallMatch { service, method })),
    }
}

/// Letters, digits, underscores, and the dots between packages: nothing that would be another path.
fn is_name(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.')
}

fn path(said: &SaidPath) -> Result<PathMatch, String> {
    let value = said.value.as_deref().unwrap_or("/");
    let plain = || match value.starts_with('/') && !value.contains(['?', '#']) {
        true => Ok(value),
        false => Err(format!("`{value}` is not a path: it begins with / and holds neither ? nor #")),
    };
    match said.kind.as_deref() {
        Some("Exact") => plain().map(|path| PathMatch::Exact(path.to_owned())),
        None | Some("PathPrefix") => plain().map(|path| PathMatch::Prefix(path.trim_end_matches('/').to_owned())),
        Some("RegularExpression") => regex(value).map(PathMatch::Regex),
        Some(other) => Err(format!("`{other}` is not known: expected Exact, PathPrefix or RegularExpression")),
    }
}

fn value(kind: Option<&str>, text: &str) -> Result<ValueMatch, String> {
    match kind {
        None | Some("Exact") => Ok(ValueMatch::Exact(text.to_owned())),
        Some("RegularExpression") => regex(text).map(ValueMatch::Regex),
        Some(other) => Err(format!("`{other}` is not known: expected Exact or RegularExpression")),
    }
}

fn regex(text: &str) -> Result<String, String> {
    let read = RegexBuilder::new(text).size_limit(REGEX_BYTES).build();
    read.map(|_| text.to_owned()).map_err(|error| {
        let why = error.to_string();
        format!("`{text}` is not a regular expression: {}", why.lines().last().unwrap_or_default().trim_start_matches("error: "))
    })
}

/// In small letters: that is how they are compared.
pub(super) fn header_name(name: &str) -> Result<String, String> {
    let read = HeaderName::from_bytes(name.as_bytes());
    read.map(|name| name.as_str().to_owned()).map_err(|_| format!("`{name}` is not the name of a header field"))
}
