//! A body that arrives.

use std::{
    fmt, io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use tokio::task::JoinHandle;

use super::{
    Conn, Malformed,
    chunks::{Chunks, Piece},
    conn::Reading,
    framing::Length,
};

/// A body that arrives, read off its connection as it is asked for. When it has ended, the connection may carry the next
/// message; when it is dropped before, it cannot.
#[derive(Debug)]
pub struct Body {
    conn: Rc<Conn>,
    left: Left,
    /// What sends the rest of the request that this answers.
    sending: Option<JoinHandle<()>>,
}

#[derive(Debug)]
enum Left {
    Exact(u64),
    Chunked(Chunks),
    UntilClose,
    Nothing,
}

/// Why a body broke off.
#[derive(Debug)]
pub enum Broken {
    /// The connection broke.
    Io(io::Error),
    /// It is malformed.
    Malformed(Malformed),
}

impl Body {
    pub(super) fn new(conn: Rc<Conn>, length: Length) -> Self {
        let left = match length {
            Length::Exact(0) => Left::Nothing,
            Length::Exact(length) => Left::Exact(length),
            Length::Chunked => Left::Chunked(Chunks::Size),
            Length::UntilClose => Left::UntilClose,
        };
        conn.turn(if matches!(left, Left::Nothing) { Reading::Between } else { Reading::Body });
        Self { conn, left, sending: None }
    }

    /// Lets `sending` go on for as long as this is wanted.
    pub(super) fn sent_by(mut self, sending: JoinHandle<()>) -> Self {
        self.sending = Some(sending);
        self
    }

    fn end(&mut self) {
        let closed = matches!(self.left, Left::UntilClose);
        self.left = Left::Nothing;
        self.conn.turn(if closed { Reading::Abandoned } else { Reading::Between });
    }

    /// What can be had of what has arrived.
    fn arrived(&mut self) -> Result<Piece, Malformed> {
        let mut input = self.conn.input().borrow_mut();
        match &mut self.left {
            Left::Nothing => Ok(Piece::End(None)),
            Left::Chunked(chunks) => chunks.read(&mut input, self.conn.room()),
            Left::UntilClose | Left::Exact(_) if input.is_empty() => Ok(Piece::NeedMore),
            Left::UntilClose => Ok(Piece::Data(input.split().freeze())),
            Left::Exact(left) => {
                let length = usize::try_from(*left).map_or(input.len(), |left| left.min(input.len()));
                *left -= length as u64;
                Ok(Piece::Data(input.split_to(length).freeze()))
            }
        }
    }

    fn spoiled(&mut self, why: Malformed) -> Broken {
        self.left = Left::Nothing;
        self.conn.turn(Reading::Spoiled(why));
        Broken::Malformed(why)
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Piece, Broken>> {
        loop {
            match self.arrived() {
                Ok(Piece::NeedMore) => {}
                Ok(piece) => return Poll::Ready(Ok(piece)),
                Err(why) => return Poll::Ready(Err(self.spoiled(why))),
            }
            let expected = match self.left {
                Left::Exact(left) | Left::Chunked(Chunks::Data(left)) => left,
                Left::UntilClose => u64::MAX,
                _ => 0,
            };
            match ready!(self.conn.poll_more(cx, expected)) {
                Ok(0) if matches!(self.left, Left::UntilClose) => return Poll::Ready(Ok(Piece::End(None))),
                Ok(0) => return Poll::Ready(Err(self.spoiled(Malformed::Incomplete))),
                Ok(_) => {}
                Err(error) => {
                    self.left = Left::Nothing;
                    self.conn.turn(Reading::Abandoned);
                    return Poll::Ready(Err(Broken::Io(error)));
                }
            }
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        if self.is_end_stream() {
            return Poll::Ready(None);
        }
        Poll::Ready(match ready!(self.poll_piece(cx)) {
            Ok(Piece::Data(data)) => {
                if matches!(self.left, Left::Exact(0)) {
                    self.end();
                }
                Some(Ok(Frame::data(data)))
            }
            Ok(Piece::End(trailers)) => {
                self.end();
                trailers.map(|trailers| Ok(Frame::trailers(trailers)))
            }
            Ok(Piece::NeedMore) => return Poll::Pending,
            Err(broken) => Some(Err(broken)),
        })
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.left, Left::Nothing)
    }

    fn size_hint(&self) -> SizeHint {
        match self.left {
            Left::Exact(left) => SizeHint::with_exact(left),
            Left::Nothing => SizeHint::with_exact(0),
            Left::Chunked(_) | Left::UntilClose => SizeHint::default(),
        }
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        if let Some(sending) = self.sending.take() {
            sending.abort();
        }
        if !self.is_end_stream() {
            self.conn.turn(Reading::Abandoned);
        }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "{error}"),
            Self::Malformed(why) => write!(f, "{why}"),
        }
    }
}

impl std::error::Error for Broken {}
