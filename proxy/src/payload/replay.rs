//! A body that can be sent again from its beginning, for as long as what was taken of it is small.

use std::{
    cell::RefCell,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

use super::{Broken, Payload, Source};

/// Bytes that are kept of a body. Most requests that servers are told goodbye over are smaller.
pub const KEPT_MAX: usize = 64 * 1024;

/// A body on its way to somebody who may not want it, or do nothing with it.
#[derive(Debug)]
pub struct Replayable {
    taking: Rc<RefCell<Taking>>,
    /// Which taker this is: only the last one gets anything.
    number: u32,
    /// Pieces that it has had.
    had: usize,
}

/// The other end of it: from here the body can be had again.
#[derive(Debug)]
pub struct Kept(Rc<RefCell<Taking>>);

#[derive(Debug)]
struct Taking {
    body: Payload,
    /// What was taken, in the pieces in which it came; `None` when it was too much.
    taken: Option<Taken>,
    most: usize,
    taker: u32,
    waiting: Option<Waker>,
}

#[derive(Debug, Default)]
struct Taken {
    pieces: Vec<Bytes>,
    length: usize,
    trailers: Option<HeaderMap>,
}

/// Lets `body` be had again, for as long as no more than `most` bytes were taken of it.
pub fn replayable(body: Payload, most: usize) -> (Replayable, Kept) {
    let taking = Taking { body, taken: Some(Taken::default()), most, taker: 0, waiting: None };
    let taking = Rc::new(RefCell::new(taking));
    (Replayable { taking: taking.clone(), number: 0, had: 0 }, Kept(taking))
}

impl Kept {
    /// The body as it was, when not too much was taken. Whoever took of it until now gets no more.
    pub fn again(&self) -> Option<Payload> {
        let mut taking = self.0.borrow_mut();
        taking.taken.as_ref()?;
        taking.taker += 1;
        if let Some(waiting) = taking.waiting.take() {
            waiting.wake();
        }
        Some(Source::Again(Replayable { taking: self.0.clone(), number: taking.taker, had: 0 }).into())
    }

    /// The same for somebody beside whoever takes of it now: only when all of it has come.
    pub fn beside(&self) -> Option<Payload> {
        let taking = self.0.borrow();
        let Taken { pieces, length, trailers } = taking.taken.as_ref().filter(|_| taking.body.is_end_stream())?;
        let taken = Taken { pieces: pieces.clone(), length: *length, trailers: trailers.clone() };
        let copy = Taking { body: Payload::empty(), taken: Some(taken), most: taking.most, taker: 0, waiting: None };
        Some(Source::Again(Replayable { taking: Rc::new(RefCell::new(copy)), number: 0, had: 0 }).into())
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
        if taken.length > self.most {
            self.taken = None;
        }
    }
}

impl Taken {
    /// What comes after the first `had` pieces, trailers included.
    fn after(&self, had: usize) -> Option<Frame<Bytes>> {
        let trailers = || self.trailers.clone().filter(|_| had == self.pieces.len()).map(Frame::trailers);
        self.pieces.get(had).cloned().map(Frame::data).or_else(trailers)
    }

    fn count(&self) -> usize {
        self.pieces.len() + usize::from(self.trailers.is_some())
    }
}

impl Body for Replayable {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let Self { taking, number, had } = &mut *self;
        let taking = &mut *taking.borrow_mut();
        if taking.taker != *number {
            return Poll::Ready(Some(Err(Broken::GivenUp("it is sent to somebody else"))));
        }
        if let Some(frame) = taking.taken.as_ref().and_then(|taken| taken.after(*had)) {
            *had += 1;
            return Poll::Ready(Some(Ok(frame)));
        }
        let polled = Pin::new(&mut taking.body).poll_frame(cx);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                taking.keep(frame);
                *had += 1;
            }
            Poll::Ready(Some(Err(_))) => taking.taken = None,
            Poll::Ready(None) => {}
            Poll::Pending => taking.waiting = Some(cx.waker().clone()),
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        let taking = self.taking.borrow();
        let had_all = taking.taken.as_ref().is_none_or(|taken| taken.count() == self.had);
        taking.taker == self.number && had_all && taking.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let taking = self.taking.borrow();
        let untouched = taking.taken.as_ref().is_some_and(|taken| taken.count() == 0);
        if untouched { taking.body.size_hint() } else { SizeHint::default() }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    async fn text(body: Payload) -> Bytes {
        body.collect().await.unwrap().to_bytes()
    }

    #[tokio::test]
    async fn what_was_taken_comes_again_and_then_the_rest() {
        let (mut body, kept) = replayable(Payload::text(String::from("abc")), KEPT_MAX);
        let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
        drop(body);
        assert_eq!((first, text(kept.again().unwrap()).await), (Bytes::from("abc"), Bytes::from("abc")));
        assert_eq!(text(kept.again().unwrap()).await, Bytes::from("abc"), "as often as it is asked for");
    }

    #[tokio::test]
    async fn too_much_is_not_kept() {
        let (mut body, kept) = replayable(Payload::text("xx".repeat(4)), 7);
        let _ = body.frame().await;
        assert!(kept.again().is_none() && kept.beside().is_none() && body.is_end_stream());
    }

    #[tokio::test]
    async fn whoever_took_of_it_before_gets_no_more() {
        let (mut body, kept) = replayable(Payload::text(String::from("abc")), KEPT_MAX);
        let again = kept.again().unwrap();
        assert!(!body.is_end_stream() && matches!(body.frame().await, Some(Err(Broken::GivenUp(_)))));
        assert_eq!(text(again).await, Bytes::from("abc"));
    }

    #[tokio::test]
    async fn two_may_have_it_when_all_of_it_has_come() {
        let (mut body, kept) = replayable(Payload::text(String::from("abc")), KEPT_MAX);
        assert!(kept.beside().is_none());
        let _ = body.frame().await;
        assert_eq!(text(kept.beside().unwrap()).await, Bytes::from("abc"));
        assert!(body.is_end_stream(), "whoever had it goes on");
    }
}
