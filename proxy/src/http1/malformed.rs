//! What can be wrong with a message.

use std::fmt;

use http::StatusCode;

/// Why a message cannot be read, or could be read in two ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// A line ends in LF alone, or CR stands where it does not end a line.
    LineEnd,
    /// The request line is none.
    RequestLine,
    /// The status line is none.
    StatusLine,
    /// The method is no token.
    Method,
    /// The target has none of the four forms, or characters no target has.
    Target,
    /// Its line is longer than there is room for.
    TargetTooLong,
    /// A version other than 1.0 and 1.1.
    Version,
    /// A header field is none: no token before its colon, a fold, a control character.
    Field,
    /// The head, or the trailers, are longer than there is room for, or have more fields than are
    /// allowed.
    HeadTooLarge,
    /// No `Host`, several, or one that is no host.
    Host,
    /// `Host` is not the host of the absolute target.
    HostDisagrees,
    /// Several `Content-Length`, or one that is no number.
    ContentLength,
    /// Both `Content-Length` and `Transfer-Encoding`.
    TwoFramings,
    /// `Transfer-Encoding` in HTTP/1.0, or spelled in a way that readers differ about.
    TransferEncoding,
    /// A transfer coding other than `chunked`.
    Coding,
    /// The size of a chunk is none, or too large.
    ChunkSize,
    /// A chunk is followed by something else than the end of its line.
    ChunkEnd,
    /// A trailer that must not be one, since it frames or routes the message.
    Trailer,
    /// More interim answers than are allowed.
    Interims,
    /// A 101 that nobody asked for.
    Switched,
    /// It ends before its end.
    Incomplete,
}

impl Malformed {
    /// What a server tells a client that sent it (RFC 9110, section 15.5 and 15.6).
    pub fn status(self) -> StatusCode {
        match self {
            Self::TargetTooLong => StatusCode::URI_TOO_LONG,
            Self::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Coding => StatusCode::NOT_IMPLEMENTED,
            Self::Version => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LineEnd => "a line does not end in CR LF",
            Self::RequestLine => "its first line is no request line",
            Self::StatusLine => "its first line is no status line",
            Self::Method => "its method is no token",
            Self::Target => "its target is none",
            Self::TargetTooLong => "its target is too long",
            Self::Version => "its version is neither HTTP/1.0 nor HTTP/1.1",
            Self::Field => "a header field is malformed",
            Self::HeadTooLarge => "its header fields are too large",
            Self::Host => "it has no Host, or several, or one that is no host",
            Self::HostDisagrees => "its Host is not that of its target",
            Self::ContentLength => "its Content-Length is no number, or there are several",
            Self::TwoFramings => "it has both Content-Length and Transfer-Encoding",
            Self::TransferEncoding => "its Transfer-Encoding can be read in several ways",
            Self::Coding => "it uses a transfer coding other than chunked",
            Self::ChunkSize => "the size of a chunk is malformed",
            Self::ChunkEnd => "a chunk does not end where it says",
            Self::Trailer => "a trailer field may not be one",
            Self::Interims => "there are too many interim answers",
            Self::Switched => "it switches to a protocol nobody asked for",
            Self::Incomplete => "it breaks off",
        })
    }
}
