//! The shape of frames (RFC 9113, sections 4 and 6).

/// What a client begins with, before its first frame (RFC 9113, section 3.4).
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Length of a frame's head.
pub(super) const HEAD: usize = 9;

/// The largest payload that every receiver takes.
pub(super) const PAYLOAD_MIN: u32 = 1 << 14;

/// The largest payload that a receiver may take.
pub(super) const PAYLOAD_MAX: u32 = (1 << 24) - 1;

/// Kinds of frames.
pub(super) mod kind {
    pub(in crate::http2) const DATA: u8 = 0;
    pub(in crate::http2) const HEADERS: u8 = 1;
    pub(in crate::http2) const PRIORITY: u8 = 2;
    pub(in crate::http2) const RST_STREAM: u8 = 3;
    pub(in crate::http2) const SETTINGS: u8 = 4;
    pub(in crate::http2) const PUSH_PROMISE: u8 = 5;
    pub(in crate::http2) const PING: u8 = 6;
    pub(in crate::http2) const GOAWAY: u8 = 7;
    pub(in crate::http2) const WINDOW_UPDATE: u8 = 8;
    pub(in crate::http2) const CONTINUATION: u8 = 9;
}

/// Flags of frames.
pub(super) mod flag {
    pub(in crate::http2) const END_STREAM: u8 = 0x1;
    pub(in crate::http2) const ACK: u8 = 0x1;
    pub(in crate::http2) const END_HEADERS: u8 = 0x4;
    pub(in crate::http2) const PADDED: u8 = 0x8;
    pub(in crate::http2) const PRIORITY: u8 = 0x20;
}

/// The head of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// Bytes of payload, below 2^24.
    pub(super) length: u32,
    pub(super) kind: u8,
    pub(super) flags: u8,
    /// 0 for the connection.
    pub(super) stream: u32,
}

impl Head {
    /// The head that `bytes` begin with, if they hold a whole one.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let [high, middle, low, kind, flags, a, b, c, d, ..] = *bytes.get(..HEAD)? else { return None };
        Some(Self {
            length: u32::from_be_bytes([0, high, middle, low]),
            kind,
            flags,
            // The highest bit means nothing.
            stream: u32::from_be_bytes([a, b, c, d]) & 0x7fff_ffff,
        })
    }

    /// The head as it goes on the wire.
    pub(super) fn bytes(self) -> [u8; HEAD] {
        let [_, high, middle, low] = self.length.to_be_bytes();
        let [a, b, c, d] = self.stream.to_be_bytes();
        [high, middle, low, self.kind, self.flags, a, b, c, d]
    }

    pub(super) fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// Appends a frame whose payload is short.
pub(super) fn put(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let length = u32::try_from(payload.len()).unwrap_or(PAYLOAD_MAX);
    out.extend_from_slice(&Head { length, kind, flags, stream }.bytes());
    out.extend_from_slice(payload);
}

pub(super) fn put_reset(out: &mut Vec<u8>, stream: u32, code: super::Code) {
    put(out, kind::RST_STREAM, 0, stream, &code.number().to_be_bytes());
}

pub(super) fn put_window_update(out: &mut Vec<u8>, stream: u32, increment: u32) {
    put(out, kind::WINDOW_UPDATE, 0, stream, &increment.to_be_bytes());
}

pub(super) fn put_goodbye(out: &mut Vec<u8>, last: u32, code: super::Code, why: &str) {
    let payload = [&last.to_be_bytes(), &code.number().to_be_bytes(), why.as_bytes()].concat();
    put(out, kind::GOAWAY, 0, 0, &payload);
}

/// The number that a payload of four bytes is.
pub(super) fn number(payload: &[u8]) -> Option<u32> {
    payload.try_into().ok().map(u32::from_be_bytes)
}

/// A payload without its padding; `None` when there is more padding than payload (RFC 9113, section 6.1).
pub(super) fn unpadded(head: Head, payload: &[u8]) -> Option<&[u8]> {
    if !head.has(flag::PADDED) {
        return Some(payload);
    }
    let (&padding, rest) = payload.split_first()?;
    rest.get(..rest.len().checked_sub(usize::from(padding))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_as_it_was_written() {
        let head = Head { length: 0x01_02_03, kind: kind::HEADERS, flags: flag::END_HEADERS, stream: 0x7fff_fffe };
        assert_eq!(Head::read(&head.bytes()), Some(head));
        assert_eq!(Head::read(&head.bytes()[..8]), None);
        let mut reserved = head.bytes();
        reserved[5] |= 0x80;
        assert_eq!(Head::read(&reserved), Some(head), "the reserved bit means nothing");
    }

    #[test]
    fn padding_is_taken_off_and_never_exceeds_its_frame() {
        let padded = Head { length: 5, kind: kind::DATA, flags: flag::PADDED, stream: 1 };
        assert_eq!(unpadded(padded, b"\x02ab\0\0"), Some(&b"ab"[..]));
        assert_eq!(unpadded(padded, b"\x04\0\0\0\0"), Some(&b""[..]));
        assert_eq!(unpadded(padded, b"\x05\0\0\0\0"), None);
        assert_eq!(unpadded(padded, b""), None);
    }
}
