//! The body of a message on its way through, whichever protocol it came in by.

mod idle;
mod replay;
mod tee;

use std::{
    cell::Cell,
    error::Error,
    fmt,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

pub use idle::Movement;
pub use replay::{KEPT_MAX, Kept, Replayable, replayable};
pub use tee::tee;

use crate::{
    http1,
    http2::{self, Code, Receiver, Sender},
};

/// Hears what becomes of a payload.
pub trait Witness {
    /// `length` more bytes went by.
    fn passed(&mut self, length: u64);
    /// These fields end it.
    fn trailers(&mut self, _fields: &HeaderMap) {}
    /// It is over; `complete` when it ended as its sender meant it to. Heard once.
    fn ended(&mut self, complete: bool);
}

/// A body being carried. Data frames without data are dropped: enough of them make a peer close the connection.
pub struct Payload {
    source: Source,
    witness: Option<Box<dyn Witness>>,
}

enum Source {
    Nothing,
    Ours(Bytes),
    Http1(http1::Body),
    Http2 { stream: Receiver, data_ended: bool, _asked: Option<Asked> },
    Again(Replayable),
    Other(Pin<Box<dyn Body<Data = Bytes, Error = Broken>>>),
}

/// With which code a client gave up, once it has: whoever works for it passes it on.
#[derive(Clone, Debug, Default)]
pub struct GivenUp(Rc<Cell<Option<Code>>>);

impl GivenUp {
    /// The client has given up.
    pub fn with(&self, code: Code) {
        self.0.set(Some(code));
    }
}

/// A request that was sent to its end over HTTP/2. Dropped after its client gave up, it is reset with the same code.
#[derive(Debug)]
pub struct Asked {
    /// Its stream.
    pub send: Sender,
    /// Whether its client has given up.
    pub given_up: GivenUp,
}

impl Drop for Asked {
    fn drop(&mut self) {
        if let Some(code) = self.given_up.0.get() {
            self.send.reset(code);
        }
    }
}

/// Why a payload broke off.
#[derive(Debug)]
pub enum Broken {
    /// On HTTP/1.1.
    Http1(http1::Broken),
    /// On HTTP/2.
    Http2(http2::Error),
    /// Nobody sends it any more: why.
    GivenUp(&'static str),
}

impl Payload {
    /// No body at all.
    pub fn empty() -> Self {
        Source::Nothing.into()
    }

    /// A short text of ours.
    pub fn text(text: String) -> Self {
        if text.is_empty() { Self::empty() } else { Source::Ours(text.into()).into() }
    }

    /// A body of another kind.
    pub fn of(body: impl Body<Data = Bytes, Error = Broken> + 'static) -> Self {
        Source::Other(Box::pin(body)).into()
    }

    /// A body arriving over HTTP/1.1.
    pub fn http1(incoming: http1::Body) -> Self {
        Source::Http1(incoming).into()
    }

    /// A body arriving over HTTP/2.
    pub fn http2(stream: Receiver) -> Self {
        Source::Http2 { stream, data_ended: false, _asked: None }.into()
    }

    /// The body of an answer arriving over HTTP/2, to what was `asked`.
    pub fn answer(stream: Receiver, asked: Option<Asked>) -> Self {
        Source::Http2 { stream, data_ended: false, _asked: asked }.into()
    }

    /// Lets `witness` hear what becomes of it, instead of whoever heard it before.
    pub fn witnessed(mut self, witness: Box<dyn Witness>) -> Self {
        self.witness = Some(witness);
        if self.is_end_stream() {
            self.end(true);
        }
        self
    }

    fn end(&mut self, complete: bool) {
        if let Some(mut witness) = self.witness.take() {
            witness.ended(complete);
        }
    }
}

impl Default for Payload {
    fn default() -> Self {
        Self::empty()
    }
}

impl From<Source> for Payload {
    fn from(source: Source) -> Self {
        Self { source, witness: None }
    }
}

impl From<Replayable> for Payload {
    fn from(body: Replayable) -> Self {
        Source::Again(body).into()
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let frame = loop {
            match ready!(self.source.poll_frame(cx)) {
                Some(Ok(frame)) if frame.data_ref().is_some_and(Bytes::is_empty) => {}
                frame => break frame,
            }
        };
        match &frame {
            Some(Ok(frame)) => {
                match (&mut self.witness, frame.data_ref(), frame.trailers_ref()) {
                    (Some(witness), Some(data), _) => witness.passed(data.len() as u64),
                    (Some(witness), None, Some(trailers)) => witness.trailers(trailers),
                    _ => {}
                }
                if self.is_end_stream() {
                    self.end(true);
                }
            }
            Some(Err(_)) => self.end(false),
            None => self.end(true),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Nothing => true,
            Source::Ours(bytes) => bytes.is_empty(),
            Source::Http1(incoming) => incoming.is_end_stream(),
            Source::Http2 { stream, .. } => stream.is_end_stream(),
            Source::Again(again) => again.is_end_stream(),
            Source::Other(other) => other.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Nothing => SizeHint::with_exact(0),
            Source::Ours(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Source::Http1(incoming) => incoming.size_hint(),
            Source::Http2 { stream, .. } if stream.is_end_stream() => SizeHint::with_exact(0),
            Source::Http2 { .. } => SizeHint::default(),
            Source::Again(again) => again.size_hint(),
            Source::Other(other) => other.size_hint(),
        }
    }
}

impl Source {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match self {
            Self::Nothing => Poll::Ready(None),
            Self::Ours(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Ours(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Http1(incoming) => Pin::new(incoming).poll_frame(cx).map_err(Broken::Http1),
            Self::Http2 { stream, data_ended, .. } => poll_http2(stream, data_ended, cx).map_err(Broken::Http2),
            Self::Again(again) => Pin::new(again).poll_frame(cx),
            Self::Other(other) => other.as_mut().poll_frame(cx),
        }
    }
}

fn poll_http2(stream: &Receiver, data_ended: &mut bool, cx: &Context<'_>) -> Poll<Option<Result<Frame<Bytes>, http2::Error>>> {
    if !*data_ended {
        match ready!(stream.poll_data(cx)) {
            Some(Ok(data)) => {
                // The sender may go on as soon as we have taken a piece: back-pressure comes from not taking it.
                stream.release(data.len());
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
            Some(Err(error)) => return Poll::Ready(Some(Err(error))),
            None => *data_ended = true,
        }
    }
    let trailers = ready!(stream.poll_trailers(cx));
    Poll::Ready(trailers.transpose().map(|trailers| trailers.map(Frame::trailers)))
}

impl Drop for Payload {
    fn drop(&mut self) {
        let complete = self.is_end_stream();
        self.end(complete);
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Payload").field("size", &self.size_hint()).finish_non_exhaustive()
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http1(error) => write!(f, "{error}"),
            Self::Http2(error) => write!(f, "{error}"),
            Self::GivenUp(why) => f.write_str(why),
        }
    }
}

impl Error for Broken {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Http1(error) => Some(error),
            Self::Http2(error) => Some(error),
            Self::GivenUp(_) => None,
        }
    }
}
