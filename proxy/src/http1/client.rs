//! The client's end of a connection.

use std::{io, rc::Rc};

use bytes::{Bytes, BytesMut};
use http::{Method, Request, Response, StatusCode, Version, header::UPGRADE};
use tokio::net::TcpStream;

use super::{
    Body, Conn, Malformed, Sent,
    conn::Lost,
    framing::{self, Length},
    head,
    scan::Room,
    write::{self, Way},
};
use crate::outbox::Outbox;

/// The client's end of a connection, between requests.
#[derive(Debug)]
pub struct Line {
    conn: Rc<Conn>,
    /// Whether it has carried a request before: then its server may close it just as we send the next.
    used: bool,
}

/// An answer.
#[derive(Debug)]
pub enum Answered {
    /// A message, and the line when it may carry another request once the message has ended.
    Message(Response<Body>, Option<Line>),
    /// The connection speaks another protocol from here on.
    Switched(Response<()>, Rc<Conn>),
}

/// What a request asks for besides an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switching {
    /// Nothing.
    No,
    /// Another protocol, by `Upgrade`.
    Upgrade,
    /// A tunnel, by CONNECT.
    Connect,
}

/// What an answer has to be read by of the request.
struct Asked {
    method: Method,
    version: Version,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum Failed<B, E> {
    /// The server closed a line it had kept, and cannot have done anything with the request: here it is.
    Unsent(Box<Request<B>>, io::Error),
    /// The server went away; it may have begun.
    ServerGone(io::Error),
    /// The answer is malformed.
    Malformed(Malformed),
    /// The request broke off.
    RequestBroken(Sent<E>),
}

impl Line {
    /// A line on a connection that was just opened.
    pub fn new(stream: TcpStream, room: Room) -> Self {
        Self { conn: Conn::new(stream, BytesMut::new(), room), used: false }
    }

    /// Holds no more than it must until the next request.
    pub fn rest(&self) {
        self.conn.rest();
    }

    /// Whether its server still seems to keep it.
    pub fn is_fit(&self) -> bool {
        self.conn.is_quiet()
    }

    /// Sends `request` and waits for the head of the answer. `interim` hears of interim answers before that.
    ///
    /// # Errors
    /// See [`Failed`]. A request is given back only when a kept line was closed before any of an answer came, the request
    /// has no body, and its method may be repeated (RFC 9110, section 9.2.2).
    pub async fn exchange<B>(
        self,
        mut request: Box<Request<B>>,
        switching: Switching,
        interim: impl FnMut(Response<()>),
    ) -> Result<Answered, Failed<B, B::Error>>
    where
        B: http_body::Body<Data = Bytes> + Unpin + 'static,
    {
        let way = Way::of_request(request.headers(), request.body());
        let mut outbox = Outbox::default();
        write::request_head(&mut outbox, &request, way);
        let asked = Asked { method: request.method().clone(), version: request.version() };
        if !request.body().is_end_stream() {
            return self.exchange_with_body(asked, request, outbox, way, switching, interim).await;
        }
        let replayable = self.used && asked.method.is_idempotent() && switching == Switching::No;
        match write::send(&self.conn, &mut outbox, request.body_mut(), way).await {
            Ok(()) => {}
            Err(Sent::ReceiverGone(error)) if replayable => return Err(Failed::Unsent(request, error)),
            Err(Sent::ReceiverGone(error)) => return Err(Failed::ServerGone(error)),
            Err(broken) => return Err(Failed::RequestBroken(broken)),
        }
        match self.answer(asked, switching, interim).await {
            Err(Nothing::Closed(error)) if replayable => Err(Failed::Unsent(request, error)),
            answered => answered.map_err(Nothing::into_failed),
        }
    }

