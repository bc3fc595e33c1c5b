//! Random lives of many streams on one connection, cut at random places.

use std::task::Poll;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use proptest::{collection::vec, prelude::*, sample::Index};

use super::{
    super::{
        Code, Error, Ours, Receiver, Sender,
        core::{Conn, Leaving},
        frame::{self, flag, kind},
        stream::Ending,
    },
    OURS, answered, asked, look,
    pair::Pair,
};

/// What is sent repeats after so many bytes, which divide no frame.
const PERIOD: usize = 251;

/// Something happens.
#[derive(Clone, Debug)]
enum Event {
    Open {
        end: bool,
    },
    Accept,
    Carry {
        to_server: bool,
        most: usize,
    },
    On(Index, bool, Deed),
    /// The server leaves in order.
    Leave,
    /// The server leaves, and looks at nothing that is on its way.
    LeaveAtOnce,
}

/// What one end does on a stream.
#[derive(Clone, Debug)]
enum Deed {
    Send { length: usize, end: bool },
    Pad { length: u8, padding: u8 },
    Trailers,
    Read { release: bool },
    Reset,
    StopReceiving,
    StopSending,
}

/// One end of a stream, and what has gone through it.
#[derive(Default)]
struct Side {
    receiver: Option<Receiver>,
    sender: Option<Sender>,
    sent: usize,
    ended: bool,
    trailers: bool,
    received: usize,
    owed: usize,
}

#[derive(Default)]
struct Life {
    id: u32,
    client: Side,
    server: Side,
    /// Somebody has given up on it: not all has to arrive.
    disturbed: bool,
}

struct World {
    pair: Pair,
    lives: Vec<Life>,
}

fn any_deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        8 => (prop_oneof![0..100usize, 0..20_000usize, 0..150_000usize], prop::bool::weighted(0.2))
            .prop_map(|(length, end)| Deed::Send { length, end }),
        2 => (any::<u8>(), any::<u8>()).prop_map(|(length, padding)| Deed::Pad { length, padding }),
        1 => Just(Deed::Trailers),
        8 => prop::bool::weighted(0.8).prop_map(|release| Deed::Read { release }),
        1 => Just(Deed::Reset),
        1 => Just(Deed::StopReceiving),
        1 => Just(Deed::StopSending),
    ]
}

fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        20 => prop::bool::weighted(0.2).prop_map(|end| Event::Open { end }),
        20 => Just(Event::Accept),
        60 => (any::<bool>(), prop_oneof![1..40usize, 1..20_000usize, Just(usize::MAX)])
            .prop_map(|(to_server, most)| Event::Carry { to_server, most }),
        100 => (any::<Index>(), any::<bool>(), any_deed()).prop_map(|(on, client, deed)| Event::On(on, client, deed)),
        1 => Just(Event::Leave),
        1 => Just(Event::LeaveAtOnce),
    ]
}

