//! What is known of one stream.

use std::{
    cell::RefCell,
    collections::VecDeque,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Response};

use super::error::{Error, Fault};

/// A stream, as the connection and those who work on it share it.
pub(super) type Shared = Rc<RefCell<Stream>>;

/// Pieces up to this are copied: a slice would hold all that was read with it for as long as it waits.
const SMALL: usize = 4 * 1024;

/// One stream.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) id: u32,
    pub(super) receiving: Receiving,
    pub(super) sending: Sending,
    /// Why it ended before its time.
    pub(super) broken: Option<Error>,
    /// Who works on it, or will: one receives, one sends.
    pub(super) holders: u8,
}

/// What comes.
#[derive(Debug, Default)]
pub(super) struct Receiving {
    /// To a client: the answer, and those before it.
    pub(super) head: Option<Response<()>>,
    pub(super) interims: VecDeque<Response<()>>,
    pub(super) has_head: bool,
    pieces: Pieces,
    pub(super) trailers: Option<HeaderMap>,
    /// The peer has ended it.
    pub(super) ended: bool,
    /// It did so with a frame that carries nothing else, which nobody has taken yet. Some servers wait for one after a head
    /// that did not say that it is the end, so it is passed on as it came.
    pub(super) bare_end: bool,
    /// Bytes that the message says are still to come.
    pub(super) length: Option<u64>,
    /// The answer is to a HEAD: its length means nothing.
    pub(super) bodiless: bool,
    /// Bytes that the peer may send, of those that it may send ahead in all.
    pub(super) window: i64,
    pub(super) ahead: u32,
    /// Bytes handed out and not released yet.
    lent: usize,
    /// Bytes released, of which the peer was not told yet.
    pub(super) taken: u32,
    /// Nobody takes anything any more.
    pub(super) unwanted: bool,
    waker: Option<Waker>,
}

/// What goes.
#[derive(Debug, Default)]
pub(super) struct Sending {
    /// What windows have not let through yet.
    pub(super) waiting: VecDeque<Bytes>,
    pub(super) ending: Ending,
    /// Bytes that the peer takes; below zero after it has changed its mind (RFC 9113, section 6.9.2).
    pub(super) window: i64,
    /// Somebody waits for room to send in.
    pub(super) wants_room: bool,
    /// It stands in the connection's line of those who could send.
    pub(super) in_line: bool,
    waker: Option<Waker>,
}

/// How far its end has got.
#[derive(Debug, Default)]
pub(super) enum Ending {
    /// More may be sent.
    #[default]
    Open,
    /// What waits is the last.
    AfterData,
    /// After what waits come these.
    AfterTrailers(HeaderMap),
    /// It has ended.
    Ended,
}

/// Data that has come and was not taken.
#[derive(Debug, Default)]
struct Pieces {
    queue: VecDeque<Bytes>,
    /// Small pieces that came after the queue, together: one by one they would cost more than they carry.
    gathered: BytesMut,
}

impl Pieces {
    fn push(&mut self, data: Piece<'_>) {
        match data {
            Piece::Whole(bytes) => {
                if !self.gathered.is_empty() {
                    self.queue.push_back(self.gathered.split().freeze());
                }
                self.queue.push_back(bytes);
            }
            Piece::Small(bytes) if self.queue.is_empty() && self.gathered.is_empty() => {
                self.queue.push_back(Bytes::copy_from_slice(bytes));
            }
            Piece::Small(bytes) => self.gathered.extend_from_slice(bytes),
        }
    }

    fn pop(&mut self) -> Option<Bytes> {
        self.queue.pop_front().or_else(|| (!self.gathered.is_empty()).then(|| std::mem::take(&mut self.gathered).freeze()))
    }

    fn length(&self) -> usize {
        self.queue.iter().map(Bytes::len).sum::<usize>() + self.gathered.len()
    }

    fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.gathered.is_empty()
    }
}

/// Data that has come.
pub(super) enum Piece<'a> {
    /// Little: to be copied.
    Small(&'a [u8]),
    /// A buffer of its own.
    Whole(Bytes),
}

impl Piece<'_> {
    /// Whether `length` bytes are little.
    pub(super) fn is_small(length: usize) -> bool {
        length <= SMALL
    }
}

