//! A body that can be sent again from its beginning, for as long as what was taken of it is small.

use std::{
    cell::RefCell,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    vec,
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

use super::{Broken, Payload, Source};

/// Bytes that are kept of a body. Most requests that servers are told goodbye over are smaller.
const KEPT_MAX: usize = 64 * 1024;

/// A body on its way to somebody who may refuse to have looked at it.
#[derive(Debug)]
pub struct Replayable(Rc<RefCell<Taking>>);

/// The other end of it: from here the body can be had again.
#[derive(Debug)]
pub struct Kept(Rc<RefCell<Taking>>);

#[derive(Debug)]
struct Taking {
    body: Payload,
    /// What was taken, in the pieces in which it came; `None` when it was too much.
    taken: Option<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    pieces: Vec<Bytes>,
    length: usize,
    trailers: Option<HeaderMap>,
}

/// Lets `body` be had again.
pub fn replayable(body: Payload) -> (Replayable, Kept) {
    let taking = Rc::new(RefCell::new(Taking { body, taken: Some(Taken::default()) }));
    (Replayable(taking.clone()), Kept(taking))
}

impl Kept {
    /// The body as it was, when nobody takes of it any more and not too much was taken.
    pub fn again(self) -> Option<Payload> {
        let Taking { body, taken } = Rc::into_inner(self.0)?.into_inner();
        let Taken { pieces, trailers, .. } = taken?;
        if pieces.is_empty() && trailers.is_none() {
            return Some(body);
        }
        Some(Source::Again { taken: pieces.into_iter(), trailers, rest: Box::new(body) }.into())
    }
}

impl Taking {
    fn keep(&mut self, frame: &Frame<Bytes>) {
        let Some(taken) = &mut self.taken else { return };
        if let Some(data) = frame.data_ref() {
            taken.length += data.len();
            taken.pieces.push(data.clone());
        } else {
            taken.trailers = frame.trailers_ref().cloned();
        }
        if taken.length > KEPT_MAX {
            self.taken = None;
        }
    }
}

impl Body for Replayable {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let mut taking = self.0.borrow_mut();
        let polled = Pin::new(&mut taking.body).poll_frame(cx);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => taking.keep(frame),
            Poll::Ready(Some(Err(_))) => taking.taken = None,
            _ => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.0.borrow().body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.borrow().body.size_hint()
    }
}

/// What comes next of a body that is had again.
pub(super) fn poll_again(
    taken: &mut vec::IntoIter<Bytes>,
    trailers: &mut Option<HeaderMap>,
    rest: &mut Payload,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
    if let Some(piece) = taken.next() {
        return Poll::Ready(Some(Ok(Frame::data(piece))));
    }
    match trailers.take() {
        Some(trailers) => Poll::Ready(Some(Ok(Frame::trailers(trailers)))),
        None => Pin::new(rest).poll_frame(cx),
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn what_was_taken_comes_again_and_then_the_rest() {
        let (mut body, kept) = replayable(Payload::text(String::from("abc")));
        let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
        drop(body);
        let again = kept.again().unwrap().collect().await.unwrap().to_bytes();
        assert_eq!((first, again), (Bytes::from("abc"), Bytes::from("abc")));
    }

    #[tokio::test]
    async fn too_much_is_not_kept() {
        let (mut body, kept) = replayable(Payload::text("x".repeat(KEPT_MAX + 1)));
        let _ = body.frame().await;
        drop(body);
        assert!(kept.again().is_none());
    }

    #[test]
    fn what_somebody_still_takes_of_is_not_given_twice() {
        let (_body, kept) = replayable(Payload::empty());
        assert!(kept.again().is_none());
    }
}
