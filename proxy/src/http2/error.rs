//! Why something ended before its time.

use std::{error::Error as StdError, fmt, io};

use super::Code;

/// Who ended it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// This end.
    Us,
    /// The other.
    Peer,
}

/// Why a stream, or the connection with all its streams, ended before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The stream alone was reset.
    Reset {
        /// With which code.
        code: Code,
        /// By whom.
        by: By,
        /// What was wrong, when it was we who said so.
        why: &'static str,
    },
    /// The connection was ended with a goodbye.
    Goodbye {
        /// With which code.
        code: Code,
        /// By whom.
        by: By,
        /// What was wrong, when it was we who said so.
        why: &'static str,
    },
    /// The transport failed, or ended without a word.
    Lost(io::ErrorKind),
}

impl Error {
    pub(super) fn cancelled(code: Code) -> Self {
        Self::Reset { code, by: By::Us, why: "nobody wants it any more" }
    }

    /// The code on the wire, if there was one.
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Reset { code, .. } | Self::Goodbye { code, .. } => Some(*code),
            Self::Lost(_) => None,
        }
    }

    /// Whether the peer has promised that it did not look at the stream, so that it may be tried again, whatever it asked
    /// for (RFC 9113, sections 6.8 and 8.7).
    pub fn is_untouched(&self) -> bool {
        match self {
            Self::Reset { code, by, .. } => *by == By::Peer && *code == Code::REFUSED_STREAM,
            // Streams that the peer did look at are left to end by themselves, or are lost with the transport.
            Self::Goodbye { by, .. } => *by == By::Peer,
            Self::Lost(_) => false,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reset { code, by: By::Peer, .. } => write!(f, "the other end reset the stream: {code}"),
            Self::Goodbye { code, by: By::Peer, .. } => write!(f, "the other end said goodbye: {code}"),
            Self::Reset { code, why, .. } | Self::Goodbye { code, why, .. } => write!(f, "{why} ({code})"),
            Self::Lost(kind) => write!(f, "the connection was lost: {kind}"),
        }
    }
}

impl StdError for Error {}

/// What a frame of the peer's breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Its stream alone.
    Stream(Code, &'static str),
    /// The connection.
    Connection(Code, &'static str),
}

impl Fault {
    pub(super) fn protocol(why: &'static str) -> Self {
        Self::Connection(Code::PROTOCOL_ERROR, why)
    }

    pub(super) fn size(why: &'static str) -> Self {
        Self::Connection(Code::FRAME_SIZE_ERROR, why)
    }

    pub(super) fn malformed(why: &'static str) -> Self {
        Self::Stream(Code::PROTOCOL_ERROR, why)
    }
}
