//! Carrying opaque bytes both ways.

use std::{future::poll_fn, io};

use bytes::{Bytes, BytesMut};
use h2::{RecvStream, SendStream};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, Interest},
    net::tcp::{ReadHalf, WriteHalf},
};

use super::send::{Gone, send_data};
use crate::connect::Pipe;

/// Room for one read. Larger pieces mean fewer wake-ups for bulk; the memory is held only while something is on its way.
const READ: usize = 64 * 1024;

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
pub async fn bytes(client: Pipe, server: Pipe) -> Carried {
    let mut carried = Carried { broken: client.is_broken() || server.is_broken(), ..Carried::default() };
    let (mut client, mut server) = (client, server);
    if !carried.broken {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let forth = pump(from_client, to_server, &mut carried.sent);
        let back = pump(from_server, to_client, &mut carried.received);
        carried.broken = tokio::try_join!(forth, back).is_err();
    }
    if carried.broken {
        client.break_off();
        server.break_off();
    }
    carried
}

/// Where bytes come from.
enum Source<'a> {
    Tcp { seen: Bytes, stream: ReadHalf<'a> },
    Tunnel { seen: Option<Bytes>, receive: &'a mut RecvStream },
}

/// Where they go.
enum Sink<'a> {
    Tcp(WriteHalf<'a>),
    Tunnel(&'a mut SendStream<Bytes>),
}

/// One of the two ends broke off.
struct Broken;

async fn pump(mut source: Source<'_>, mut sink: Sink<'_>, count: &mut u64) -> Result<(), Broken> {
    loop {
        let piece = tokio::select! {
            biased;
            piece = source.next() => piece.map_err(|_| Broken)?,
            () = sink.lost() => return Err(Broken),
        };
        let Some(piece) = piece else { break };
        let length = piece.len();
        sink.put(piece).await?;
        source.taken(length);
        *count += length as u64;
    }
    sink.end().await
}

impl Source<'_> {
    /// The next piece; `None` at the end. Safe to cancel.
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        match self {
            Self::Tcp { seen, .. } if !seen.is_empty() => Ok(Some(std::mem::take(seen))),
            Self::Tcp { stream, .. } => {
                // Wait without a buffer: thousands of idle connections must not hold one each.
                stream.readable().await?;
                let mut buffer = BytesMut::with_capacity(READ);
                let length = stream.read_buf(&mut buffer).await?;
                Ok((length > 0).then(|| compact(buffer)))
            }
            Self::Tunnel { seen, receive } => match seen.take() {
                Some(piece) => Ok(Some(piece)),
                None => poll_fn(|cx| receive.poll_data(cx)).await.transpose().map_err(io::Error::other),
            },
        }
    }

    /// `length` bytes are on their way: the sender may send as many more.
    fn taken(&mut self, length: usize) {
        if let Self::Tunnel { receive, .. } = self {
            // Fails only on a stream that is over, where nobody waits for it.
            let _ = receive.flow_control().release_capacity(length);
        }
    }
}

/// A small piece must not pin a large buffer until it is sent.
fn compact(buffer: BytesMut) -> Bytes {
    if buffer.len() < READ / 4 { Bytes::copy_from_slice(&buffer) } else { buffer.freeze() }
}

impl Sink<'_> {
    async fn put(&mut self, piece: Bytes) -> Result<(), Broken> {
        match self {
            Self::Tcp(stream) => stream.write_all(&piece).await.map_err(|_| Broken),
            Self::Tunnel(send) => send_data(piece, send, false).await.map_err(|Gone| Broken),
        }
    }

    async fn end(&mut self) -> Result<(), Broken> {
        match self {
            Self::Tcp(stream) => stream.shutdown().await.map_err(|_| Broken),
            Self::Tunnel(send) => send.send_data(Bytes::new(), true).map_err(|_| Broken),
        }
    }

    /// Resolves when the other side has given up on what we send.
    async fn lost(&mut self) {
        match self {
            // Its own way back may have ended in order, and then nobody reads there any more: a reset shows here.
            Self::Tcp(stream) => drop(stream.ready(Interest::ERROR).await),
            Self::Tunnel(send) => drop(poll_fn(|cx| send.poll_reset(cx)).await),
        }
    }
}

impl Pipe {
    fn split(&mut self) -> (Source<'_>, Sink<'_>) {
        match self {
            Self::Tcp { seen, stream, .. } => {
                let (read, write) = stream.split();
                (Source::Tcp { seen: std::mem::take(seen), stream: read }, Sink::Tcp(write))
            }
            Self::Tunnel { seen, receive, send, .. } => (Source::Tunnel { seen: seen.take(), receive }, Sink::Tunnel(send)),
        }
    }
}
