//! A connection: its socket, and what was read of it and not used yet.

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    io,
    rc::Rc,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use socket2::SockRef;
use tokio::net::TcpStream;

use super::{
    Malformed,
    scan::{Room, Scan},
};
use crate::{outbox::Outbox, socket};

/// Room for one read of a head.
const READ: usize = 8 * 1024;

/// Room for one read of a body that is known to be long.
const READ_BODY: usize = 64 * 1024;

/// How long, and for how many bytes, a peer whom we have refused may go on talking. Closing at once would reset the
/// connection and take our answer with it (RFC 9112, section 9.6).
const FAREWELL: Duration = Duration::from_secs(1);
const FAREWELL_BYTES: usize = 1 << 20;

/// Whose turn it is to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// Nobody's: the next message may begin.
    Between,
    /// A body's.
    Body,
    /// A body that nobody wants any more: where the next message begins will never be known.
    Abandoned,
    /// A body was malformed.
    Spoiled(Malformed),
}

/// A connection. Shared by the message that is being read and whoever waits for the next; only one of them reads.
#[derive(Debug)]
pub struct Conn {
    stream: TcpStream,
    room: Room,
    input: RefCell<BytesMut>,
    ended: Cell<bool>,
    reading: Cell<Reading>,
    /// Who wants to know when `reading` changes.
    watcher: RefCell<Option<Waker>>,
}

impl Conn {
    /// A connection of which `seen` was read already, and whose heads have `room`.
    pub fn new(stream: TcpStream, seen: BytesMut, room: Room) -> Rc<Self> {
        Rc::new(Self {
            stream,
            room,
            input: RefCell::new(seen),
            ended: Cell::new(false),
            reading: Cell::new(Reading::Between),
            watcher: RefCell::new(None),
        })
    }

    /// The socket and what was read of it, when nobody else holds the connection.
    pub fn into_parts(self: Rc<Self>) -> Option<(TcpStream, Bytes)> {
        Rc::into_inner(self).map(|conn| (conn.stream, conn.input.into_inner().freeze()))
    }

    /// Ends the connection with a reset, whenever it is dropped.
    pub fn break_off(&self) {
        let _ = SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
    }

    /// Whether nothing has arrived and nobody has closed: fit for another request.
    pub fn is_quiet(&self) -> bool {
        if self.reading.get() != Reading::Between || self.ended.get() || !self.input.borrow().is_empty() {
            return false;
        }
        let mut cx = Context::from_waker(Waker::noop());
        self.poll_fill(&mut cx, READ).is_pending()
    }

    /// Gives back what only work needs.
    pub(super) fn rest(&self) {
        rest(&mut self.input.borrow_mut());
    }

    pub(super) fn room(&self) -> Room {
        self.room
    }

    pub(super) fn reading(&self) -> Reading {
        self.reading.get()
    }

    pub(super) fn turn(&self, reading: Reading) {
        self.reading.set(reading);
        if let Some(watcher) = self.watcher.borrow_mut().take() {
            watcher.wake();
        }
    }

    /// What has arrived and was not used yet.
    pub(super) fn input(&self) -> &RefCell<BytesMut> {
        &self.input
    }

    /// Whether something has arrived that was not used yet.
    pub(super) fn has_input(&self) -> bool {
        !self.input.borrow().is_empty()
    }

    /// Reads more; 0 when the peer will send nothing else. `expected` is what is known to be coming.
    pub(super) fn poll_more(&self, cx: &mut Context<'_>, expected: u64) -> Poll<io::Result<usize>> {
        let room = usize::try_from(expected).unwrap_or(usize::MAX).clamp(READ, READ_BODY);
        self.poll_fill(cx, room)
    }

