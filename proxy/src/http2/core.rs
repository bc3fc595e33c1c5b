//! What is known of a connection, and what its ends may do with it. No bytes are read or written here: `receive` is given
//! them, `out` holds them, and `drive` carries them.

use std::{
    cell::RefCell,
    collections::VecDeque,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use foldhash::HashMap;
use http::Request;

use super::{
    Code, Ours,
    data::DataFrame,
    error::{By, Error},
    floods::Floods,
    frame,
    hpack::{Decoder, Encoder},
    receive::Block,
    resets::Resets,
    settings::{Theirs, WINDOW},
    stream::{Ending, Shared, Stream},
};

/// Bytes that may wait to be written before data has to wait as data. Enough for a large write; more would only be memory.
const OUT_MAX: usize = 128 * 1024;

/// Bytes that may wait to be written before the peer is not listened to any more: what it asks, it must hear.
const OUT_DEAF: usize = 1 << 20;

/// Bytes made room for when the first stream after a rest begins: a head and a small body.
const OUT_MIN: usize = 2048;

/// Streams that a connection at rest still has room for.
const FEW: usize = 14;

/// The table for header compression that we offer: what everybody has before anything is said.
const TABLE: usize = 4096;

/// The last stream there can be.
const LAST_STREAM: u32 = (1 << 31) - 1;

/// A connection, as its driver and everybody who works on one of its streams share it.
pub(super) type Conn = Rc<RefCell<Core>>;

/// A connection.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) is_server: bool,
    pub(super) ours: Ours,
    pub(super) theirs: Theirs,
    pub(super) decoder: Decoder,
    pub(super) encoder: Encoder,
    /// A header block that has begun and not ended.
    pub(super) block: Option<Block>,
    /// The same of a frame of data.
    pub(super) data: Option<DataFrame>,
    /// Frames that wait to be written.
    pub(super) out: Vec<u8>,
    pub(super) streams: HashMap<u32, Shared>,
    /// Streams with something to send and a window to send it in.
    pub(super) line: VecDeque<Shared>,
    /// Streams that we reset while the peer may have had more to say on them.
    pub(super) resets: Resets,
    pub(super) floods: Floods,
    /// Bytes that the peer takes, and those that we take, on all streams together.
    pub(super) send_window: i64,
    pub(super) receive_window: i64,
    /// Bytes taken, of which the peer was not told yet.
    pub(super) taken: u32,
    /// Bytes by which windows of streams have grown.
    pub(super) grown: u32,
    /// The highest stream that the peer opened, and the next that we open.
    pub(super) last_heard: u32,
    next: u32,
    /// To a server: requests that nobody has begun to handle.
    pub(super) arrived: VecDeque<(Arrived, Shared)>,
    /// Our goodbye: the last stream that is served.
    pub(super) leaving: Leaving,
    /// The peer's goodbye.
    pub(super) goodbye: Option<Error>,
    /// Nobody will open another stream.
    unwanted: bool,
    /// It is over, and why.
    pub(super) over: Option<Error>,
    driver: Option<Waker>,
    /// The driver has something to do.
    stirred: bool,
    /// Who waits for room for another stream, or for the peer's settings.
    waiting: Vec<Waker>,
}

/// What a client has opened a stream for.
// It is taken apart where it arrives: a box would cost each request an allocation.
#[allow(clippy::large_enum_variant)]
#[derive(Debug)]
pub enum Arrived {
    /// A request.
    Request(Request<()>),
    /// A request whose header fields are larger than we take. It is to be told so (RFC 6585, section 5).
    TooLong,
}

/// How far our own goodbye has got (RFC 9113, section 6.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leaving {
    /// Nobody leaves.
    No,
    /// We have said that we shall, and asked whether it was heard: streams may still arrive.
    Announced,
    /// No stream above this one is served.
    After(u32),
}

