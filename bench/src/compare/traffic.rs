//! What a pair of sidecars is set up to carry.

/// The kinds of traffic. Each has pods, sidecars and an app of its own, so that all of them listen where Weft's rules send
/// connections: a proxy that is configured by hand needs one listener for each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Traffic {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2 without TLS, known beforehand.
    Http2,
    /// The same with gRPC in it.
    Grpc,
    /// Bytes that nobody looks into.
    Opaque,
}

impl Traffic {
    /// For names of files and processes.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Http1 => "http1",
            Self::Http2 => "http2",
            Self::Grpc => "grpc",
            Self::Opaque => "opaque",
        }
    }

    /// Whether HTTP/2 is what carries it.
    pub(crate) fn is_http2(self) -> bool {
        matches!(self, Self::Http2 | Self::Grpc)
    }

    /// The programs its app takes.
    pub(crate) fn needs(self) -> &'static [&'static str] {
        match self {
            Self::Http1 => &["nginx"],
            Self::Http2 => &["nghttpd"],
            Self::Grpc | Self::Opaque => &[],
        }
    }
}
