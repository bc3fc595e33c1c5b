//! What the two ends of a connection tell each other of themselves (RFC 9113, section 6.5).

use super::{
    Code,
    error::Fault,
    frame::{self, PAYLOAD_MAX, PAYLOAD_MIN, kind},
};

/// A window before anybody has said otherwise.
pub(super) const WINDOW: u32 = 65_535;

/// The largest window.
pub(super) const WINDOW_MAX: u32 = (1 << 31) - 1;

/// Streams we open before the peer has said how many it takes.
const STREAMS_UNTOLD: u32 = 100;

const HEADER_TABLE_SIZE: u16 = 0x1;
const ENABLE_PUSH: u16 = 0x2;
const MAX_CONCURRENT_STREAMS: u16 = 0x3;
const INITIAL_WINDOW_SIZE: u16 = 0x4;
const MAX_FRAME_SIZE: u16 = 0x5;
const MAX_HEADER_LIST_SIZE: u16 = 0x6;
/// RFC 8441, section 3.
const ENABLE_CONNECT_PROTOCOL: u16 = 0x8;

/// What this end takes.
#[derive(Clone, Copy, Debug)]
pub struct Ours {
    /// Bytes the peer may send ahead on a stream; at most 2^31 - 1.
    pub stream_window: u32,
    /// Bytes the peer may send ahead on the connection; from 65,535 to 2^31 - 1.
    pub connection_window: u32,
    /// The largest payload of a frame; from 16,384 to 2^24 - 1.
    pub frame_max: u32,
    /// Bytes of a header list, counted as RFC 9113, section 6.5.2 does.
    pub head_bytes: u32,
    /// Streams the peer may have open.
    pub streams: u32,
    /// Whether the connection carries the work of many, who have nothing to do with what one of them does.
    pub shared: bool,
}

impl Ours {
    /// Appends the frames that tell the peer.
    pub(super) fn announce(&self, is_server: bool, out: &mut Vec<u8>) {
        let role = if is_server {
            [(MAX_CONCURRENT_STREAMS, self.streams), (ENABLE_CONNECT_PROTOCOL, 1)]
        } else {
            [(MAX_CONCURRENT_STREAMS, 0), (ENABLE_PUSH, 0)]
        };
        let both = [
            (INITIAL_WINDOW_SIZE, self.stream_window),
            (MAX_FRAME_SIZE, self.frame_max),
            (MAX_HEADER_LIST_SIZE, self.head_bytes),
        ];
        let payload: Vec<u8> =
            role.iter().chain(&both).flat_map(|(id, value)| id.to_be_bytes().into_iter().chain(value.to_be_bytes())).collect();
        frame::put(out, kind::SETTINGS, 0, 0, &payload);
        if self.connection_window > WINDOW {
            frame::put_window_update(out, 0, self.connection_window - WINDOW);
        }
    }
}

/// What the peer takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Theirs {
    /// Whether the peer has told; until then these are what everybody takes.
    pub(super) told: bool,
    pub(super) stream_window: u32,
    pub(super) frame_max: u32,
    pub(super) streams: u32,
    pub(super) connect_protocol: bool,
    /// Bytes of its table for header compression.
    pub(super) table: u32,
}

impl Default for Theirs {
    fn default() -> Self {
        Self {
            told: false,
            stream_window: WINDOW,
            frame_max: PAYLOAD_MIN,
            streams: STREAMS_UNTOLD,
            connect_protocol: false,
            table: 4096,
        }
    }
}

impl Theirs {
    /// Takes a SETTINGS payload to heart. `by_server` is whether a server sent it.
    pub(super) fn hear(&mut self, payload: &[u8], by_server: bool) -> Result<(), Fault> {
        if !payload.len().is_multiple_of(6) {
            return Err(Fault::size("SETTINGS are not a whole number of settings"));
        }
        if !self.told {
            self.told = true;
            // Who does not name it sets no limit.
            self.streams = u32::MAX;
        }
        for setting in payload.chunks_exact(6) {
            let [a, b, c, d, e, f] = *setting else { continue };
            let (id, value) = (u16::from_be_bytes([a, b]), u32::from_be_bytes([c, d, e, f]));
            match id {
                HEADER_TABLE_SIZE => self.table = value,
                ENABLE_PUSH if value > 1 || (by_server && value == 1) => {
                    return Err(Fault::protocol("SETTINGS_ENABLE_PUSH has an impossible value"));
                }
                MAX_CONCURRENT_STREAMS => self.streams = value,
                INITIAL_WINDOW_SIZE if value > WINDOW_MAX => {
                    return Err(Fault::Connection(Code::FLOW_CONTROL_ERROR, "SETTINGS_INITIAL_WINDOW_SIZE is too large"));
                }
                INITIAL_WINDOW_SIZE => self.stream_window = value,
                MAX_FRAME_SIZE if !(PAYLOAD_MIN..=PAYLOAD_MAX).contains(&value) => {
                    return Err(Fault::protocol("SETTINGS_MAX_FRAME_SIZE has an impossible value"));
                }
                MAX_FRAME_SIZE => self.frame_max = value,
                ENABLE_CONNECT_PROTOCOL if value > 1 || (self.connect_protocol && value == 0) => {
                    return Err(Fault::protocol("SETTINGS_ENABLE_CONNECT_PROTOCOL has an impossible value"));
                }
                ENABLE_CONNECT_PROTOCOL => self.connect_protocol = value == 1,
                // RFC 9113, section 6.5.2: what is unknown is ignored. MAX_HEADER_LIST_SIZE is advice.
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(settings: &[(u16, u32)], by_server: bool) -> Result<Theirs, Fault> {
        let payload: Vec<u8> =
            settings.iter().flat_map(|(id, value)| [&id.to_be_bytes()[..], &value.to_be_bytes()[..]].concat()).collect();
        let mut theirs = Theirs::default();
        theirs.hear(&payload, by_server).map(|()| theirs)
    }

    #[test]
    fn what_is_told_is_heard() {
        let theirs = heard(&[(3, 7), (4, 1), (5, 1 << 20), (8, 1), (0xff, 1)], true).unwrap();
        let Theirs { streams, stream_window, frame_max, connect_protocol, .. } = theirs;
        assert_eq!((streams, stream_window, frame_max, connect_protocol), (7, 1, 1 << 20, true));
        assert_eq!(heard(&[], false).unwrap().streams, u32::MAX);
    }

    #[test]
    fn impossible_values_are_refused() {
        for (setting, by_server) in
            [((2, 2), false), ((2, 1), true), ((4, 1 << 31), false), ((5, 1), false), ((5, 1 << 24), true)]
        {
            assert!(heard(&[setting], by_server).is_err(), "{setting:?}");
        }
        assert!(Theirs::default().hear(&[0; 5], false).is_err());
    }
}
