//! A request that must not stand still, or may be worked on in several places at once. Few are: what it takes is kept out of the way of
//! the others.

use std::{net::SocketAddr, time::Duration};

use futures_util::FutureExt as _;

use super::{Facts, Walk, attempt, hedge, late};
use crate::{
    clock,
    deadline::by,
    payload::Movement,
    refusal::{Reason, Refusal},
    relay::{Answer, Call},
    route::Routed,
};

/// Takes it where its route says, as [`attempt`] does.
pub(super) async fn over(
    walk: &Walk,
    dialled: SocketAddr,
    routed: Routed<'_>,
    mut call: Call,
    facts: Facts,
) -> Result<Answer, Refusal> {
    let movement = routed.timeouts.idle.map(Movement::within);
    if let Some(movement) = &movement {
        let body = std::mem::take(call.request.body_mut());
        *call.request.body_mut() = movement.seen_in(body);
    }
    let limit = routed.timeouts.request.map(|limit| (limit, clock::now() + limit));
    let facts = Facts { until: limit.map(|(_, until)| until), ..facts };
    let hedging = routed.forward.and_then(|forward| forward.hedging).filter(|_| hedge::may_be_doubled(&call));
    let attempts = match hedging {
        Some(hedging) => hedge::hedged(walk, dialled, routed, hedging, call, facts).boxed_local(),
        None => attempt(walk, dialled, routed, call, facts).boxed_local(),
    };
    let attempts = match limit {
        Some((limit, until)) => by(until, attempts).map(move |tried| tried.unwrap_or_else(|_| Err(late(limit)))).boxed_local(),
        None => attempts,
    };
    let Some(movement) = movement else { return attempts.await };
    tokio::select! {
        biased;
        answer = attempts => answer.map(|answer| match answer {
            Answer::Message(response) => Answer::Message(response.map(|body| movement.required_of(body))),
            other => other,
        }),
        () = movement.stopped() => Err(still(movement.limit())),
    }
}

/// Nothing has moved for `limit`.
fn still(limit: Duration) -> Refusal {
    let limit = limit.as_secs_f32();
    Refusal::midway(Reason::IdleTimeout, format!("neither side has sent a byte for the {limit} s that its route allows"))
}
