//! What this proxy's operator is told of the decisions of policies, and nobody else.

use super::Walk;
use crate::{
    events::{Event, Outcome},
    refusal::Ruled,
    route::Permit,
};

/// A policy has kept the caller of `walk` out.
pub(super) fn denied(walk: &Walk, Ruled { decision, rule }: &Ruled) {
    let rule = rule.as_deref();
    tell(walk, rule, Outcome::Denied, Some(decision));
}

/// The caller of `walk` was let in, which some rules want to hear of.
pub(super) fn audited(walk: &Walk, permit: &Permit) {
    for rule in permit.audited() {
        tell(walk, Some(rule), Outcome::Audited, None);
    }
}

fn tell(walk: &Walk, rule: Option<&str>, outcome: Outcome, decision: Option<&String>) {
    let identity = walk.caller.identity.as_ref().map(ToString::to_string);
    tracing::info!(
        target: "authorization",
        outcome = outcome.word(),
        rule = rule.unwrap_or("none"),
        decision,
        client = identity.as_deref().unwrap_or("unproved"),
        address = %walk.caller.address,
        port = walk.destination().address.port(),
        "decided"
    );
    walk.world.recorder.on(Event::Ruled { rule, outcome });
}
