//! The two ends of a stream that somebody works on.

use std::{
    io,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderMap, Response, response};

use super::{Code, core::Conn, error::Error, send::Fill, stream::Shared};

/// Takes what comes on a stream. Dropped before the end, it lets the rest go; when nobody sends on the stream either, it is
/// reset.
#[derive(Debug)]
pub struct Receiver {
    conn: Conn,
    stream: Shared,
}

/// Sends on a stream. Dropped before it has ended what it sends, it resets the stream.
#[derive(Debug)]
pub struct Sender {
    conn: Conn,
    stream: Shared,
}

pub(super) fn halves(conn: &Conn, stream: Shared) -> (Receiver, Sender) {
    (Receiver { conn: conn.clone(), stream: stream.clone() }, Sender { conn: conn.clone(), stream })
}

impl Receiver {
    /// The stream's number.
    #[cfg(test)]
    pub(super) fn id(&self) -> u32 {
        self.stream.borrow().id
    }

    /// To a client: the next interim answer (1xx) that has arrived.
    pub fn interim(&self) -> Option<Response<()>> {
        self.stream.borrow_mut().receiving.interims.pop_front()
    }

    /// To a client: the answer. Call it no more after it was ready.
    ///
    /// # Errors
    /// Why there will be none.
    pub fn poll_answer(&self, cx: &Context<'_>) -> Poll<Result<Response<()>, Error>> {
        let stream = &mut *self.stream.borrow_mut();
        if let Some(head) = stream.receiving.head.take() {
            return Poll::Ready(Ok(head));
        }
        if let Some(error) = stream.broken {
            return Poll::Ready(Err(error));
        }
        stream.receiving.wait(cx);
        Poll::Pending
    }

    /// The next piece of data; `None` after the last. The sender may send as much more once it was [released](Self::release).
    ///
    /// # Errors
    /// Why the data broke off.
    pub fn poll_data(&self, cx: &Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        self.stream.borrow_mut().poll_data(cx)
    }

    /// Lets the sender send `length` bytes more.
    pub fn release(&self, length: usize) {
        let core = &mut *self.conn.borrow_mut();
        let stream = &mut *self.stream.borrow_mut();
        stream.receiving.returned(length);
        // No piece is longer than a frame, which fits.
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        core.took(length);
        core.took_of(stream, length);
    }

    /// Trailers, once the data has ended.
    ///
    /// # Errors
    /// Why the stream broke off.
    pub fn poll_trailers(&self, cx: &Context<'_>) -> Poll<Result<Option<HeaderMap>, Error>> {
        self.stream.borrow_mut().poll_trailers(cx)
    }

    /// Whether everything has come, and was taken.
    pub fn is_end_stream(&self) -> bool {
        self.stream.borrow().is_taken()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let core = &mut *self.conn.borrow_mut();
        let stream = &mut *self.stream.borrow_mut();
        let forgotten = stream.receiving.forget();
        core.took(u32::try_from(forgotten).unwrap_or(u32::MAX));
        stream.holders -= 1;
        if stream.holders == 0 {
            core.abandon(stream);
        }
    }
}

impl Sender {
    /// To a server's client: sends an answer, interim or not; `end` when nothing follows.
    ///
    /// # Errors
    /// Why nobody will hear it.
    pub fn answer(&self, head: &response::Parts, end: bool) -> Result<(), Error> {
        self.conn.borrow_mut().send_response(&mut self.stream.borrow_mut(), head, end)
    }

    /// Resolves when what was sent has gone out as far as the peer's windows allow, and more is worth sending.
    ///
    /// # Errors
    /// Why nobody will take more.
    pub fn poll_ready(&self, cx: &Context<'_>) -> Poll<Result<(), Error>> {
        let stream = &mut *self.stream.borrow_mut();
        if let Some(error) = stream.broken {
            return Poll::Ready(Err(error));
        }
        if stream.sending.waiting.is_empty() {
            return Poll::Ready(Ok(()));
        }
        stream.sending.wait(cx);
        Poll::Pending
    }

    /// Sends `data`; `end` when nothing follows. What the peer does not take yet waits in memory: see
    /// [`poll_ready`](Self::poll_ready).
    ///
    /// # Errors
    /// Why nobody will take it.
    pub fn send(&self, data: Bytes, end: bool) -> Result<(), Error> {
        self.conn.borrow_mut().send_data(&self.stream, data, end)
    }

    /// Resolves when the peer takes something at once, with how many bytes of it.
    ///
    /// # Errors
    /// Why nobody will take more.
    pub fn poll_room(&self, cx: &Context<'_>) -> Poll<Result<usize, Error>> {
        self.conn.borrow_mut().poll_room(&self.stream, cx)
    }

    /// Sends what `fill` appends to its room, at most the bytes that [`poll_room`](Self::poll_room) has just told of, and none
    /// when it is not ready.
    ///
    /// # Errors
    /// Those of `fill`.
    pub fn send_filled(&self, most: usize, fill: impl Fill) -> Poll<io::Result<usize>> {
        self.conn.borrow_mut().send_filled(&mut self.stream.borrow_mut(), most, fill)
    }

    /// Sends trailers, and ends.
    ///
    /// # Errors
    /// Why nobody will hear them.
    pub fn send_trailers(&self, trailers: HeaderMap) -> Result<(), Error> {
        self.conn.borrow_mut().send_trailers(&self.stream, trailers)
    }

    /// Ends both directions at once.
    pub fn reset(&self, code: Code) {
        self.conn.borrow_mut().reset(&mut self.stream.borrow_mut(), Error::cancelled(code));
    }

    /// Resolves when the stream has ended before its time.
    pub fn poll_broken(&self, cx: &Context<'_>) -> Poll<Error> {
        self.stream.borrow_mut().poll_broken(cx)
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        let core = &mut *self.conn.borrow_mut();
        let stream = &mut *self.stream.borrow_mut();
        stream.holders -= 1;
        if stream.sending.is_open() && !stream.is_over() {
            core.reset(stream, Error::cancelled(Code::CANCEL));
        } else if stream.holders == 0 {
            core.abandon(stream);
        }
    }
}