impl Core {
    pub(super) fn new(is_server: bool, ours: Ours) -> Self {
        let mut out = Vec::new();
        if !is_server {
            out.extend_from_slice(frame::PREFACE);
        }
        ours.announce(is_server, &mut out);
        Self {
            is_server,
            ours,
            theirs: Theirs::default(),
            decoder: Decoder::new(TABLE),
            encoder: Encoder::new(),
            block: None,
            data: None,
            out,
            streams: HashMap::default(),
            line: VecDeque::new(),
            resets: Resets::default(),
            floods: Floods::new(ours.shared),
            send_window: WINDOW.into(),
            receive_window: ours.connection_window.max(WINDOW).into(),
            taken: 0,
            grown: 0,
            last_heard: 0,
            next: 1,
            arrived: VecDeque::new(),
            leaving: Leaving::No,
            goodbye: None,
            unwanted: false,
            over: None,
            driver: None,
            stirred: true,
            waiting: Vec::new(),
        }
    }

    /// Whether data may still be made into frames.
    pub(super) fn has_room(&self) -> bool {
        self.out.len() < OUT_MAX
    }

    /// Whether the peer is listened to.
    pub(super) fn listens(&self) -> bool {
        self.out.len() < OUT_DEAF
    }

    /// Has the driver write what waits.
    pub(super) fn stir(&mut self) {
        self.stirred = true;
        if let Some(driver) = self.driver.take() {
            driver.wake();
        }
    }

    /// Gives back what only work needs: thousands of connections may be idle.
    pub(super) fn rest(&mut self) {
        if self.arrived.is_empty() {
            self.arrived = VecDeque::new();
        }
        if self.out.is_empty() {
            self.out = Vec::new();
        }
        self.streams.shrink_to(FEW);
        self.line.shrink_to(FEW);
    }

    /// Whether the driver had something to do since it was asked last.
    pub(super) fn was_stirred(&mut self) -> bool {
        std::mem::take(&mut self.stirred)
    }

    pub(super) fn drive_by(&mut self, cx: &Context<'_>) {
        match &mut self.driver {
            Some(driver) => driver.clone_from(cx.waker()),
            None => self.driver = Some(cx.waker().clone()),
        }
    }

    /// Whether nothing will ever happen on this connection again.
    pub(super) fn is_finished(&self) -> bool {
        let nothing_new = match self.leaving {
            Leaving::After(_) => true,
            Leaving::Announced => false,
            Leaving::No => !self.is_server && (self.unwanted || self.goodbye.is_some()),
        };
        self.over.is_some() || (nothing_new && self.streams.is_empty() && self.arrived.is_empty())
    }

    /// Resolves when another stream may be opened.
    pub(super) fn poll_vacancy(&mut self, cx: &Context<'_>) -> Poll<Result<(), Error>> {
        if let Some(error) = self.closed() {
            return Poll::Ready(Err(error));
        }
        if u32::try_from(self.streams.len()).is_ok_and(|open| open < self.theirs.streams) {
            return Poll::Ready(Ok(()));
        }
        self.waiting.push(cx.waker().clone());
        Poll::Pending
    }

    /// Resolves when the peer has told its settings.
    pub(super) fn poll_told(&mut self, cx: &Context<'_>) -> Poll<Result<Theirs, Error>> {
        if let Some(error) = self.closed() {
            return Poll::Ready(Err(error));
        }
        if self.theirs.told {
            return Poll::Ready(Ok(self.theirs));
        }
        self.waiting.push(cx.waker().clone());
        Poll::Pending
    }

    pub(super) fn wake_waiting(&mut self) {
        self.waiting.drain(..).for_each(Waker::wake);
    }

    /// Why no stream can be opened any more.
    fn closed(&self) -> Option<Error> {
        let used_up = (self.next > LAST_STREAM).then_some(Error::Goodbye {
            code: Code::NO_ERROR,
            // As good as if the peer had: nothing was sent.
            by: By::Peer,
            why: "",
        });
        self.over.or(self.goodbye).or(used_up)
    }

    /// A new stream of ours.
    pub(super) fn open(&mut self) -> Result<Shared, Error> {
        if let Some(error) = self.closed() {
            return Err(error);
        }
        let id = self.next;
        self.next += 2;
        Ok(self.enter(id))
    }

    /// Enters stream `id` into the book.
    pub(super) fn enter(&mut self, id: u32) -> Shared {
        if self.out.capacity() == 0 {
            self.out.reserve(OUT_MIN);
        }
        let stream = Stream::new(id, self.ours.stream_window, self.theirs.stream_window);
        let shared = Rc::new(RefCell::new(stream));
        self.streams.insert(id, shared.clone());
        shared
    }

