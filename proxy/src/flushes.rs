//! Leaves DATA frames that carry nothing out of what an app sends.
//!
//! Some flush so. `h2` takes a hundred of them in the life of a connection for a flood and ends it, and with it what others
//! are doing there. They mean nothing (RFC 9113, section 6.1): only the last of a stream ends it, and that one stays. To leave
//! one out costs less than anything else a stranger can make us do with nine bytes.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Room for one read.
const READ: usize = 16 * 1024;

/// Length of a frame's head.
const HEAD: usize = 9;

/// Bytes with which a client begins, before its first frame (RFC 9113, section 3.4).
const PREFACE: usize = 24;

/// A connection of HTTP/2, without the other end's empty flushes.
#[derive(Debug)]
pub struct Flushes<S> {
    inner: S,
    /// What was read and not handed on yet; it begins with a frame's head when nothing is `left` of the frame before.
    read: BytesMut,
    /// Bytes of the current frame, its head included, that are still to be handed on.
    left: usize,
}

impl<S> Flushes<S> {
    /// A connection to a server.
    pub fn of_server(inner: S) -> Self {
        Self { inner, read: BytesMut::new(), left: 0 }
    }

    /// A connection of a client of which nothing was read yet.
    pub fn of_client(inner: S) -> Self {
        Self { left: PREFACE, ..Self::of_server(inner) }
    }

    /// Hands on what was read; nothing when more must be read first.
    fn hand_on(&mut self, buf: &mut ReadBuf<'_>) {
        while buf.remaining() > 0 {
            if self.left == 0 {
                let Some(frame) = frame(&self.read) else { return };
                if frame.is_empty_flush {
                    self.read.advance(HEAD);
                    continue;
                }
                self.left = frame.length;
            }
            let length = self.left.min(self.read.len()).min(buf.remaining());
            if length == 0 {
                return;
            }
            buf.put_slice(&self.read[..length]);
            self.read.advance(length);
            self.left -= length;
        }
    }
}

struct Frame {
    /// Its head included.
    length: usize,
    is_empty_flush: bool,
}

/// The frame whose head `bytes` begin with.
fn frame(bytes: &[u8]) -> Option<Frame> {
    let [high, middle, low, kind, flags, ..] = *bytes.get(..HEAD)? else { return None };
    let payload = u32::from_be_bytes([0, high, middle, low]);
    // DATA is type 0, END_STREAM flag 1.
    let is_empty_flush = kind == 0 && payload == 0 && flags & 1 == 0;
    Some(Frame { length: HEAD + usize::try_from(payload).unwrap_or(usize::MAX), is_empty_flush })
}

impl<S: AsyncRead + Unpin> AsyncRead for Flushes<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        loop {
            self.hand_on(buf);
            if buf.filled().len() > before || buf.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
            let Self { inner, read, .. } = &mut *self;
            read.reserve(READ);
            if ready!(tokio_util::io::poll_read_buf(Pin::new(inner), cx, read))? == 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Flushes<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::AsyncReadExt;

    use super::*;

    /// A reader that gives a few bytes at a time.
    struct Drops<'a>(&'a [u8], usize);

    impl AsyncRead for Drops<'_> {
        fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            let length = self.0.len().min(self.1).min(buf.remaining());
            let (now, later) = self.0.split_at(length);
            buf.put_slice(now);
            self.0 = later;
            Poll::Ready(Ok(()))
        }
    }

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, flags, 0, 0, 0, 1], payload].concat()
    }

    proptest! {
        #[test]
        fn everything_but_empty_flushes_arrives(
            frames in prop::collection::vec((0_u8..4, 0_u8..2, prop::collection::vec(any::<u8>(), 0..30)), 0..20),
            drop in 1_usize..20,
            end in 0_usize..9,
        ) {
            let sent: Vec<Vec<u8>> = frames.iter().map(|(kind, flags, payload)| frame(*kind, *flags, payload)).collect();
            let kept = frames.iter().zip(&sent).filter(|((kind, flags, payload), _)| *kind != 0 || *flags != 0 || !payload.is_empty());
            let expected: Vec<u8> = kept.flat_map(|(_, frame)| frame.clone()).collect();
            // A connection may break off in the middle of a frame's head.
            let sent = [sent.concat(), vec![7; end]].concat();
            let mut heard = Vec::new();
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(Flushes::of_server(Drops(&sent, drop)).read_to_end(&mut heard)).unwrap();
            prop_assert_eq!(heard, expected);
        }
    }
}
