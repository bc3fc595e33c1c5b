//! Carrying opaque bytes both ways.

use std::{
    cell::RefCell,
    future::poll_fn,
    io,
    net::Shutdown,
    pin::pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use socket2::SockRef;
use tokio::{io::Interest, net::TcpStream};

use crate::{
    connect::Pipe,
    http2::{Receiver, Sender},
    socket,
};

/// Room for one read. Larger pieces mean fewer wake-ups for bulk.
const READ: usize = 64 * 1024;

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
    let mut waiting = seen;
    let mut passed = waiting.len() as u64;
    let carried = poll_fn(|cx| match poll_carry(source, sink, &mut waiting, &mut passed, cx) {
        Poll::Ready(ended) => Poll::Ready(ended.map_err(|_| Broken)),
        Poll::Pending => lost.as_mut().poll(cx).map(|()| Err(Broken)),
    })
    .await;
    *count += passed;
    carried?;
    sink.end().map_err(|_| Broken)
}

/// Carries what there is; ready when the source has ended. `waiting` is what the sink has not taken yet.
fn poll_carry(
    source: End<'_>,
    sink: End<'_>,
    waiting: &mut Bytes,
    passed: &mut u64,
    cx: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    loop {
        while !waiting.is_empty() {
            let before = waiting.len();
            ready!(sink.poll_put(waiting, cx))?;
            source.taken(before - waiting.len());
        }
        let length = match source {
            End::Tcp(stream) => ready!(read(stream, sink, waiting, cx))?,
            End::Tunnel(receive, _) => match ready!(receive.poll_data(cx)) {
                Some(piece) => {
                    *waiting = piece.map_err(io::Error::other)?;
                    waiting.len()
                }
                None => 0,
            },
        };
        if length == 0 {
            return Poll::Ready(Ok(()));
        }
        *passed += length as u64;
    }
}

/// Reads once, and hands on what was read as far as `sink` takes it at once. Returns how much was read; 0 at the end.
fn read(stream: &TcpStream, sink: End<'_>, waiting: &mut Bytes, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
    ROOM.with_borrow_mut(|room| {
        let length = ready!(socket::poll_read(stream, room, cx))?;
        let mut piece = &room[..length];
        sink.put(&mut piece)?;
        *waiting = Bytes::copy_from_slice(piece);
        Poll::Ready(Ok(length))
    })
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

    /// Takes of `piece` what can go at once.
    fn put(self, piece: &mut impl Buf) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => socket::write(stream, piece),
            Self::Tunnel(_, send) => send.send_some(piece).map_err(io::Error::other),
        }
    }

    /// Takes some of `piece`, as soon as it can go.
    fn poll_put(self, piece: &mut Bytes, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => loop {
                ready!(stream.poll_write_ready(cx))?;
                let before = piece.len();
                socket::write(stream, piece)?;
                if piece.len() < before {
                    return Poll::Ready(Ok(()));
                }
            },
            Self::Tunnel(_, send) => {
                ready!(send.poll_ready(cx)).map_err(io::Error::other)?;
                Poll::Ready(send.send(std::mem::take(piece), false).map_err(io::Error::other))
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
