//! Carrying frames between a connection and its transport.

use std::{
    cell::Cell,
    io,
    task::{Context, Poll, ready},
};

use bytes::{Buf, BytesMut};

use super::{
    Code, Transport,
    core::{Conn, Leaving},
    error::{By, Error},
    frame::PREFACE,
};

/// Room for one read.
const READ: usize = 64 * 1024;

/// Reads before others have their turn.
const READS: usize = 2;

thread_local! {
    /// Room to read into, lent to whichever connection of this thread reads: thousands of idle ones hold none.
    static ROOM: Cell<BytesMut> = Cell::new(BytesMut::new());
}

/// Drives one connection.
#[derive(Debug)]
pub(super) struct Driver<IO> {
    io: IO,
    conn: Conn,
    /// What was read of a frame that has not arrived in full.
    input: BytesMut,
    /// How much of what waits to be written was written.
    written: usize,
    /// Bytes of the client's opening that are still to come.
    preface: usize,
    /// `input` was read before there was a driver, and nobody has looked at it.
    unseen: bool,
    unflushed: bool,
}

impl<IO: Transport> Driver<IO> {
    /// Drives `conn` on `io`, of which `input` was read already.
    pub(super) fn new(io: IO, input: BytesMut, conn: Conn) -> Self {
        let preface = if conn.borrow().is_server { PREFACE.len() } else { 0 };
        let unseen = !input.is_empty();
        Self { io, conn, input, written: 0, preface, unseen, unflushed: false }
    }

    pub(super) fn conn(&self) -> &Conn {
        &self.conn
    }

    /// Reads and writes what can be; ready when the connection is over, with the reason if it did not end in order.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let read = self.poll_read(cx);
        self.conn.borrow_mut().drive_by(cx);
        if read == Read::Some {
            // Whoever was woken by it speaks first: what all of them have to say goes out in one piece.
            let core = &mut *self.conn.borrow_mut();
            // What waited for the transport already waits again: this call may be the one that was to tell it to go on.
            if core.was_stirred() || !core.out.is_empty() || self.unflushed || core.is_finished() {
                cx.waker().wake_by_ref();
            }
            return Poll::Pending;
        }
        if let Some(alone) = self.alone() {
            return alone;
        }
        let was_deaf = !self.conn.borrow().listens();
        if let Err(error) = ready!(self.poll_write(cx)) {
            self.conn.borrow_mut().end(Error::Lost(error.kind()));
        }
        if !self.conn.borrow().is_finished() {
            if was_deaf {
                // What came meanwhile was not asked for, so nobody will tell of it.
                cx.waker().wake_by_ref();
            }
            return Poll::Pending;
        }
        let over = self.conn.borrow().over;
        if !matches!(over, Some(Error::Lost(_))) {
            // The peer may be gone as well, and then hears nothing.
            let _ = ready!(self.io.poll_close(cx));
        }
        Poll::Ready(over.map_or(Ok(()), Err))
    }

    /// What becomes of a server whose client has not opened the conversation, unless there is something to say to that: what
    /// opens it on our side goes with our first answer.
    fn alone(&self) -> Option<Poll<Result<(), Error>>> {
        let core = self.conn.borrow();
        match core.over {
            _ if self.preface == 0 => None,
            Some(error @ Error::Lost(_)) => Some(Poll::Ready(Err(error))),
            None if core.leaving == Leaving::No => Some(Poll::Pending),
            _ => None,
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Read {
        let mut read = Read::Nothing;
        if std::mem::take(&mut self.unseen) {
            read = Read::Some;
            self.take();
        }
        for turn in 0.. {
            {
                let core = self.conn.borrow();
                if core.over.is_some() || !core.listens() {
                    break;
                }
            }
            if turn == READS {
                cx.waker().wake_by_ref();
                break;
            }
            if self.input.is_empty() {
                self.input = ROOM.take();
            }
            self.input.reserve(READ);
            match self.io.poll_read(&mut self.input, cx) {
                Poll::Pending => break,
                Poll::Ready(Ok(0)) => self.conn.borrow_mut().end(Error::Lost(io::ErrorKind::UnexpectedEof)),
                Poll::Ready(Err(error)) => self.conn.borrow_mut().end(Error::Lost(error.kind())),
                Poll::Ready(Ok(_)) => {
                    read = Read::Some;
                    self.take();
                }
            }
        }
        if self.input.is_empty() {
            ROOM.set(std::mem::take(&mut self.input));
        }
        read
    }

    fn take(&mut self) {
        if self.preface > 0 {
            let expected = &PREFACE[PREFACE.len() - self.preface..];
            let length = expected.len().min(self.input.len());
            if self.input[..length] != expected[..length] {
                let error = Error::Goodbye { code: Code::PROTOCOL_ERROR, by: By::Us, why: "not the opening of HTTP/2" };
                return self.conn.borrow_mut().end(error);
            }
            self.input.advance(length);
            self.preface -= length;
        }
        // What is wrong has been told to everybody it concerns.
        let _ = self.conn.borrow_mut().receive(&mut self.input);
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let core = &mut *self.conn.borrow_mut();
        core.was_stirred();
        loop {
            core.send_line();
            if self.written == core.out.len() {
                break;
            }
            let length = ready!(self.io.poll_write(&core.out[self.written..], cx))?;
            if length == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.unflushed = true;
            self.written += length;
            if self.written == core.out.len() {
                self.written = 0;
                core.out.clear();
            }
        }
        if core.streams.is_empty() {
            core.rest();
        }
        if self.unflushed {
            ready!(self.io.poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }
}

/// What a look at the transport brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Read {
    Nothing,
    Some,
}

impl<IO> Drop for Driver<IO> {
    fn drop(&mut self) {
        // Nobody waits for what will never come.
        self.conn.borrow_mut().end(Error::Lost(io::ErrorKind::NotConnected));
    }
}
