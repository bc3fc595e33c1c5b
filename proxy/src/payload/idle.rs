//! Bodies that must not stand still.

use std::{
    cell::Cell,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep_until};

use super::{Broken, Payload};
use crate::clock;

/// When a request or its answer last moved. A clone is of the same exchange.
#[derive(Clone, Debug)]
pub struct Movement {
    last: Rc<Cell<Instant>>,
    limit: Duration,
}

impl Movement {
    /// Begins now; nothing may stand still for `limit`.
    pub fn within(limit: Duration) -> Self {
        Self { last: Rc::new(Cell::new(clock::now())), limit }
    }

    /// The longest time that nothing may move.
    pub fn limit(&self) -> Duration {
        self.limit
    }

    /// Lets `body` count as movement.
    pub fn seen_in(&self, body: Payload) -> Payload {
        if body.is_end_stream() { body } else { Payload::of(Moving { body, movement: self.clone(), alarm: None }) }
    }

    /// The same, and breaks `body` off when neither it nor the other has moved for too long.
    pub fn required_of(&self, body: Payload) -> Payload {
        if body.is_end_stream() {
            return body;
        }
        let alarm = Box::pin(sleep_until(self.ends().into()));
        Payload::of(Moving { body, movement: self.clone(), alarm: Some(alarm) })
    }

    /// Resolves when nothing has moved for too long.
    pub async fn stopped(&self) {
        loop {
            let ends = self.ends();
            sleep_until(ends.into()).await;
            if self.ends() == ends {
                return;
            }
        }
    }

    fn ends(&self) -> Instant {
        self.last.get() + self.limit
    }
}

struct Moving {
    body: Payload,
    movement: Movement,
    alarm: Option<Pin<Box<Sleep>>>,
}

impl Moving {
    fn poll_stopped(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(alarm) = &mut self.alarm else { return Poll::Pending };
        while alarm.as_mut().poll(cx).is_ready() {
            let ends = self.movement.ends();
            if alarm.deadline().into_std() >= ends {
                return Poll::Ready(());
            }
            alarm.as_mut().reset(ends.into());
        }
        Poll::Pending
    }
}

impl Body for Moving {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if polled.is_ready() {
            self.movement.last.set(clock::now());
            return polled;
        }
        self.poll_stopped(cx).map(|()| Some(Err(Broken::GivenUp("nothing has moved for as long as its route allows"))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    /// A body whose pieces come after such pauses, in milliseconds.
    fn slow(pauses: &'static [u64]) -> Payload {
        let pieces = futures_util::stream::iter(pauses).then(async |pause| {
            tokio::time::sleep(Duration::from_millis(*pause)).await;
            Ok(Frame::data(Bytes::from_static(b"x")))
        });
        Payload::of(Box::pin(http_body_util::StreamBody::new(pieces)))
    }

    use futures_util::StreamExt as _;

    #[tokio::test]
    async fn what_moves_may_take_its_time_and_what_stands_still_may_not() {
        let body = |pauses| Movement::within(Duration::from_millis(100)).required_of(slow(pauses)).collect();
        assert_eq!(body(&[60, 60, 60]).await.unwrap().to_bytes().len(), 3);
        assert!(matches!(body(&[10, 400]).await, Err(Broken::GivenUp(_))));
    }

    #[tokio::test]
    async fn what_moves_the_other_way_counts_too() {
        let movement = Movement::within(Duration::from_millis(100));
        let (sent, received) = (movement.seen_in(slow(&[60, 60, 60])), movement.required_of(slow(&[200])));
        let (sent, received) = tokio::join!(sent.collect(), received.collect());
        assert!(sent.is_ok() && received.is_ok());
    }
}
