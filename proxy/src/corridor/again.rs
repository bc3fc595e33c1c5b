//! Trying a request again that a server may have begun: when its route says so, and its cluster's budget allows.

use std::{future::poll_fn, pin::Pin, rc::Rc, sync::Arc, time::Duration};

use http::{HeaderName, Request, Response};
use http_body::Body as _;

use crate::{
    budget::Budget,
    clock,
    events::{Event, Extra, Fate},
    hop,
    http2::Code,
    payload::{Kept, Payload, replayable},
    refusal::{Reason, Refusal},
    relay::{Exchanged, Unanswered},
    route::Routed,
    snapshot::Retries,
    world::World,
};

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// An endpoint could not be reached.
const UNREACHED: [Reason; 3] = [Reason::ConnectRefused, Reason::ConnectTimeout, Reason::ConnectFailed];

/// It could, and did not answer.
const BROKEN: [Reason; 3] = [Reason::ServerAborted, Reason::BadResponse, Reason::RequestTimeout];

/// All of something, in millionths.
const WHOLE: usize = 1_000_000;

/// What another try of a request takes.
pub(super) struct Again<'a> {
    retries: &'a Retries,
    budget: Arc<Budget>,
    original: Original,
    /// Tries of this kind so far.
    made: u32,
}

/// A request as it was before anybody tried it.
pub(super) struct Original {
    head: Request<()>,
    /// `None` where there is none.
    body: Option<Kept>,
}

/// Another try, when its time has come.
pub(super) struct Next {
    pub(super) request: Box<Request<Payload>>,
    pub(super) wait: Duration,
}

impl<'a> Again<'a> {
    /// `None` when its route has nothing to say of it.
    pub(super) fn of(routed: &Routed<'a>, request: &mut Request<Payload>, world: &World) -> Option<Box<Self>> {
        let retries = routed.forward?.retries.as_deref()?;
        let now = clock::now();
        let budget = world.budgets.of(routed.cluster, now);
        budget.requested(now);
        Some(Box::new(Self { retries, budget, original: Original::of(request, retries.body_max), made: 0 }))
    }

    /// How long to wait before what reached nobody is tried again, now that the tries that need no leave are used up; `None`
    /// when it is not.
    pub(super) fn undelivered(&mut self, refusal: &Refusal, world: &World) -> Option<Duration> {
        let on = &self.retries.on;
        let worth = match refusal.reason {
            Reason::ServerAborted => on.refused,
            reason => on.connect_failure && UNREACHED.contains(&reason),
        };
        (worth && self.made < self.retries.attempts).then(|| self.made(world))
    }

    /// The try to make instead of being content with what came of the last one; `None` when that is what came of it.
    pub(super) fn instead_of(&mut self, last: &Result<Exchanged, Unanswered>, mesh: bool, world: &World) -> Option<Next> {
        if self.made >= self.retries.attempts || !self.is_worth(last, mesh) {
            return None;
        }
        let request = self.original.again()?;
        if !self.budget.take(clock::now()) {
            world.recorder.on(Event::Extra { extra: Extra::Retry, fate: Fate::Withheld });
            return None;
        }
        Some(Next { request, wait: self.made(world) })
    }

    fn is_worth(&self, last: &Result<Exchanged, Unanswered>, mesh: bool) -> bool {
        let on = &self.retries.on;
        match last {
            Ok(Exchanged::Message(response, _)) => {
                let of_peer = || peer_failed(response).filter(|_| mesh).is_some_and(|reason| self.is_worth_reason(reason));
                on.has_status(response.status().as_u16())
                    || grpc_status(response).is_some_and(|code| on.grpc.contains(&code))
                    || of_peer()
            }
            Ok(Exchanged::Switched(..)) | Err(Unanswered::Unsent(..)) => false,
            Err(Unanswered::Reset(_, Code::REFUSED_STREAM)) => on.refused,
            Err(Unanswered::Reset(..)) => on.reset,
            Err(Unanswered::Lost(refusal)) => self.is_worth_reason(refusal.reason),
        }
    }

    fn is_worth_reason(&self, reason: Reason) -> bool {
        let on = &self.retries.on;
        on.connect_failure && UNREACHED.contains(&reason) || on.reset && BROKEN.contains(&reason)
    }

