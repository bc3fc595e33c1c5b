//! The server's end of a connection.

use std::{
    future::poll_fn,
    io,
    pin::{Pin, pin},
    rc::Rc,
    task::Poll,
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, Response, Version};
use tokio::time::{Instant, timeout_at};

use super::{
    Body, Conn, Malformed, Sent,
    conn::{Lost, Reading},
    framing::{self, Length, names},
    head,
    write::{self, Way},
};
use crate::outbox::Outbox;

/// The server's end of a connection: one request after the other.
#[derive(Debug)]
pub struct Server {
    conn: Rc<Conn>,
    outbox: Outbox,
    /// What the answer to the current request has to know of it.
    asked: Asked,
}

#[derive(Debug)]
struct Asked {
    method: Method,
    version: Version,
    persists: bool,
}

/// What comes next from a client.
// It is taken apart where it is made: a box would cost each request an allocation.
#[allow(clippy::large_enum_variant)]
#[derive(Debug)]
pub enum Incoming {
    /// A request.
    Request(Request<Body>),
    /// The client has gone, between requests or in the middle of a head.
    Gone,
    /// The client did not finish a head in time.
    Slow,
    /// What it sent is no request.
    Malformed(Malformed),
}

/// What became of handling a request.
#[derive(Debug)]
pub enum Handled<T> {
    /// There is an answer.
    Answered(T),
    /// The client broke off meanwhile.
    Aborted(io::Error),
    /// The rest of the request is malformed.
    Malformed(Malformed),
}

impl Server {
    /// The server's end of `conn`.
    pub fn new(conn: Rc<Conn>) -> Self {
        let asked = Asked { method: Method::GET, version: Version::HTTP_11, persists: true };
        Self { conn, outbox: Outbox::default(), asked }
    }

    /// Resolves when something of the next request has arrived, or the client has gone. Safe to cancel.
    pub async fn stirs(&self) -> io::Result<()> {
        self.conn.stirs().await
    }

    /// The next request, whose head must be complete within `patience`.
    pub async fn next(&mut self, patience: Duration) -> Incoming {
        match timeout_at(Instant::now() + patience, self.conn.head(head::sound_request_line)).await {
            Err(_) => Incoming::Slow,
            Ok(Ok(None) | Err(Lost::Io(_))) => Incoming::Gone,
            Ok(Err(Lost::Malformed(why))) => Incoming::Malformed(why),
            Ok(Ok(Some(text))) => self.read(text).map_or_else(Incoming::Malformed, Incoming::Request),
        }
    }

    fn read(&mut self, text: Bytes) -> Result<Request<Body>, Malformed> {
        let request = head::request(text, self.conn.room().fields)?;
        let (version, headers) = (request.version(), request.headers());
        let length = framing::of_request(version, headers)?;
        // RFC 9110, section 9.3.6: what follows CONNECT is the tunnel's.
        if request.method() == Method::CONNECT && length != Length::Exact(0) {
            return Err(Malformed::TwoFramings);
        }
        self.asked = Asked { method: request.method().clone(), version, persists: framing::persists(version, headers) };
        Ok(request.map(|()| Body::new(self.conn.clone(), length)))
    }

    /// Waits for `handling`, sends what `interim` has to say meanwhile, and watches the client.
    pub async fn handle<T>(
        &mut self,
        mut handling: Pin<&mut impl Future<Output = T>>,
        mut interim: impl FnMut() -> Option<Response<()>>,
    ) -> Handled<T> {
        poll_fn(|cx| {
            let handled = handling.as_mut().poll(cx);
            while let Some(head) = interim() {
                // RFC 9110, section 15.2: HTTP/1.0 knows none.
                if self.asked.version == Version::HTTP_11 {
                    write::bare_head(&mut self.outbox, &head.into_parts().0);
                }
            }
            if let Poll::Ready(answer) = handled {
                // A malformed request is answered as such, whatever became of its beginning.
                return Poll::Ready(match self.conn.reading() {
                    Reading::Spoiled(why) => Handled::Malformed(why),
                    _ => Handled::Answered(answer),
                });
            }
            if let Poll::Ready(Err(error)) = self.conn.poll_write(cx, &mut self.outbox) {
                return Poll::Ready(Handled::Aborted(error));
            }
            self.conn.poll_trouble(cx).map(|lost| match lost {
                Lost::Io(error) => Handled::Aborted(error),
                Lost::Malformed(why) => Handled::Malformed(why),
            })
        })
        .await
    }

    /// Sends an answer; `last` is whether the connection ends with it. Says whether another request may follow.
    pub async fn answer<B>(&mut self, response: Response<B>, last: bool) -> Result<bool, Sent<B::Error>>
    where
        B: http_body::Body<Data = Bytes> + Unpin,
    {
        let (head, mut body) = response.into_parts();
        let Asked { method, version, persists } = &self.asked;
        let way = Way::of_response(method, *version, &head, &body);
        // What is left of a request that was answered early may be long, or never come.
        let whole = matches!(self.conn.reading(), Reading::Between | Reading::Body);
        let persists = *persists && !last && whole && way != Way::UntilClose && !names(&head.headers, "close");
        write::response_head(&mut self.outbox, &head, way, *version, persists);
        let conn = &self.conn;
        {
            let mut sending = pin!(write::send(conn, &mut self.outbox, &mut body, way));
            poll_fn(|cx| {
                if let Poll::Ready(sent) = sending.as_mut().poll(cx) {
                    return Poll::Ready(sent);
                }
                match conn.poll_trouble(cx) {
                    Poll::Ready(Lost::Io(error)) => Poll::Ready(Err(Sent::ReceiverGone(error))),
                    // The answer has begun: it goes on to its end, and the connection with it.
                    Poll::Ready(Lost::Malformed(_)) | Poll::Pending => Poll::Pending,
                }
            })
            .await?;
        }
        // The line it came by may be wanted at once.
        drop(body);
        Ok(persists && self.conn.reading() == Reading::Between)
    }

    /// Sends the head of an answer that switches to another protocol, and leaves the connection to that.
    pub async fn switch(mut self, response: Response<()>) -> io::Result<Rc<Conn>> {
        write::response_head(&mut self.outbox, &response.into_parts().0, Way::Nothing, self.asked.version, true);
        poll_fn(|cx| self.conn.poll_write(cx, &mut self.outbox)).await?;
        Ok(self.conn)
    }

    /// Closes so that the client can still read what it was told last.
    pub async fn close(self) {
        self.conn.farewell().await;
    }

    /// Closes so that the client cannot take what it has for the whole.
    pub fn break_off(self) {
        self.conn.break_off();
    }
}
