//! What a route changes of a request and of its answer.

use http::{
    HeaderName, HeaderValue, StatusCode,
    uri::{Authority, Scheme},
};
use regex::bytes::Regex;

/// Changes of headers.
#[derive(Debug, Default)]
pub struct Changes {
    /// Of the request.
    pub request: HeaderChanges,
    /// Of its answer.
    pub response: HeaderChanges,
}

/// Changes of the headers of one message: first what goes, then what comes, in order.
#[derive(Debug, Default)]
pub struct HeaderChanges {
    /// What goes.
    pub remove: Vec<HeaderName>,
    /// What comes.
    pub put: Vec<(Put, HeaderName, HeaderValue)>,
}

/// What to do about values that a header has already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// Leave them, and add one.
    Beside,
    /// Leave them; add one where there is none.
    IfAbsent,
    /// Replace them.
    Instead,
    /// Replace them where there are any.
    IfPresent,
}

/// A request's target, written anew.
#[derive(Debug)]
pub struct Rewrite {
    /// The host; `None` where it stays.
    pub host: Option<Authority>,
    /// The path; `None` where it stays.
    pub path: Option<PathRewrite>,
}

/// Where a client is told to go instead. What is `None` stays as it asked.
#[derive(Debug)]
pub struct Redirect {
    /// How it is told.
    pub status: StatusCode,
    /// How to speak there.
    pub scheme: Option<Scheme>,
    /// Whom to ask there.
    pub host: Option<Box<str>>,
    /// At which port; `None` for the usual one of a new scheme, or else the one that was dialled.
    pub port: Option<u16>,
    /// For what to ask there.
    pub path: Option<PathRewrite>,
}

/// A path, written anew. Its query stays, unless the new path brings one of its own.
#[derive(Debug)]
pub enum PathRewrite {
    /// This stands instead of all of it.
    Whole(Box<str>),
    /// `with` stands instead of `of`, with which the path begins.
    Prefix {
        /// What goes.
        of: Box<str>,
        /// What comes.
        with: Box<str>,
    },
    /// `with` stands instead of all that `pattern` matches.
    Regex {
        /// What goes.
        pattern: Regex,
        /// What comes; `${1}` is the first group.
        with: Box<[u8]>,
    },
}
