//! Which requests a rule is for.

use http::{HeaderName, Method};
use regex::RegexBuilder;

use super::Mistake;
use crate::{
    index::routes::{Match, PathMatch, ValueMatch},
    manifest::routes::{self, PathMatch as SaidPath, ValueMatch as SaidValue},
};

/// A regular expression that becomes larger than this is none: proxies hold it, too.
const REGEX_BYTES: usize = 1 << 20;

/// The requests of `said`, which stands at `field`; `None` when something in it means nothing.
pub(super) fn read(said: &routes::Match, field: &str, mistakes: &mut Vec<Mistake>) -> Option<Match> {
    let before = mistakes.len();
    let mut wrong = |at: &str, what: String| mistakes.push(Mistake { field: format!("{field}.{at}"), what });
    let path = said.path.as_ref().map_or(Ok(Match::all().path), path).map_err(|what| wrong("path", what)).ok();
    let mut values = |at: &str, all: &[SaidValue], name: fn(&str) -> Result<String, String>| {
        let mut read: Vec<(String, ValueMatch)> = Vec::new();
        for (number, said) in all.iter().enumerate() {
            match name(&said.name).and_then(|name| Ok((name, value(said)?))) {
                // Of two with one name the first counts.
                Ok((name, value)) => {
                    if !read.iter().any(|(known, _)| *known == name) {
                        read.push((name, value));
                    }
                }
                Err(what) => wrong(&format!("{at}[{number}]"), what),
            }
        }
        read
    };
    let headers = values("headers", &said.headers, header_name);
    let query = values("queryParams", &said.query_params, |name| Ok(name.to_owned()));
    let method = said.method.as_ref().map(|method| {
        let is_one = Method::from_bytes(method.as_bytes()).is_ok();
        if !is_one {
            wrong("method", format!("`{method}` is not a method"));
        }
        method.clone()
    });
    let read = Match { path: path?, headers, query, method };
    (mistakes.len() == before).then_some(read)
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

fn value(said: &SaidValue) -> Result<ValueMatch, String> {
    match said.kind.as_deref() {
        None | Some("Exact") => Ok(ValueMatch::Exact(said.value.clone())),
        Some("RegularExpression") => regex(&said.value).map(ValueMatch::Regex),
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
