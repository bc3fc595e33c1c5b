//! The little of gRPC that a load and an app need: length-prefixed messages, and the status behind them.

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue};

/// The path of a call that is answered once.
pub(crate) const UNARY: &str = "/bench.Echo/Unary";
/// The path of a call in which each message is answered by another.
pub(crate) const STREAM: &str = "/bench.Echo/Stream";

/// Bytes in a message of the client's.
pub(crate) const ASKED: usize = 128;
/// Bytes in a message of the app's.
pub(crate) const ANSWERED: usize = 1024;

/// What a gRPC client asks with, and is answered with.
pub(crate) const CONTENT_TYPE: &str = "application/grpc";

/// A flag and a length come before each message.
const PREFIX: usize = 5;

/// A message of `size` bytes, with its prefix.
pub(crate) fn message(size: usize) -> Bytes {
    let mut bytes = BytesMut::with_capacity(PREFIX + size);
    bytes.put_u8(0);
    bytes.put_u32(u32::try_from(size).unwrap_or(u32::MAX));
    bytes.put_bytes(b'w', size);
    bytes.freeze()
}

/// The trailers of a call that went well.
pub(crate) fn good() -> HeaderMap {
    HeaderMap::from_iter([(http::HeaderName::from_static("grpc-status"), HeaderValue::from_static("0"))])
}

/// Whether trailers say that a call went well.
pub(crate) fn is_good(trailers: &HeaderMap) -> bool {
    trailers.get("grpc-status").is_some_and(|status| status == "0")
}

/// Counts messages in bytes that come in pieces.
#[derive(Debug, Default)]
pub(crate) struct Messages {
    prefix: Vec<u8>,
    left: usize,
}

impl Messages {
    /// Takes a piece. Returns how many messages it completes.
    pub(crate) fn take(&mut self, mut bytes: &[u8]) -> usize {
        let mut complete = 0;
        while !bytes.is_empty() {
            if self.prefix.len() < PREFIX {
                let (taken, rest) = bytes.split_at(bytes.len().min(PREFIX - self.prefix.len()));
                self.prefix.extend_from_slice(taken);
                bytes = rest;
                let Ok([_, length @ ..]) = <[u8; PREFIX]>::try_from(self.prefix.as_slice()) else { break };
                self.left = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
            }
            let taken = bytes.len().min(self.left);
            (self.left, bytes) = (self.left - taken, &bytes[taken..]);
            if self.left == 0 {
                complete += 1;
                self.prefix.clear();
            }
        }
        complete
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_counted_however_they_are_cut() {
        let three = [message(3), message(0), message(1000)].concat();
        for cut in 0..=three.len() {
            let mut messages = Messages::default();
            assert_eq!(messages.take(&three[..cut]) + messages.take(&three[cut..]), 3, "{cut}");
        }
    }

    #[test]
    fn only_the_status_zero_is_good() {
        assert!(is_good(&good()));
        assert!(!is_good(&HeaderMap::new()));
    }
}