    async fn exchange_with_body<B>(
        self,
        asked: Asked,
        mut request: Box<Request<B>>,
        mut outbox: Outbox,
        way: Way,
        switching: Switching,
        interim: impl FnMut(Response<()>),
    ) -> Result<Answered, Failed<B, B::Error>>
    where
        B: http_body::Body<Data = Bytes> + Unpin + 'static,
    {
        let conn = self.conn.clone();
        let mut sending = Box::pin(async move { write::send(&conn, &mut outbox, request.body_mut(), way).await });
        let mut answer = Box::pin(self.answer(asked, switching, interim));
        tokio::select! {
            biased;
            sent = &mut sending => match sent {
                // A server may have answered before it closed: what it said decides.
                Ok(()) | Err(Sent::ReceiverGone(_)) => {}
                Err(broken) => return Err(Failed::RequestBroken(broken)),
            },
            answered = &mut answer => {
                return Ok(match answered.map_err(Nothing::into_failed)? {
                    Answered::Message(response, line) => {
                        let sending = tokio::task::spawn_local(async move { drop(sending.await) });
                        Answered::Message(response.map(|body| body.sent_by(sending)), line)
                    }
                    switched @ Answered::Switched(..) => switched,
                });
            }
        }
        answer.await.map_err(Nothing::into_failed)
    }

    /// Waits for the head of the final answer.
    async fn answer(
        self,
        asked: Asked,
        switching: Switching,
        mut interim: impl FnMut(Response<()>),
    ) -> Result<Answered, Nothing> {
        for heard in 0..=self.conn.room().interims {
            let response = self.head().await.map_err(|why| if heard > 0 { why.after_a_word() } else { why })?;
            let status = response.status();
            let switched = match switching {
                Switching::No => false,
                Switching::Upgrade => status == StatusCode::SWITCHING_PROTOCOLS && response.headers().contains_key(UPGRADE),
                Switching::Connect => status.is_success(),
            };
            if switched {
                return Ok(Answered::Switched(response, self.conn));
            }
            if status == StatusCode::SWITCHING_PROTOCOLS {
                return Err(Nothing::Malformed(Malformed::Switched));
            }
            if !status.is_informational() {
                return self.message(&asked, response);
            }
            framing::of_response(&asked.method, status, response.version(), response.headers()).map_err(Nothing::Malformed)?;
            interim(response);
        }
        Err(Nothing::Malformed(Malformed::Interims))
    }

    fn message(self, asked: &Asked, response: Response<()>) -> Result<Answered, Nothing> {
        let (version, headers) = (response.version(), response.headers());
        let length = framing::of_response(&asked.method, response.status(), version, headers).map_err(Nothing::Malformed)?;
        let persists = framing::persists(version, headers) && asked.version == Version::HTTP_11;
        let body = Body::new(self.conn.clone(), length);
        let line = Self { conn: self.conn, used: true };
        let kept = (persists && length != Length::UntilClose && asked.method != Method::CONNECT).then_some(line);
        Ok(Answered::Message(response.map(|()| body), kept))
    }

    async fn head(&self) -> Result<Response<()>, Nothing> {
        match self.conn.head(head::sound_status_line).await {
            Ok(Some(text)) => head::response(text, self.conn.room().fields).map_err(Nothing::Malformed),
            Ok(None) => Err(Nothing::Closed(io::ErrorKind::UnexpectedEof.into())),
            Err(Lost::Io(error)) if self.conn.has_input() => Err(Nothing::Gone(error)),
            Err(Lost::Io(error)) => Err(Nothing::Closed(error)),
            Err(Lost::Malformed(why)) => Err(Nothing::Malformed(why)),
        }
    }
}

/// Why no answer came.
enum Nothing {
    /// The server closed without a word.
    Closed(io::Error),
    /// The server closed in the middle of a word.
    Gone(io::Error),
    Malformed(Malformed),
}

impl Nothing {
    fn after_a_word(self) -> Self {
        match self {
            Self::Closed(error) => Self::Gone(error),
            why => why,
        }
    }

    fn into_failed<B, E>(self) -> Failed<B, E> {
        match self {
            Self::Closed(error) | Self::Gone(error) => Failed::ServerGone(error),
            Self::Malformed(why) => Failed::Malformed(why),
        }
    }
}
