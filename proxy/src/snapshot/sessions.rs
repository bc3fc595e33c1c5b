//! How clients stay with the endpoint that answered them first.

use std::time::Duration;

use http::{HeaderName, HeaderValue};

/// How clients of a route stay with the endpoint that answered them first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// By what they tell with whom they stay.
    pub told_by: ToldBy,
    /// How long a session lasts, however it is used; `None` for ever.
    pub absolute: Option<Duration>,
    /// How long it lasts without a request; `None` for ever.
    pub idle: Option<Duration>,
}

/// By what a client tells its session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToldBy {
    /// A header, in both directions.
    Header(HeaderName),
    /// A cookie.
    Cookie {
        /// Its name.
        name: Box<str>,
        /// Its attributes, `; ` in front.
        attributes: Box<str>,
        /// Whether the client is to keep it for as long as the session lasts.
        permanent: bool,
    },
}

impl ToldBy {
    /// A cookie called `name`, for paths under `path`; `None` when that cannot be sent.
    pub fn cookie(name: &str, path: &str, permanent: bool) -> Option<Self> {
        let attributes = if path.is_empty() { String::from("; HttpOnly") } else { format!("; Path={path}; HttpOnly") };
        let can_be_sent = HeaderName::try_from(name).is_ok() && !path.contains(';') && HeaderValue::try_from(&attributes).is_ok();
        can_be_sent.then(|| Self::Cookie { name: name.into(), attributes: attributes.into(), permanent })
    }
}
