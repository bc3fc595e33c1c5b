//! A second try beside a first that takes its time.

use std::net::SocketAddr;

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use http::Method;

use super::{Facts, Walk, again::Original, attempt};
use crate::{
    attempts::Busy,
    clock,
    deadline::pause,
    events::{Event, Extra, Fate},
    payload::KEPT_MAX,
    refusal::Refusal,
    relay::{Answer, Call, Switch},
    route::Routed,
    snapshot::Hedging,
};

/// Whether `call` may be worked on in two places at once: what it asks for comes to the same then (RFC 9110, section 9.2.2).
pub(super) fn may_be_doubled(call: &Call) -> bool {
    let methods = [Method::GET, Method::HEAD, Method::OPTIONS, Method::PUT, Method::DELETE];
    call.switch == Switch::No && methods.contains(call.request.method())
}

/// Sends a request as [`attempt`] does, and to one endpoint more each time that `hedging.after` has passed in silence. The first
/// who answers is heard, and the others are told to stop.
pub(super) async fn hedged(
    walk: &Walk,
    dialled: SocketAddr,
    routed: Routed<'_>,
    hedging: Hedging,
    mut call: Call,
    facts: Facts,
) -> Result<Answer, Refusal> {
    let world = &walk.world;
    let (cluster, now) = (routed.cluster, clock::now());
    let budget = world.budgets.of(cluster, now);
    budget.requested(now);
    let original = Original::of(&mut call.request, KEPT_MAX);
    let (switch, aside) = (call.switch.clone(), call.aside.clone());
    let facts = Facts { busy: Some(Busy::default()), ..facts };
    let mut tries = FuturesUnordered::new();
    tries.push(Box::pin(attempt(walk, dialled, routed.clone(), call, facts.clone())));
    let mut left = hedging.attempts;
    let mut silence = pause(hedging.after);
    loop {
        tokio::select! {
            biased;
            tried = tries.select_next_some() => {
                // What failed is told only when nobody is left who might have something better to say.
                if tries.is_empty() || matches!(tried, Ok(Answer::Message(_) | Answer::Switched(_))) {
                    return tried;
                }
            }
            () = &mut silence, if left > 0 => {
                left -= 1;
                silence = pause(hedging.after);
                let Some(request) = original.beside() else { continue };
                let granted = budget.take(clock::now());
                let fate = if granted { Fate::Sent } else { Fate::Withheld };
                world.recorder.on(Event::Extra { extra: Extra::Hedge, fate });
                if granted {
                    let call = Call { request, switch: switch.clone(), aside: aside.clone() };
                    tries.push(Box::pin(attempt(walk, dialled, routed.clone(), call, facts.clone())));
                }
            }
        }
    }
}
