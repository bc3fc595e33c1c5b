//! What our own load is asked to do.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use super::super::apps::Ask;

/// The most that is asked for at once to warm up.
const WARM_UP: u64 = 16 << 20;

/// An order for `__load`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) target: SocketAddr,
    pub(crate) time: Duration,
    pub(crate) work: Work,
}

/// What to do for that time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Work {
    /// Exchange after exchange on each of some connections.
    Lanes(Lanes),
    /// gRPC: message after message on each of some streams.
    Streams { connections: u32, streams: u32 },
    /// Full mutual handshakes, one after another, each on a connection of its own that is closed again.
    Handshakes(Tls),
    /// One GET on each of some connections, which stay open; with TLS if it is given.
    Hold { connections: u32, tls: Option<Tls> },
}

/// Connections on which exchanges follow one another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Lanes {
    pub(crate) connections: u32,
    pub(crate) exchange: Exchange,
    pub(crate) keep: Keep,
    pub(crate) pace: Pace,
    pub(crate) until: Until,
}

impl Lanes {
    /// A closed loop on `connections` that stay.
    pub(crate) fn closed(connections: u32, exchange: Exchange) -> Self {
        Self { connections, exchange, keep: Keep::Open, pace: Pace::Closed, until: Until::Time }
    }

    /// The same as fast as it goes, and not so much at a time.
    pub(super) fn warm_up(&self) -> Self {
        let exchange = match &self.exchange {
            Exchange::Opaque(wanted) => Exchange::Opaque(WARM_UP.min(*wanted)),
            http @ Exchange::Http(_) => http.clone(),
        };
        let until = if self.until == Until::Time { Until::TimeAndAnswers } else { self.until };
        Self { exchange, until, pace: Pace::Closed, ..self.clone() }
    }
}

/// A question and its answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Exchange {
    /// Bytes, of which so many come back.
    Opaque(u64),
    /// HTTP/1.1: a GET of this path.
    Http(String),
}

impl Exchange {
    /// The question as it is sent.
    pub(super) fn question(&self) -> Vec<u8> {
        match self {
            Self::Opaque(wanted) => Ask(*wanted).bytes().to_vec(),
            Self::Http(path) => format!("GET {path} HTTP/1.1\r\nhost: server\r\n\r\n").into_bytes(),
        }
    }
}

/// What becomes of a connection after an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Keep {
    /// It is used again.
    Open,
    /// It is closed, and another one opened.
    Close,
}

/// When it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Until {
    /// After the time of the order.
    Time,
    /// And not before every connection had an answer: behind it there may be a handshake for each.
    TimeAndAnswers,
    /// After so many exchanges, whatever the time.
    Count(u64),
}

/// When exchanges begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Pace {
    /// Each when the one before it on its connection is over.
    Closed,
    /// So many a second, at equal distances, whether or not the earlier ones are over.
    Steady(u32),
    /// So many a second on average, at distances as of independent clients (a Poisson process).
    Random(u32),
}

/// Who we are, and whom we expect, on a mesh hop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Tls {
    pub(crate) root: PathBuf,
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    /// SPIFFE ID of the other end.
    pub(crate) expected: String,
    /// The protocol to ask for.
    pub(crate) alpn: String,
}
