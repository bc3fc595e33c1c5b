//! Carrying opaque bytes both ways.

use std::{
    cell::RefCell,
    future::poll_fn,
    io,
    net::Shutdown,
    pin::pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use socket2::SockRef;
use tokio::{io::Interest, net::TcpStream};

use crate::{
    connect::Pipe,
    http2::{Receiver, Sender},
    outbox::Outbox,
    socket,
};

/// Room for one read. Larger pieces mean fewer wake-ups for bulk.
const READ: usize = 64 * 1024;

/// What a tunnel has brought is gathered up to this before it is written.
const GATHER: usize = 256 * 1024;

thread_local! {
    /// Where every connection of this thread reads into: what is read goes on at once, and what does not is copied.
    static ROOM: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ].into());
}

/// What was carried.
#[derive(Clone, Copy, Debug, Default)]
pub struct Carried {
    /// Bytes from client to server.
    pub sent: u64,
    /// Bytes from server to client.
    pub received: u64,
    /// Whether it broke off instead of ending.
    pub broken: bool,
}

/// Carries bytes until both directions have ended, or one breaks off; then the other end is broken off as well. The end of
/// one direction is passed on and leaves the other open.
pub async fn bytes(mut client: Pipe, mut server: Pipe) -> Carried {
    let mut carried = Carried { broken: client.is_broken() || server.is_broken(), ..Carried::default() };
    if !carried.broken {
        let (client_seen, server_seen) = (client.take_seen(), server.take_seen());
        let forth = pump(client_seen, End::of(&client), End::of(&server), &mut carried.sent);
        let back = pump(server_seen, End::of(&server), End::of(&client), &mut carried.received);
        carried.broken = tokio::try_join!(forth, back).is_err();
    }
    if carried.broken {
        client.break_off();
        server.break_off();
    }
    carried
}

/// One end, whichever way bytes go there.
#[derive(Clone, Copy)]
enum End<'a> {
    Tcp(&'a TcpStream),
    Tunnel(&'a Receiver, &'a Sender),
}

/// One of the two ends broke off.
struct Broken;

async fn pump(seen: Bytes, source: End<'_>, sink: End<'_>, count: &mut u64) -> Result<(), Broken> {
    let mut lost = pin!(sink.lost());
    let mut pump = Pump { source, sink, waiting: Outbox::default(), passed: 0, ended: false };
    pump.take(seen);
    let carried = poll_fn(|cx| match pump.poll(cx) {
        Poll::Ready(ended) => Poll::Ready(ended.map_err(|_| Broken)),
        Poll::Pending => lost.as_mut().poll(cx).map(|()| Err(Broken)),
    })
    .await;
    *count += pump.passed;
    carried?;
    sink.end().map_err(|_| Broken)
}

/// One direction.
struct Pump<'a> {
    source: End<'a>,
    sink: End<'a>,
    /// What the sink has not taken yet.
    waiting: Outbox,
    /// Bytes that have come.
    passed: u64,
    /// Nothing else will come.
    ended: bool,
}

impl Pump<'_> {
    fn take(&mut self, piece: Bytes) {
        self.passed += piece.len() as u64;
        self.waiting.data(piece);
    }

    /// Carries what there is; ready when the source has ended and everything has gone on.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            while !self.waiting.is_empty() {
                let before = self.waiting.len();
                ready!(self.sink.poll_put(&mut self.waiting, cx))?;
                self.source.taken(before - self.waiting.len());
            }
            if self.ended {
                return Poll::Ready(Ok(()));
            }
            match self.source {
                End::Tcp(stream) => ready!(self.poll_read(stream, cx))?,
                End::Tunnel(receive, _) => ready!(self.poll_gather(receive, cx))?,
            }
        }
    }

    /// Reads once, no more than the sink takes, and hands it on.
    fn poll_read(&mut self, stream: &TcpStream, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let length = match self.sink {
            End::Tcp(sink) => ROOM.with_borrow_mut(|room| {
                let length = ready!(socket::poll_read(stream, room, cx))?;
                let mut piece = &room[..length];
                socket::write(sink, &mut piece)?;
                self.waiting.data(Bytes::copy_from_slice(piece));
                Poll::Ready(io::Result::Ok(length))
            }),
            End::Tunnel(_, send) => {
                let most = ready!(send.poll_room(cx)).map_err(io::Error::other)?.min(READ);
                send.send_filled(most, |mut room| socket::poll_read_buf(stream, &mut room, cx))
            }
        };
        let length = ready!(length)?;
        self.ended = length == 0;
        self.passed += length as u64;
        Poll::Ready(Ok(()))
    }

    /// Takes all that has come through a tunnel.
    fn poll_gather(&mut self, receive: &Receiver, cx: &Context<'_>) -> Poll<io::Result<()>> {
        while self.waiting.len() < GATHER {
            match receive.poll_data(cx) {
                Poll::Ready(Some(piece)) => self.take(piece.map_err(io::Error::other)?),
                Poll::Ready(None) => {
                    self.ended = true;
                    break;
                }
                Poll::Pending if self.waiting.is_empty() => return Poll::Pending,
                Poll::Pending => break,
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<'a> End<'a> {
    fn of(pipe: &'a Pipe) -> Self {
        match pipe {
            Pipe::Tcp { stream, .. } => Self::Tcp(stream),
            Pipe::Tunnel { receive, send, .. } => Self::Tunnel(receive, send),
        }
    }

    /// `length` bytes have gone on: the sender may send as many more.
    fn taken(self, length: usize) {
        if let Self::Tunnel(receive, _) = self {
            receive.release(length);
        }
    }

    /// Takes some of what waits, as soon as it can go.
    fn poll_put(self, waiting: &mut Outbox, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => loop {
                ready!(stream.poll_write_ready(cx))?;
                match waiting.write(|pieces| stream.try_write_vectored(pieces)) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    written => return Poll::Ready(written),
                }
            },
            Self::Tunnel(_, send) => {
                ready!(send.poll_ready(cx)).map_err(io::Error::other)?;
                let piece = waiting.pop().unwrap_or_default();
                Poll::Ready(send.send(piece, false).map_err(io::Error::other))
            }
        }
    }

    fn end(self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => SockRef::from(stream).shutdown(Shutdown::Write),
            Self::Tunnel(_, send) => send.send(Bytes::new(), true).map_err(io::Error::other),
        }
    }

    /// Resolves when the other side has given up on what we send.
    async fn lost(self) {
        match self {
            // Its own way back may have ended in order, and then nobody reads there any more: a reset shows here.
            Self::Tcp(stream) => drop(stream.ready(Interest::ERROR).await),
            Self::Tunnel(_, send) => drop(poll_fn(|cx| send.poll_broken(cx)).await),
        }
    }
}
