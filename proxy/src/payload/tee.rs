//! A body that somebody else gets a copy of as it passes.

use std::{
    cell::RefCell,
    collections::VecDeque,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::{Broken, Payload};

/// Bytes that a copy may be behind. The original waits for nobody.
const BEHIND_MAX: usize = 64 * 1024;

/// The original.
#[derive(Debug)]
struct Original {
    body: Payload,
    copied: Rc<RefCell<Copied>>,
}

/// The copy.
#[derive(Debug)]
struct Copy(Rc<RefCell<Copied>>);

/// What was copied and not taken yet.
#[derive(Debug, Default)]
struct Copied {
    frames: VecDeque<Frame<Bytes>>,
    behind: usize,
    state: State,
    waiting: Option<Waker>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Open,
    Ended,
    /// The copy is worth nothing any more.
    GivenUp(&'static str),
}

/// `body`, and a copy of it that is given up when it falls behind.
pub fn tee(body: Payload) -> (Payload, Payload) {
    if body.is_end_stream() {
        return (body, Payload::empty());
    }
    let copied = Rc::new(RefCell::new(Copied::default()));
    (Payload::of(Original { body, copied: copied.clone() }), Payload::of(Copy(copied)))
}

impl Copied {
    fn push(&mut self, frame: Frame<Bytes>) {
        if self.state != State::Open {
            return;
        }
        self.behind += frame.data_ref().map_or(0, Bytes::len);
        self.frames.push_back(frame);
        if self.behind > BEHIND_MAX {
            self.frames.clear();
            self.end(State::GivenUp("the copy has fallen too far behind"));
        }
        self.wake();
    }

    fn end(&mut self, state: State) {
        if self.state == State::Open {
            self.state = state;
        }
        self.wake();
    }

    fn wake(&mut self) {
        if let Some(waiting) = self.waiting.take() {
            waiting.wake();
        }
    }
}

impl Body for Original {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        let mut copied = self.copied.borrow_mut();
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                copied.push(copy(frame));
                if self.body.is_end_stream() {
                    copied.end(State::Ended);
                }
            }
            Poll::Ready(Some(Err(_))) => copied.end(State::GivenUp("the original broke off")),
            Poll::Ready(None) => copied.end(State::Ended),
            Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Original {
    fn drop(&mut self) {
        self.copied.borrow_mut().end(State::GivenUp("the original was not wanted any more"));
    }
}

fn copy(frame: &Frame<Bytes>) -> Frame<Bytes> {
    match (frame.data_ref(), frame.trailers_ref()) {
        (Some(data), _) => Frame::data(data.clone()),
        (None, trailers) => Frame::trailers(trailers.cloned().unwrap_or_default()),
    }
}

impl Body for Copy {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let copied = &mut *self.0.borrow_mut();
        if let Some(frame) = copied.frames.pop_front() {
            copied.behind -= frame.data_ref().map_or(0, Bytes::len);
            return Poll::Ready(Some(Ok(frame)));
        }
        match copied.state {
            State::Open => {
                copied.waiting = Some(cx.waker().clone());
                Poll::Pending
            }
            State::Ended => Poll::Ready(None),
            State::GivenUp(why) => Poll::Ready(Some(Err(Broken::GivenUp(why)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        let copied = self.0.borrow();
        copied.frames.is_empty() && copied.state == State::Ended
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    /// A body of pieces of a kibibyte each.
    fn kibibytes(count: usize) -> Payload {
        let frames = (0..count).map(|_| Ok(Frame::data(Bytes::from(vec![7; 1024]))));
        let body = http_body_util::StreamBody::new(futures_util::stream::iter(frames));
        Payload::of(body)
    }

    #[tokio::test]
    async fn a_copy_is_what_the_original_is() {
        let (original, copy) = tee(kibibytes(3));
        let (original, copy) = tokio::join!(original.collect(), copy.collect());
        assert_eq!(original.unwrap().to_bytes(), copy.unwrap().to_bytes());
        let (original, copy) = tee(Payload::empty());
        assert!(original.is_end_stream() && copy.is_end_stream());
    }

    #[tokio::test]
    async fn the_original_waits_for_no_copy_and_one_that_falls_behind_is_given_up() {
        let (original, copy) = tee(kibibytes(100));
        assert_eq!(original.collect().await.unwrap().to_bytes().len(), 100 * 1024);
        assert!(matches!(copy.collect().await, Err(Broken::GivenUp(_))));
    }

    #[tokio::test]
    async fn half_an_original_makes_no_copy() {
        let (mut original, copy) = tee(kibibytes(2));
        let _ = original.frame().await;
        drop(original);
        assert!(copy.collect().await.is_err());
    }

    #[tokio::test]
    async fn a_copy_that_nobody_wants_costs_the_original_nothing() {
        let (original, copy) = tee(kibibytes(100));
        drop(copy);
        assert_eq!(original.collect().await.unwrap().to_bytes().len(), 100 * 1024);
    }
}