    /// Counts a try, and says how long to wait before it.
    fn made(&mut self, world: &World) -> Duration {
        self.made += 1;
        world.recorder.on(Event::Extra { extra: Extra::Retry, fate: Fate::Sent });
        let chance = u32::try_from(world.dice.roll(WHOLE)).unwrap_or_default();
        self.retries.backoff.before(self.made, chance)
    }
}

impl Original {
    /// Keeps `request` as it is, and of its body up to `most` bytes.
    pub(super) fn of(request: &mut Request<Payload>, most: usize) -> Self {
        let body = (!request.body().is_end_stream()).then(|| {
            let (body, kept) = replayable(std::mem::take(request.body_mut()), most);
            *request.body_mut() = body.into();
            kept
        });
        Self { head: head(request), body }
    }

    /// It once more, when all that was sent of it is still there. Whoever was sending it stops.
    pub(super) fn again(&self) -> Option<Box<Request<Payload>>> {
        let body = self.body.as_ref().map_or(Some(Payload::empty()), Kept::again)?;
        Some(self.with(body))
    }

    /// It for somebody else at the same time, when all of it is there.
    pub(super) fn beside(&self) -> Option<Box<Request<Payload>>> {
        let body = self.body.as_ref().map_or(Some(Payload::empty()), Kept::beside)?;
        Some(self.with(body))
    }

    fn with(&self, body: Payload) -> Box<Request<Payload>> {
        Box::new(head(&self.head).map(|()| body))
    }
}

/// A copy of everything but the body.
pub(super) fn head<B>(request: &Request<B>) -> Request<()> {
    let mut head = Request::new(());
    *head.method_mut() = request.method().clone();
    *head.uri_mut() = request.uri().clone();
    *head.version_mut() = request.version();
    *head.headers_mut() = request.headers().clone();
    *head.extensions_mut() = request.extensions().clone();
    head
}

/// Why a peer proxy had no answer of its app's to pass on.
fn peer_failed<B>(response: &Response<B>) -> Option<Reason> {
    let told = hop::reason(response.headers())?;
    Reason::ALL.into_iter().find(|reason| reason.word() == told)
}

/// The status of an answer of gRPC that consists of nothing else.
fn grpc_status<B>(response: &Response<B>) -> Option<u16> {
    response.headers().get(GRPC_STATUS)?.to_str().ok()?.parse().ok()
}

/// Reads the answer that is thrown away to its end, when that is near: its line is used again then.
pub(super) fn throw_away(last: Result<Exchanged, Unanswered>, whole: bool, world: &Rc<World>) {
    // A stream of HTTP/2 is let go by being dropped.
    let Ok(Exchanged::Message(response, Some(line))) = last else { return };
    if whole {
        let world = world.clone();
        tokio::task::spawn_local(async move {
            if drained(response.into_body()).await {
                world.lines.give_back(line, world.settings.limits);
            }
        });
    }
}

/// Bytes of an answer that nobody wants which are read; a connection is worth about as much.
const UNWANTED_MAX: u64 = 64 * 1024;

/// How long that may take.
const UNWANTED_TIME: Duration = Duration::from_secs(1);

/// Whether all of `body` could be had, which nobody wants.
pub(super) async fn drained(mut body: Payload) -> bool {
    let read = async {
        let mut left = UNWANTED_MAX;
        while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
            let Ok(frame) = frame else { return false };
            let length = frame.data_ref().map_or(0, |data| data.len() as u64);
            let Some(rest) = left.checked_sub(length) else { return false };
            left = rest;
        }
        true
    };
    tokio::time::timeout(UNWANTED_TIME, read).await.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_of_a_head_has_all_of_it() {
        let mut request = Request::put("http://cart/items").header("x-a", "1").body(Payload::empty()).unwrap();
        request.extensions_mut().insert(7_u8);
        let copy = head(&request);
        assert_eq!((copy.method(), copy.uri(), copy.version()), (request.method(), request.uri(), request.version()));
        assert_eq!((copy.headers(), copy.extensions().get::<u8>()), (request.headers(), Some(&7)));
    }

    #[test]
    fn only_an_answer_that_is_nothing_but_a_status_has_one_of_grpc() {
        let answer = Response::builder().header("grpc-status", "14").body(()).unwrap();
        assert_eq!(grpc_status(&answer), Some(14));
        assert_eq!(grpc_status(&Response::new(())), None);
    }
}
