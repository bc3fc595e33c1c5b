//! A connection over mesh TLS: large reads, large writes, and nothing held while nothing moves.

use std::{
    cell::{Cell, RefCell},
    fmt, io,
    task::{Context, Poll, ready},
};

use bytes::BytesMut;
use rustls_pki_types::CertificateDer;
use socket2::SockRef;
use tokio::net::TcpStream;

use super::{handshake::Left, record::Fault, sealed::Sealed, session::Session};
use crate::{http2::Transport, socket};

/// Room for one read: several of TLS's largest records.
const READ: usize = 128 * 1024;

/// Bytes sealed and not all sent beyond which nothing else is sealed.
const SEALED_MAX: usize = 256 * 1024;

thread_local! {
    /// Where every connection of this thread reads into.
    static ROOM: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ].into());

    /// Room to seal into, lent to whichever connection of this thread writes, until all of it was sent.
    static SPARE: Cell<Sealed> = Cell::default();
}

/// A connection over mesh TLS, its handshake done.
pub struct MeshTls {
    stream: TcpStream,
    session: Box<Session>,
    agreed: Option<Box<[u8]>>,
    shown: Vec<CertificateDer<'static>>,
    /// Data that came with the handshake.
    early: BytesMut,
    /// The beginning of a record whose end has not come.
    partial: Vec<u8>,
    sealed: Sealed,
    /// Which of the two ends has said goodbye.
    peer_closed: bool,
    we_closed: bool,
}

impl MeshTls {
    /// Goes on where the handshake on `stream` has left off.
    pub(super) fn new(stream: TcpStream, left: Left) -> Self {
        let Left { session, agreed, shown, partial, early } = left;
        Self {
            stream,
            session: Box::new(session),
            agreed,
            shown,
            early,
            partial,
            sealed: Sealed::default(),
            peer_closed: false,
            we_closed: false,
        }
    }

    /// The application protocol that both ends agreed on (RFC 7301).
    pub fn agreed(&self) -> Option<&[u8]> {
        self.agreed.as_deref()
    }

    /// Takes the certificates with which the peer has proved who it is, its own first.
    pub fn take_shown(&mut self) -> Vec<CertificateDer<'static>> {
        std::mem::take(&mut self.shown)
    }

    /// Opens what was read.
    fn open(&mut self, records: &[u8], input: &mut BytesMut) -> io::Result<()> {
        let opened = self.session.open(records, input);
        if let Err(Fault::Found(alert)) = opened {
            self.session.complain(alert, &mut self.sealed);
            // Nobody comes back here: what the kernel does not take is lost.
            let _ = self.send();
        }
        let opened = opened.map_err(|fault| io::Error::new(io::ErrorKind::InvalidData, fault))?;
        self.peer_closed = opened.closed;
        self.partial = records[opened.used..].to_vec();
        Ok(())
    }

    fn borrow_spare(&mut self) {
        if !self.sealed.has_memory() {
            self.sealed = SPARE.take();
        }
    }

    /// Sends what is sealed, as far as the kernel takes it.
    fn send(&mut self) -> io::Result<()> {
        if self.sealed.is_empty() {
            return Ok(());
        }
        while !self.sealed.unsent().is_empty() {
            match self.stream.try_write(self.sealed.unsent()) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => self.sealed.sent(written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        self.sealed.clear();
        SPARE.set(std::mem::take(&mut self.sealed));
        Ok(())
    }
}

impl Transport for MeshTls {
    fn poll_read(&mut self, input: &mut BytesMut, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let before = input.len();
        if !self.early.is_empty() {
            input.unsplit(std::mem::take(&mut self.early));
        }
        loop {
            if input.len() > before || self.peer_closed {
                return Poll::Ready(Ok(input.len() - before));
            }
            ready!(ROOM.with_borrow_mut(|room| {
                let kept = self.partial.len();
                let (begin, rest) = room.split_at_mut(kept);
                let length = ready!(socket::poll_read(&self.stream, rest, cx))?;
                begin.copy_from_slice(&self.partial);
                if length == 0 {
                    // Without a goodbye it may be somebody else who cut it off.
                    return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
                }
                Poll::Ready(self.open(&room[..kept + length], input))
            }))?;
        }
    }

    fn poll_write(&mut self, out: &[u8], cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        // What was sent of it is held until all of it was.
        if self.sealed.len() >= SEALED_MAX {
            ready!(self.poll_flush(cx))?;
        }
        self.borrow_spare();
        let taken = out.len().min(SEALED_MAX / 2);
        self.session.seal(&out[..taken], &mut self.sealed).map_err(io::Error::other)?;
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            self.send()?;
            if self.sealed.is_empty() {
                return Poll::Ready(Ok(()));
            }
            ready!(self.stream.poll_write_ready(cx))?;
        }
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.we_closed {
            self.we_closed = true;
            self.borrow_spare();
            self.session.close(&mut self.sealed).map_err(io::Error::other)?;
        }
        ready!(self.poll_flush(cx))?;
        Poll::Ready(SockRef::from(&self.stream).shutdown(std::net::Shutdown::Write))
    }
}

impl fmt::Debug for MeshTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MeshTls").field("stream", &self.stream).finish_non_exhaustive()
    }
}
