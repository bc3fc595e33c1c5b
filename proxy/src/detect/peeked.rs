//! A connection some of whose bytes were read to judge it. Whoever reads it next sees them again.

use std::{io, time::Duration};

use bytes::BytesMut;
use socket2::SockRef;
use tokio::{io::AsyncReadExt, net::TcpStream};

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
