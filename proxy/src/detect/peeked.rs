//! A connection some of whose bytes were read to judge it. Whoever reads it next sees them again.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Buf, BytesMut};
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// A TCP connection and what was already read of it.
#[derive(Debug)]
pub struct Peeked {
    seen: BytesMut,
    stream: TcpStream,
}

impl Peeked {
    /// Nothing was read yet.
    pub fn new(stream: TcpStream) -> Self {
        Self { seen: BytesMut::new(), stream }
    }

    /// What was read so far.
    pub fn seen(&self) -> &[u8] {
        &self.seen
    }

    /// Reads a little more; zero means that the client will send nothing else. Safe to cancel.
    pub async fn fill(&mut self) -> io::Result<usize> {
        // A ClientHello with a post-quantum key share is about 1.5 kB; two of them fit.
        self.seen.reserve(4096);
        self.stream.read_buf(&mut self.seen).await
    }

    /// Ends the connection with a reset.
    pub fn break_off(self) {
        let _ = SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
    }

    /// The connection, and what was read of it.
    pub fn into_parts(self) -> (BytesMut, TcpStream) {
        (self.seen, self.stream)
    }
}

impl AsyncRead for Peeked {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.seen.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let length = self.seen.len().min(buf.remaining());
        buf.put_slice(&self.seen[..length]);
        self.seen.advance(length);
        if self.seen.is_empty() {
            self.seen = BytesMut::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Peeked {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
