//! What requests of a route must pass before they go on.

use std::{sync::Arc, time::Duration};

use http::{HeaderValue, StatusCode};

use super::TextMatch;
use crate::rate_limit::RateLimit;

/// What requests must pass before they go on.
#[derive(Debug, Default)]
pub struct Gate {
    /// Pages of which other origins may ask; `None` where nobody minds.
    pub cors: Option<Arc<Cors>>,
    /// How often may be asked: no more than each of these allows.
    pub limits: Vec<Arc<RateLimit>>,
    /// What is done to some for a trial.
    pub faults: Faults,
}

/// Pages of which other origins may ask, and for what. Source: GEP-1767.
#[derive(Debug)]
pub struct Cors {
    /// Which origins.
    pub origins: Origins,
    /// Whether with credentials.
    pub credentials: bool,
    /// By which methods.
    pub methods: Listed,
    /// With which header fields.
    pub headers: Listed,
    /// Which header fields of answers they may see.
    pub exposed: Listed,
    /// For how many seconds they need not ask about that again.
    pub max_age: HeaderValue,
}

/// Some origins.
#[derive(Debug)]
pub enum Origins {
    /// All.
    Any,
    /// These.
    These(Vec<TextMatch>),
}

/// What is listed in a header field.
#[derive(Debug)]
pub enum Listed {
    /// Nothing: there is no such field.
    Nothing,
    /// All.
    Any,
    /// These, as the field has them.
    These(HeaderValue),
}

/// What is done to some requests for a trial.
#[derive(Debug, Default)]
pub struct Faults {
    /// They are held up for so long.
    pub delay: Option<Share<Duration>>,
    /// They are answered with an error.
    pub abort: Option<Share<Abort>>,
}

/// Something that happens to a share of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share<T> {
    /// To how many, of a million.
    pub millionths: u32,
    /// What happens.
    pub what: T,
}

/// An error that is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abort {
    /// For clients of HTTP.
    pub status: StatusCode,
    /// For clients of gRPC.
    pub grpc: u16,
}