    fn poll_fill(&self, cx: &mut Context<'_>, room: usize) -> Poll<io::Result<usize>> {
        if self.ended.get() {
            return Poll::Ready(Ok(0));
        }
        let ready = self.stream.poll_read_ready(cx);
        let input = &mut *self.input.borrow_mut();
        if ready.is_pending() {
            rest(input);
        }
        ready!(ready)?;
        input.reserve(room);
        let length = ready!(socket::poll_read_buf(&self.stream, input, cx))?;
        self.ended.set(length == 0);
        Poll::Ready(Ok(length))
    }

    /// The bytes of the next head, its empty line included; `None` when the peer closed before it began one. Its first line
    /// is held against `sound` as soon as it is there: who speaks something else waits for an answer to it.
    pub(super) async fn head(&self, sound: impl Fn(&[u8]) -> Result<(), Malformed>) -> Result<Option<Bytes>, Lost> {
        let mut scan = Scan::default();
        let mut sounded = false;
        loop {
            let found = scan.section(&self.input.borrow(), true, self.room).map_err(Lost::Malformed)?;
            if let Some(line) = scan.first_line().filter(|_| !sounded && found.is_none()) {
                sound(self.input.borrow().get(line).unwrap_or_default()).map_err(Lost::Malformed)?;
                sounded = true;
            }
            if let Some(length) = found {
                return Ok(Some(self.input.borrow_mut().split_to(length).freeze()));
            }
            if poll_fn(|cx| self.poll_fill(cx, READ)).await.map_err(Lost::Io)? == 0 {
                let begun = self.has_input();
                return if begun { Err(Lost::Malformed(Malformed::Incomplete)) } else { Ok(None) };
            }
        }
    }

    /// Resolves when something of the next message has arrived, or the peer has closed.
    pub(super) async fn stirs(&self) -> io::Result<()> {
        if !self.has_input() {
            poll_fn(|cx| self.poll_fill(cx, READ)).await?;
        }
        Ok(())
    }

    /// Resolves when the peer has broken off while it is our turn to speak, or has sent a malformed body. It may send ahead,
    /// and may close its side: it still hears us.
    pub(super) fn poll_trouble(&self, cx: &mut Context<'_>) -> Poll<Lost> {
        loop {
            match self.reading.get() {
                Reading::Spoiled(why) => return Poll::Ready(Lost::Malformed(why)),
                Reading::Between if !self.ended.get() && self.input.borrow().len() < self.room.ahead => {
                    if let Err(error) = ready!(self.poll_fill(cx, READ)) {
                        return Poll::Ready(Lost::Io(error));
                    }
                }
                _ => {
                    *self.watcher.borrow_mut() = Some(cx.waker().clone());
                    return Poll::Pending;
                }
            }
        }
    }

    /// Writes everything that waits.
    pub(super) fn poll_write(&self, cx: &mut Context<'_>, outbox: &mut Outbox) -> Poll<io::Result<()>> {
        while !outbox.is_empty() {
            match outbox.write(|pieces| self.stream.try_write_vectored(pieces)) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready!(self.stream.poll_write_ready(cx))?,
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Says that we send nothing else, and hears the peer out for a while.
    pub(super) async fn farewell(&self) {
        if SockRef::from(&self.stream).shutdown(std::net::Shutdown::Write).is_err() {
            return;
        }
        let hear_out = async {
            let mut heard = 0;
            while heard < FAREWELL_BYTES {
                self.input.borrow_mut().clear();
                match poll_fn(|cx| self.poll_fill(cx, READ)).await {
                    Ok(length) if length > 0 => heard += length,
                    _ => return,
                }
            }
        };
        let _ = tokio::time::timeout(FAREWELL, hear_out).await;
    }
}

/// Thousands of idle connections must not hold a buffer each.
fn rest(input: &mut BytesMut) {
    if input.is_empty() {
        *input = BytesMut::new();
    }
}

/// Why nothing can be read.
#[derive(Debug)]
pub enum Lost {
    /// The socket says so.
    Io(io::Error),
    /// What was read is no message.
    Malformed(Malformed),
}
