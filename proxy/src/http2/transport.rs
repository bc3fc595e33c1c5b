//! What carries a connection's bytes.

use std::{
    io,
    task::{Context, Poll, ready},
};

use bytes::BytesMut;
use socket2::SockRef;
use tokio::net::TcpStream;

use crate::socket;

/// Carries bytes both ways, in order.
pub trait Transport {
    /// Reads what there is, after what `input` holds already, which has room for at least a few KiB. 0 at the end.
    ///
    /// # Errors
    /// The transport failed.
    fn poll_read(&mut self, input: &mut BytesMut, cx: &mut Context<'_>) -> Poll<io::Result<usize>>;

    /// Takes bytes of `out` on their way, and says how many; some may wait to be [flushed](Self::poll_flush).
    ///
    /// # Errors
    /// The transport failed.
    fn poll_write(&mut self, out: &[u8], cx: &mut Context<'_>) -> Poll<io::Result<usize>>;

    /// Sends what waits.
    ///
    /// # Errors
    /// The transport failed.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Says that nothing else will be sent.
    ///
    /// # Errors
    /// The transport failed.
    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
}

impl Transport for TcpStream {
    fn poll_read(&mut self, input: &mut BytesMut, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        socket::poll_read_buf(self, input, cx)
    }

    fn poll_write(&mut self, out: &[u8], cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.poll_write_ready(cx))?;
            let mut left = out;
            socket::write(self, &mut left)?;
            if left.len() < out.len() {
                return Poll::Ready(Ok(out.len() - left.len()));
            }
        }
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(SockRef::from(&*self).shutdown(std::net::Shutdown::Write))
    }
}
