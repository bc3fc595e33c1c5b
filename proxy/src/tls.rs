//! Mesh TLS once its handshake is done: large reads, large writes, and nothing held while nothing moves.

use std::{
    cell::RefCell,
    io::{self, BufRead, IoSlice, Write},
    task::{Context, Poll, ready},
};

use bytes::BytesMut;
use rustls::Connection;
use rustls_pki_types::CertificateDer;
use socket2::SockRef;
use tokio::net::TcpStream;
use tokio_rustls::{client, server};

use crate::{copy, http2::Transport, socket};

/// Room for one read of what is encrypted: several of TLS's largest records.
const READ: usize = 128 * 1024;

/// Pieces handed over to be encrypted at once: two of TLS's largest records.
const STEPS: usize = 17;

/// Bytes that may be encrypted and not sent yet.
const WAITING_MAX: usize = 256 * 1024;

thread_local! {
    /// Where every connection of this thread reads into.
    static ROOM: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ].into());
}

/// A connection over mesh TLS, its handshake done.
#[derive(Debug)]
pub struct MeshTls {
    stream: TcpStream,
    session: Box<Connection>,
    closing: bool,
}

impl From<server::TlsStream<TcpStream>> for MeshTls {
    fn from(stream: server::TlsStream<TcpStream>) -> Self {
        let (stream, session) = stream.into_inner();
        Self::new(stream, session.into())
    }
}

impl From<client::TlsStream<TcpStream>> for MeshTls {
    fn from(stream: client::TlsStream<TcpStream>) -> Self {
        let (stream, session) = stream.into_inner();
        Self::new(stream, session.into())
    }
}

impl MeshTls {
    fn new(stream: TcpStream, mut session: Connection) -> Self {
        session.set_buffer_limit(Some(WAITING_MAX));
        Self { stream, session: Box::new(session), closing: false }
    }

    /// What the peer has proved who it is with, its own certificate first.
    pub fn certificates(&self) -> Option<&[CertificateDer<'static>]> {
        self.session.peer_certificates()
    }

    /// Decrypts `records`, of which the last may not be whole.
    fn decrypt(&mut self, mut records: &[u8], input: &mut BytesMut) -> io::Result<()> {
        while !records.is_empty() {
            if self.session.read_tls(&mut records)? == 0 {
                // The peer has closed; what it says after that means nothing.
                return Ok(());
            }
            self.process()?;
            self.take(input)?;
        }
        Ok(())
    }

    fn process(&mut self) -> io::Result<()> {
        let processed = self.session.process_new_packets();
        processed.map(drop).map_err(|error| {
            // The session has an alert that says what is wrong: it goes out if there is room for it.
            let _ = self.session.write_tls(&mut Socket(&self.stream));
            io::Error::other(error)
        })
    }

    /// Moves what was decrypted to `input`. Says whether the peer has ended in order.
    fn take(&mut self, input: &mut BytesMut) -> io::Result<bool> {
        let mut reader = self.session.reader();
        loop {
            match reader.fill_buf() {
                Ok([]) => return Ok(true),
                Ok(piece) => {
                    let length = piece.len();
                    input.reserve(length);
                    piece.chunks(copy::STEP).for_each(|step| input.extend_from_slice(step));
                    reader.consume(length);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
    }
}

impl Transport for MeshTls {
    fn poll_read(&mut self, input: &mut BytesMut, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let before = input.len();
        loop {
            let ended = self.take(input)?;
            if ended || input.len() > before {
                return Poll::Ready(Ok(input.len() - before));
            }
            let ended = ROOM.with_borrow_mut(|room| {
                let length = ready!(socket::poll_read(&self.stream, room, cx))?;
                if length > 0 {
                    self.decrypt(&room[..length], input)?;
                }
                Poll::Ready(io::Result::Ok(length == 0))
            });
            if ready!(ended)? {
                // The session hears of it, and tells an end in order from one that cuts something off.
                self.session.read_tls(&mut io::empty())?;
                self.process()?;
            }
        }
    }

    fn poll_write(&mut self, out: &[u8], cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut steps = [IoSlice::new(&[]); STEPS];
        let count = steps.iter_mut().zip(out.chunks(copy::STEP)).map(|(slice, step)| *slice = IoSlice::new(step)).count();
        loop {
            // As many pieces as it is copied in.
            let taken = self.session.writer().write_vectored(&steps[..count])?;
            if taken > 0 {
                return Poll::Ready(Ok(taken));
            }
            ready!(self.poll_flush(cx))?;
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.session.wants_write() {
            match self.session.write_tls(&mut Socket(&self.stream)) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready!(self.stream.poll_write_ready(cx))?,
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.closing {
            self.closing = true;
            self.session.send_close_notify();
        }
        ready!(self.poll_flush(cx))?;
        Poll::Ready(SockRef::from(&self.stream).shutdown(std::net::Shutdown::Write))
    }
}

/// A socket as `rustls` writes to it.
struct Socket<'a>(&'a TcpStream);

impl Write for Socket<'_> {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.0.try_write(piece)
    }

    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(pieces)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