    /// The streams above `id`, in order.
    pub(super) fn after(&self, id: u32) -> Vec<Shared> {
        let mut ids: Vec<u32> = self.streams.keys().copied().filter(|stream| *stream > id).collect();
        ids.sort_unstable();
        ids.iter().filter_map(|id| self.streams.get(id).cloned()).collect()
    }

    /// Whether `id` was never opened by either end.
    pub(super) fn is_idle(&self, id: u32) -> bool {
        // Clients open the odd ones, and nobody opens the others: there is no push.
        let opened_by_client = id % 2 == 1;
        match (opened_by_client, self.is_server) {
            // What our goodbye excludes is ignored, whatever it is.
            (true, true) => id > self.last_heard && !matches!(self.leaving, Leaving::After(_)),
            (true, false) => id >= self.next,
            (false, _) => true,
        }
    }

    /// Strikes a stream that is over out of the book.
    pub(super) fn settle(&mut self, stream: &Stream) {
        if stream.is_over() && self.streams.remove(&stream.id).is_some() {
            self.grown -= stream.receiving.ahead - self.ours.stream_window;
            if !self.waiting.is_empty() {
                self.wake_waiting();
            }
            if self.streams.is_empty() {
                // It may have been the last that we waited for.
                self.stir();
            }
        }
    }

    /// Resets a stream of which the peer may know.
    pub(super) fn reset(&mut self, stream: &mut Stream, error: Error) {
        if stream.is_over() {
            return;
        }
        if let Some(code) = error.code() {
            frame::put_reset(&mut self.out, stream.id, code);
        }
        if !stream.receiving.ended {
            self.resets.remember(stream.id);
        }
        stream.break_off(error);
        self.settle(stream);
        self.stir();
    }

    /// Nobody works on the stream any more. What was asked to be sent goes out, if it is an answer or its answer has come;
    /// then it is over, one way or another.
    pub(super) fn abandon(&mut self, stream: &mut Stream) {
        // A request that nobody waits for any more is worth nothing, and its server may be waiting to be told so.
        let matters = self.is_server || stream.receiving.ended;
        if stream.is_over() || (matters && stream.sending.is_waiting()) {
            return;
        }
        // RFC 9113, section 8.1: a server that has answered in full needs nothing more of the request.
        let answered = self.is_server && matches!(stream.sending.ending, Ending::Ended);
        let code = if answered { Code::NO_ERROR } else { Code::CANCEL };
        self.reset(stream, Error::cancelled(code));
    }

    /// Says that we leave; streams that are on their way are still served.
    pub(super) fn announce_leaving(&mut self) {
        if self.leaving == Leaving::No {
            self.leaving = Leaving::Announced;
            frame::put_goodbye(&mut self.out, LAST_STREAM, Code::NO_ERROR, "");
            frame::put(&mut self.out, frame::kind::PING, 0, 0, &LEAVING_PING);
            self.stir();
        }
    }

    /// Serves nothing above what has arrived by now.
    pub(super) fn leave(&mut self) {
        if self.leaving == Leaving::Announced {
            self.leaving = Leaving::After(self.last_heard);
            frame::put_goodbye(&mut self.out, self.last_heard, Code::NO_ERROR, "");
            self.stir();
        }
    }

    /// Nobody opens streams any more.
    pub(super) fn forsake(&mut self) {
        self.unwanted = true;
        self.stir();
    }

    /// Ends everything. The peer is told if it did something wrong.
    pub(super) fn end(&mut self, error: Error) {
        if self.over.is_some() {
            return;
        }
        if let Error::Goodbye { code, by: By::Us, why } = error {
            frame::put_goodbye(&mut self.out, self.last_heard, code, why);
        }
        self.over = Some(error);
        self.line.clear();
        for stream in self.after(0) {
            stream.borrow_mut().break_off(error);
        }
        self.streams.clear();
        self.wake_waiting();
        self.stir();
    }
}

/// Asks whether our goodbye was heard.
pub(super) const LEAVING_PING: [u8; 8] = *b"goodbye?";