fn any_ours() -> impl Strategy<Value = Ours> {
    (65_535u32..200_000, 65_535u32..400_000, 16_384u32..70_000).prop_map(|(stream_window, connection_window, frame_max)| Ours {
        stream_window,
        connection_window,
        frame_max,
        ..OURS
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_is_sent_arrives_and_nothing_is_left_behind(
        ours in any_ours(),
        theirs in any_ours(),
        events in vec(any_event(), 0..120),
    ) {
        let mut world = World { pair: Pair::new(ours, theirs), lives: Vec::new() };
        events.iter().for_each(|event| world.happens(event));
        world.ends();
    }
}

impl World {
    fn happens(&mut self, event: &Event) {
        match event {
            Event::Open { end } => self.open(*end),
            Event::Accept => drop(self.accept()),
            Event::Carry { to_server, most } => drop(self.pair.carry(*to_server, *most)),
            Event::On(_, _, _) if self.lives.is_empty() => {}
            Event::On(on, client, deed) => {
                let life = on.get_mut(&mut self.lives);
                let conn = if *client { &self.pair.client.conn } else { &self.pair.server.conn };
                life.does(conn, *client, deed);
            }
            Event::Leave => self.pair.server.conn.borrow_mut().announce_leaving(),
            Event::LeaveAtOnce => {
                let core = &mut *self.pair.server.conn.borrow_mut();
                if core.leaving == Leaving::No {
                    core.leaving = Leaving::After(core.last_heard);
                    frame::put_goodbye(&mut core.out, core.last_heard, Code::NO_ERROR, "");
                }
            }
        }
    }

    fn open(&mut self, end: bool) {
        let Ok((receiver, sender)) = self.pair.client.open(&asked(), end) else { return };
        let client = Side { receiver: Some(receiver), sender: Some(sender), ended: end, ..Side::default() };
        let id = u32::try_from(self.lives.len()).expect("few") * 2 + 1;
        self.lives.push(Life { id, client, ..Life::default() });
    }

    fn accept(&mut self) -> bool {
        let Some((_, receiver, sender)) = self.pair.server.next() else { return false };
        let id = receiver.id();
        let life = self.lives.iter_mut().find(|life| life.id == id).expect("it was opened");
        assert!(!life.is_untouched(), "stream {id} was said to be untouched");
        // The client may have given up on it in the meantime.
        let _ = sender.answer(&answered(), false);
        life.server.receiver = Some(receiver);
        life.server.sender = Some(sender);
        true
    }

    /// Everything is read to its end, then let go.
    fn ends(&mut self) {
        loop {
            // Streams that nobody accepts, since they are broken, are let go of all the same, and that gives back window.
            let mut moved = self.accept() | self.pair.settle();
            for life in &mut self.lives {
                moved |= life.client.catches_up(life.id) | life.server.catches_up(life.id);
            }
            if !moved {
                break;
            }
        }
        self.lives.iter().for_each(Life::is_whole);
        self.lives.clear();
        self.pair.settle();
        let Pair { client, server } = &self.pair;
        for conn in [&client.conn, &server.conn] {
            let core = conn.borrow();
            assert!(core.over.is_none(), "{:?}", core.over);
            assert!(core.streams.is_empty(), "left: {:?}", core.streams);
            assert!(core.line.is_empty() && core.arrived.is_empty());
            assert_eq!(core.grown, 0);
            let whole = i64::from(core.ours.connection_window);
            assert_eq!(core.receive_window + i64::from(core.taken), whole, "of the connection's window");
        }
        assert_eq!(client.conn.borrow().send_window, server.conn.borrow().receive_window);
        assert_eq!(server.conn.borrow().send_window, client.conn.borrow().receive_window);
    }
}

impl Life {
    fn does(&mut self, conn: &Conn, client: bool, deed: &Deed) {
        let id = self.id;
        let side = if client { &mut self.client } else { &mut self.server };
        match deed {
            Deed::Send { length, end } => side.send(*length, *end),
            Deed::Pad { length, padding } => side.pad(conn, id, *length, *padding),
            Deed::Trailers => side.send_trailers(),
            Deed::Read { release } => drop(side.read(id, *release)),
            Deed::Reset => {
                if let Some(sender) = &side.sender {
                    sender.reset(Code::CANCEL);
                    self.disturbed = true;
                }
            }
            Deed::StopReceiving => self.disturbed |= side.receiver.take().is_some(),
            Deed::StopSending => self.disturbed |= side.sender.take().is_some(),
        }
    }

    fn is_untouched(&self) -> bool {
        let sender = self.client.sender.as_ref();
        sender.is_some_and(|sender| matches!(sender.poll_broken(&look()), Poll::Ready(error) if error.is_untouched()))
    }

    /// All has arrived, unless somebody has given up.
    fn is_whole(&self) {
        if self.disturbed {
            return;
        }
        if self.server.sender.is_none() {
            return assert!(self.is_untouched(), "stream {} never arrived", self.id);
        }
        for (from, to) in [(&self.client, &self.server), (&self.server, &self.client)] {
            assert_eq!(to.received, from.sent, "stream {}", self.id);
            let receiver = to.receiver.as_ref().expect("it was not let go");
            let trailers = match receiver.poll_trailers(&look()) {
                Poll::Ready(trailers) => trailers.expect("nobody broke it off"),
                Poll::Pending => return assert!(!from.ended, "stream {} has no end", self.id),
            };
            assert!(from.ended);
            assert_eq!(trailers.is_some(), from.trailers);
        }
    }
}

impl Side {
    fn send(&mut self, length: usize, end: bool) {
        let Some(sender) = self.sender.as_ref().filter(|_| !self.ended) else { return };
        if sender.send(pattern(self.sent, length), end).is_ok() {
            self.sent += length;
            self.ended = end;
        }
    }

    /// A padded frame, which we never make, when nothing else waits and the windows let it through.
    fn pad(&mut self, conn: &Conn, id: u32, length: u8, padding: u8) {
        if self.sender.is_none() || self.ended {
            return;
        }
        let core = &mut *conn.borrow_mut();
        let Some(shared) = core.streams.get(&id).cloned() else { return };
        let stream = &mut *shared.borrow_mut();
        let sending = &mut stream.sending;
        let size = 1 + i64::from(length) + i64::from(padding);
        if !sending.waiting.is_empty() || !matches!(sending.ending, Ending::Open) || size > sending.window.min(core.send_window) {
            return;
        }
        let data = pattern(self.sent, length.into());
        let payload = [&[padding], &data[..], &vec![0; padding.into()]].concat();
        frame::put(&mut core.out, kind::DATA, flag::PADDED, id, &payload);
        sending.window -= size;
        core.send_window -= size;
        self.sent += data.len();
    }

    fn send_trailers(&mut self) {
        let Some(sender) = self.sender.as_ref().filter(|_| !self.ended) else { return };
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        if sender.send_trailers(trailers).is_ok() {
            self.ended = true;
            self.trailers = true;
        }
    }

    /// Takes one piece, and holds it against what was sent. Says whether there was one.
    fn read(&mut self, id: u32, release: bool) -> bool {
        let Some(receiver) = &self.receiver else { return false };
        let _: Poll<Result<_, Error>> = receiver.poll_answer(&look());
        let Poll::Ready(Some(Ok(piece))) = receiver.poll_data(&look()) else { return false };
        assert_eq!(piece, pattern(self.received, piece.len()), "stream {id} at {}", self.received);
        self.received += piece.len();
        if release {
            receiver.release(piece.len());
        } else {
            self.owed += piece.len();
        }
        true
    }

    fn catches_up(&mut self, id: u32) -> bool {
        let mut moved = false;
        if let Some(receiver) = self.receiver.as_ref().filter(|_| self.owed > 0) {
            receiver.release(std::mem::take(&mut self.owed));
            moved = true;
        }
        while self.read(id, true) {
            moved = true;
        }
        moved
    }
}

/// `length` bytes of what is sent on every stream, from `begin` on.
fn pattern(begin: usize, length: usize) -> Bytes {
    (0u8..251).cycle().skip(begin % PERIOD).take(length).collect()
}
