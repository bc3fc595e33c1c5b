//! The server's end of a connection.

use std::{cell::RefCell, rc::Rc, task::Poll};

use bytes::BytesMut;

use super::{
    Ours, Receiver, Sender, Transport,
    core::{Arrived, Conn, Core},
    drive::Driver,
    error::Error,
    handle::halves,
};

/// The server's end of a connection. It lives as long as somebody accepts streams of it.
#[derive(Debug)]
pub struct Server<IO>(Driver<IO>);

impl<IO: Transport> Server<IO> {
    /// Serves `io`, of which `seen` was read already.
    pub fn new(io: IO, seen: BytesMut, ours: Ours) -> Self {
        Self(Driver::new(io, seen, Rc::new(RefCell::new(Core::new(true, ours)))))
    }

    /// The next stream that the client opens; `None` when the connection has ended in order. Streams go on only while this is
    /// waited for. Safe to cancel.
    ///
    /// # Errors
    /// Why the connection has ended otherwise. The client has been told if it was its fault.
    pub async fn accept(&mut self) -> Option<Result<(Arrived, Receiver, Sender), Error>> {
        std::future::poll_fn(|cx| {
            loop {
                if let Some(arrived) = next(self.0.conn()) {
                    return Poll::Ready(Some(Ok(arrived)));
                }
                match self.0.poll(cx) {
                    Poll::Ready(Ok(())) => return Poll::Ready(None),
                    Poll::Ready(Err(error)) => return Poll::Ready(Some(Err(error))),
                    Poll::Pending if self.0.conn().borrow().arrived.is_empty() => return Poll::Pending,
                    Poll::Pending => {}
                }
            }
        })
        .await
    }

    /// Says goodbye: what the client has begun is served to its end, nothing new is (RFC 9113, section 6.8).
    pub fn leave(&mut self) {
        self.0.conn().borrow_mut().announce_leaving();
    }
}

/// The next stream that has arrived and that its client has not given up yet.
pub(super) fn next(conn: &Conn) -> Option<(Arrived, Receiver, Sender)> {
    loop {
        let (what, stream) = conn.borrow_mut().arrived.pop_front()?;
        let given_up = stream.borrow().broken.is_some();
        // What came with a stream that was given up before anybody began to work on it goes with these.
        let (receiver, sender) = halves(conn, stream);
        if !given_up {
            return Some((what, receiver, sender));
        }
    }
}