impl Stream {
    pub(super) fn new(id: u32, receive_window: u32, send_window: u32) -> Self {
        Self {
            id,
            receiving: Receiving { window: receive_window.into(), ahead: receive_window, ..Receiving::default() },
            sending: Sending { window: send_window.into(), ..Sending::default() },
            broken: None,
            holders: 2,
        }
    }

    /// Whether both directions have ended, or one reset ended both.
    pub(super) fn is_over(&self) -> bool {
        self.broken.is_some() || (self.receiving.ended && matches!(self.sending.ending, Ending::Ended))
    }

    /// The peer has ended its side.
    pub(super) fn end(&mut self) -> Result<(), Fault> {
        if self.receiving.length.is_some_and(|left| left > 0) {
            return Err(Fault::malformed("less data than its content-length"));
        }
        self.receiving.ended = true;
        Ok(())
    }

    /// Ends it before its time. What has come stays to be taken; what waits to be sent is gone.
    pub(super) fn break_off(&mut self, error: Error) {
        if self.broken.is_none() {
            self.broken = Some(error);
            self.sending.waiting.clear();
            // It may stand in line for its end, which nobody may hear of after a reset.
            self.sending.ending = Ending::Ended;
            self.receiving.wake();
            self.sending.wake();
        }
    }

    /// The next piece that came; `None` at the end of the data.
    pub(super) fn poll_data(&mut self, cx: &Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        if let Some(piece) = self.receiving.pieces.pop() {
            self.receiving.lent += piece.len();
            return Poll::Ready(Some(Ok(piece)));
        }
        if self.receiving.ended {
            self.receiving.bare_end = false;
            return Poll::Ready(None);
        }
        if let Some(error) = self.broken {
            return Poll::Ready(Some(Err(error)));
        }
        self.receiving.wait(cx);
        Poll::Pending
    }

    /// Trailers, after the data.
    pub(super) fn poll_trailers(&mut self, cx: &Context<'_>) -> Poll<Result<Option<HeaderMap>, Error>> {
        if self.receiving.ended {
            return Poll::Ready(Ok(self.receiving.trailers.take()));
        }
        if let Some(error) = self.broken {
            return Poll::Ready(Err(error));
        }
        self.receiving.wait(cx);
        Poll::Pending
    }

    /// Resolves when the stream has ended before its time.
    pub(super) fn poll_broken(&mut self, cx: &Context<'_>) -> Poll<Error> {
        match self.broken {
            Some(error) => Poll::Ready(error),
            None => {
                self.sending.wait(cx);
                Poll::Pending
            }
        }
    }

    /// Whether there is nothing more to be taken, and it ended well.
    pub(super) fn is_taken(&self) -> bool {
        let Receiving { ended, bare_end, pieces, trailers, .. } = &self.receiving;
        *ended && !bare_end && pieces.is_empty() && trailers.is_none()
    }
}

impl Receiving {
    pub(super) fn push(&mut self, data: Piece<'_>) {
        self.pieces.push(data);
        self.wake();
    }

    /// Whether everything that came was taken: whoever takes it keeps up.
    pub(super) fn keeps_up(&self) -> bool {
        self.pieces.is_empty()
    }

    /// `length` bytes that were handed out are released.
    pub(super) fn returned(&mut self, length: usize) {
        self.lent = self.lent.saturating_sub(length);
    }

    /// Throws away what was not taken. Returns its length, with that of what was handed out and will never be released.
    pub(super) fn forget(&mut self) -> usize {
        self.unwanted = true;
        std::mem::take(&mut self.pieces).length() + std::mem::take(&mut self.lent)
    }

    pub(super) fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    pub(super) fn wait(&mut self, cx: &Context<'_>) {
        wait(&mut self.waker, cx);
    }
}

impl Sending {
    /// Whether anything waits: data, or an end that was asked for.
    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty() || matches!(self.ending, Ending::AfterData | Ending::AfterTrailers(_))
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.ending, Ending::Open)
    }

    pub(super) fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    pub(super) fn wait(&mut self, cx: &Context<'_>) {
        wait(&mut self.waker, cx);
    }
}

fn wait(waker: &mut Option<Waker>, cx: &Context<'_>) {
    match waker {
        Some(waker) => waker.clone_from(cx.waker()),
        None => *waker = Some(cx.waker().clone()),
    }
}
