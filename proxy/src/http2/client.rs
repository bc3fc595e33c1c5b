//! The client's end of a connection.

use std::{cell::RefCell, future::poll_fn, rc::Rc};

use bytes::BytesMut;
use http::Request;

use super::{
    Ours, Receiver, Sender, Transport,
    core::{Conn, Core},
    drive::Driver,
    error::Error,
    handle::halves,
};

/// Opens streams on a connection. When the last clone is gone, and the last stream has ended, the connection is closed.
#[derive(Clone, Debug)]
pub struct Client(Rc<Seat>);

#[derive(Debug)]
struct Seat(Conn);

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.borrow_mut().forsake();
    }
}

/// A client on `io`, and what drives the connection to its end.
pub fn client<IO>(io: IO, ours: Ours) -> (Client, impl Future<Output = Result<(), Error>>)
where
    IO: Transport,
{
    let conn = Rc::new(RefCell::new(Core::new(false, ours)));
    let mut driver = Driver::new(io, BytesMut::new(), conn.clone());
    (Client(Rc::new(Seat(conn))), poll_fn(move |cx| driver.poll(cx)))
}

impl Client {
    /// Resolves when the peer takes another stream.
    ///
    /// # Errors
    /// Why it will take none any more. Nothing was sent.
    pub async fn ready(&self) -> Result<(), Error> {
        poll_fn(|cx| self.0.0.borrow_mut().poll_vacancy(cx)).await
    }

    /// Whether the peer takes extended CONNECT (RFC 8441, section 3), once it has told.
    ///
    /// # Errors
    /// Why it will never tell.
    pub async fn takes_extended_connect(&self) -> Result<bool, Error> {
        poll_fn(|cx| self.0.0.borrow_mut().poll_told(cx)).await.map(|theirs| theirs.connect_protocol)
    }

    /// Opens a stream with a request; `end` when nothing follows its head.
    ///
    /// # Errors
    /// Why no stream can be opened. Nothing was sent.
    pub fn request<B>(&self, request: &Request<B>, end: bool) -> Result<(Receiver, Sender), Error> {
        let conn = &self.0.0;
        let core = &mut *conn.borrow_mut();
        let stream = core.open()?;
        core.send_request(&mut stream.borrow_mut(), request, end);
        Ok(halves(conn, stream))
    }
}
