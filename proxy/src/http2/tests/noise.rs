//! What no honest peer sends.

use bytes::Bytes;
use proptest::{collection::vec, prelude::*};

use super::{
    super::{
        frame::{Head, flag, kind},
        head,
        hpack::Encoder,
    },
    OURS, answered, asked,
    pair::End,
};

/// Bytes that may be answered to one byte: a frame of nine can have us reset its stream, and grow a window.
const ANSWER_MAX: usize = 4;

/// What we say unasked: settings, and why we leave.
const UNASKED: usize = 512;

/// A frame that looks like one.
fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let payload = prop_oneof![
        3 => vec(any::<u8>(), 0..20),
        1 => vec(any::<u8>(), 0..9000),
        2 => Just(vec![0; 8]),
        2 => any::<u32>().prop_map(|number| number.to_be_bytes().to_vec()),
        2 => (1u16..9, prop_oneof![0u32..3, 16_384u32..70_000, any::<u32>()])
            .prop_map(|(id, value)| [&id.to_be_bytes()[..], &value.to_be_bytes()[..]].concat()),
        4 => Just(block(|encoder, out| head::put_request(&asked(), encoder, out))),
        4 => Just(block(|encoder, out| head::put_response(&answered(), encoder, out))),
    ];
    let flags = prop_oneof![Just(0), Just(flag::END_HEADERS), Just(flag::END_HEADERS | flag::END_STREAM), any::<u8>()];
    let kinds = prop_oneof![3 => Just(kind::DATA), 4 => Just(kind::HEADERS), 8 => 2u8..11];
    (kinds, flags, 0u32..12, payload).prop_map(|(kind, flags, stream, payload)| framed(kind, flags, stream, &payload))
}

fn framed(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short");
    [&Head { length, kind, flags, stream }.bytes()[..], payload].concat()
}

/// A header block that leaves no trace in the peer's table, so that it may come at any time.
fn block(put: impl FnOnce(&mut Encoder, &mut Vec<u8>)) -> Vec<u8> {
    let (mut encoder, mut out) = (Encoder::new(), Vec::new());
    put(&mut encoder, &mut out);
    out
}

fn ends() -> [End; 2] {
    [false, true].map(|is_server| {
        let mut end = End::new(is_server, OURS);
        end.hear(&framed(kind::SETTINGS, 0, 0, &[])).expect("settings");
        end
    })
}

/// Lets both kinds of ends hear `bytes` in pieces, while they work as ends do.
fn hear(bytes: &[u8], cut: usize) {
    for mut end in ends() {
        let mut held = Vec::new();
        for number in 0..4 {
            held.extend(end.open(&asked(), number % 2 == 0));
        }
        let before = end.conn.borrow().out.len();
        for piece in bytes.chunks(cut) {
            let _ = end.hear(piece);
            while let Some((_, receiver, sender)) = end.next() {
                let _ = sender.answer(&answered(), false).and_then(|()| sender.send(Bytes::from_static(b"answer"), true));
                held.push((receiver, sender));
            }
        }
        let core = end.conn.borrow();
        // What we chose to answer is ours, and one small frame or two for each stream.
        let ours = before + held.len() * 200;
        assert!(core.out.len() <= UNASKED + ours + ANSWER_MAX * bytes.len(), "{} for {}", core.out.len(), bytes.len());
        assert!(core.streams.len() <= 100 && core.receive_window >= 0 || core.over.is_some());
        drop(core);
        drop(held);
        let core = end.conn.borrow();
        assert!(core.streams.values().all(|stream| stream.borrow().sending.is_waiting()), "only who still sends may stay");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn arbitrary_bytes_break_nothing_of_ours(bytes in vec(any::<u8>(), 0..2000), cut in 1usize..500) {
        hear(&bytes, cut);
    }

    #[test]
    fn random_frames_break_nothing_of_ours(frames in vec(any_frame(), 0..60), cut in 1usize..20_000) {
        hear(&frames.concat(), cut);
    }
}
