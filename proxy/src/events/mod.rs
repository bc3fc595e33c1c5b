//! What happened, told once; metrics and the access log are its readers.
//!
//! In: one [`Event`] at each door of the corridor. Out: counters in memory of the worker's own, read by the admin page
//! when somebody scrapes. Never: a lock on the path of a request, or a counter in another room.

mod access_log;
mod edge;
mod histogram;
mod metrics;
mod series;

use std::time::Duration;

use http::{Method, StatusCode};

use crate::refusal::Refusal;

pub use access_log::AccessLog;
pub use edge::{Edge, Labels, Party};
pub use metrics::Metrics;
pub use series::Registry;

/// Which way a connection goes, seen from the app.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Somebody calls the app.
    Inbound,
    /// The app calls somebody.
    Outbound,
}

impl Direction {
    /// The word in metrics and logs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
        }
    }
}

/// Version of HTTP that the client spoke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HttpVersion {
    /// HTTP/1.0 or HTTP/1.1.
    One,
    /// HTTP/2, gRPC included.
    Two,
}

impl HttpVersion {
    /// The value of `network.protocol.version` in OpenTelemetry's semantic conventions.
    pub fn word(self) -> &'static str {
        match self {
            Self::One => "1.1",
            Self::Two => "2",
        }
    }
}

/// Why an endpoint was put out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It could not be reached, or was not who it should be.
    Unreachable,
    /// It failed too often in a row.
    Failures,
    /// It failed too often of many times.
    FailureShare,
    /// It was much slower than its neighbours.
    Latency,
}

impl Cause {
    /// Every cause there is.
    pub const ALL: [Cause; 4] = [Cause::Unreachable, Cause::Failures, Cause::FailureShare, Cause::Latency];

    /// The word in metrics and logs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Failures => "failures",
            Self::FailureShare => "failure_share",
            Self::Latency => "latency",
        }
    }
}

/// A request that a proxy sends beside the one that somebody sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extra {
    /// The same again, after a try that came to nothing.
    Retry,
    /// The same again, beside a try that takes its time.
    Hedge,
    /// A copy.
    Mirror,
}

impl Extra {
    /// All of them.
    pub const ALL: [Extra; 3] = [Extra::Retry, Extra::Hedge, Extra::Mirror];

    /// The word in metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Hedge => "hedge",
            Self::Mirror => "mirror",
        }
    }
}

/// What became of such a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was sent; of a copy, also answered.
    Sent,
    /// It was not sent: that would have been more than is allowed.
    Withheld,
    /// A copy that nobody answered.
    Failed,
}

impl Fate {
    /// All of them.
    pub const ALL: [Fate; 3] = [Fate::Sent, Fate::Withheld, Fate::Failed];

    /// The word in metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Withheld => "withheld",
            Self::Failed => "failed",
        }
    }
}

/// What became of somebody whom a policy's rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// He was kept out.
    Denied,
    /// He was let in, and the rule wanted to hear of it.
    Audited,
}

impl Outcome {
    /// The word in metrics and logs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::Audited => "audited",
        }
    }
}

/// One thing that happened.
#[derive(Debug)]
pub enum Event<'a> {
    /// A request ended, well or badly.
    Request {
        /// Between whom.
        edge: &'a Edge,
        /// What was asked.
        method: &'a Method,
        /// What was answered.
        status: StatusCode,
        /// In which version the client spoke.
        version: HttpVersion,
        /// From the request's head to the end of the answer.
        took: Duration,
        /// Payload bytes from client to server.
        sent: u64,
        /// Payload bytes from server to client.
        received: u64,
    },
    /// An opaque connection was carried to its server.
    Opened {
        /// Between whom.
        edge: &'a Edge,
    },
    /// An opaque connection ended.
    Closed {
        /// Between whom.
        edge: &'a Edge,
        /// What the app's own TLS called the server.
        server_name: Option<&'a str>,
        /// How long it lived.
        took: Duration,
        /// Bytes from client to server.
        sent: u64,
        /// Bytes from server to client.
        received: u64,
    },
    /// A mesh TLS handshake succeeded.
    Handshake {
        /// Which side of it we were: inbound is the TLS server.
        direction: Direction,
    },
    /// A request was sent that nobody had sent us, or would have been.
    Extra {
        /// Of which kind.
        extra: Extra,
        /// What became of it.
        fate: Fate,
    },
    /// A walk ended early.
    Refused {
        /// Which way it was going.
        direction: Direction,
        /// Why.
        refusal: &'a Refusal,
    },
    /// A policy's rule was about somebody.
    Ruled {
        /// Which; `None` if he was kept out because none let him in.
        rule: Option<&'a str>,
        /// What became of him.
        outcome: Outcome,
    },
    /// An endpoint was put out for a while.
    Ejected {
        /// Why.
        cause: Cause,
    },
}

/// Where a worker tells what happened. One per worker, never shared between threads.
#[derive(Debug)]
pub struct Recorder {
    series: series::Local,
    log: AccessLog,
}

impl Recorder {
    /// A recorder whose counters show up in `registry`.
    pub fn new(registry: &Registry, log: AccessLog) -> Self {
        Self { series: series::Local::new(registry.clone()), log }
    }

    /// Counters for what happens between two parties. The same labels give the same edge.
    pub fn edge(&self, labels: Labels) -> Edge {
        self.series.edge(labels)
    }

    /// Hears of `event`.
    pub fn on(&self, event: Event<'_>) {
        self.log.on(&event);
        match event {
            Event::Request { edge, method, status, version, took, sent, received } => {
                edge.request(&self.series, method, status, version, took);
                edge.carried(sent, received);
            }
            Event::Opened { edge } => edge.opened(),
            Event::Closed { edge, took, sent, received, .. } => {
                edge.closed(took);
                edge.carried(sent, received);
            }
            Event::Handshake { direction } => self.series.handshake(direction),
            Event::Extra { extra, fate } => self.series.extra(extra, fate),
            Event::Refused { direction, refusal } => self.series.refused(direction, refusal.reason),
            Event::Ruled { rule, outcome } => self.series.ruled(rule.unwrap_or("none"), outcome),
            Event::Ejected { cause } => self.series.ejected(cause),
        }
    }
}
