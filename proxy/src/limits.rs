//! Numbers that bound what one connection may cost. `docs/operating/limits.md` lists them for operators.

/// HTTP/2: bytes a peer may send ahead on one stream.
pub const STREAM_WINDOW: u32 = 1 << 20;

/// HTTP/2: bytes a peer may send ahead on one connection. Several times the stream's window, so that one stalled stream
/// does not block the rest; and large, since `h2` grants small data frames a budget in proportion to it.
pub const CONNECTION_WINDOW: u32 = 16 << 20;

/// HTTP/2: the largest frame taken. Bulk is not chopped up, and streams still take turns.
pub const FRAME_MAX: u32 = 64 * 1024;

/// HTTP/2: header bytes of one message, counted as RFC 9113 section 6.5.2 does.
pub const HEADERS_MAX: u32 = 64 * 1024;

/// HTTP/2: streams a peer may have open at once. A peer proxy carries many clients' work on one connection.
pub const STREAMS_MAX: u32 = 10_000;
