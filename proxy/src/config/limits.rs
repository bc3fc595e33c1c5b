//! Numbers that bound what one connection may cost. `docs/operating/limits.md` lists them for operators.

use std::time::Duration;

use socket2::TcpKeepalive;

use crate::{http1::Room, http2};

/// What a connection of HTTP may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a message's header fields; for HTTP/2 counted as RFC 9113, section 6.5.2 does. 4 KiB to 1 MiB.
    pub head_bytes: u32,
    /// HTTP/1: header fields of a message. 8 to 256.
    pub fields: u32,
    /// HTTP/1: bytes of a request line. 1 KiB to 1 MiB.
    pub line_bytes: u32,
    /// HTTP/1: bytes of the line that says how long a chunk is, its extensions included. 32 to 64 KiB.
    pub chunk_line_bytes: u32,
    /// HTTP/1: interim answers to one request. 0 to 1,000.
    pub interims: u32,
    /// HTTP/1: bytes that a client may send ahead of its turn. 0 to 1 MiB.
    pub ahead_bytes: u32,
    /// HTTP/1: idle connections kept to one endpoint. 0 to 100,000.
    pub idle_lines: usize,
    /// HTTP/1: how long an idle connection to an endpoint is kept. 10 ms to 1 h.
    pub idle_time: Duration,
    /// HTTP/2: streams a peer may have open at once. A peer proxy carries many clients' work on one connection. 1 to 1,000,000.
    pub streams: u32,
    /// HTTP/2: bytes a peer may send ahead on one stream. 64 KiB to 1 GiB.
    pub stream_window: u32,
    /// HTTP/2: bytes a peer may send ahead on one connection. What readers who stand still hold of it, all others lack, so
    /// it is far more than many of them can hold: memory is bounded by the streams. 64 KiB to 1 GiB.
    pub connection_window: u32,
}

impl Limits {
    /// What we take on an HTTP/2 connection; `shared` when it carries the work of many.
    pub fn http2(&self, shared: bool) -> http2::Ours {
        http2::Ours {
            stream_window: self.stream_window,
            connection_window: self.connection_window,
            frame_max: FRAME_MAX,
            head_bytes: self.head_bytes,
            streams: self.streams,
            shared,
        }
    }
}

impl From<&Limits> for Room {
    fn from(limits: &Limits) -> Self {
        let size = |bytes: u32| usize::try_from(bytes).unwrap_or(usize::MAX);
        Self {
            head: size(limits.head_bytes),
            fields: size(limits.fields),
            line: size(limits.line_bytes),
            chunk_line: size(limits.chunk_line_bytes),
            interims: size(limits.interims),
            ahead: size(limits.ahead_bytes),
        }
    }
}

/// How a silent connection is asked whether anybody is left: after `silence`, and again every third of it until as much has
/// passed once more.
pub fn keepalive(silence: Duration) -> TcpKeepalive {
    TcpKeepalive::new().with_time(silence).with_interval(silence / 3).with_retries(3)
}

/// HTTP/2: the largest frame taken. Bulk is not chopped up, and streams still take turns.
const FRAME_MAX: u32 = 64 * 1024;
