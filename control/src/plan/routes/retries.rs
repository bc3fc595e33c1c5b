//! How long requests may take, and when they are tried again, in the words of xDS. What a route says itself counts before what
//! traffic policies say of it. Source: GEP-1731.

use std::time::Duration;

use wire::{
    envoy::config::route::v3::{RetryPolicy, RouteAction, retry_policy::RetryBackOff},
    names,
};

use super::super::shape::duration;
use crate::index::{
    routes::{Forward, Retry},
    traffic::{GrpcCode, Retries, RetryOn, Said},
};

/// No answer at all, for whatever reason: every route that has requests tried again has them tried again then.
const UNANSWERED: [RetryOn; 3] = [RetryOn::ConnectFailure, RetryOn::RefusedStream, RetryOn::Reset];

/// The shortest wait that Envoy takes.
const WAIT_MIN: Duration = Duration::from_millis(1);

/// How many times as long as at first is waited at last: as with Envoy.
const GROWTH: u32 = 10;

/// Says in `action` how long its requests may take and when they are tried again.
pub(super) fn say(action: &mut RouteAction, of_route: &Forward, said: &Said) {
    action.timeout = of_route.timeout.or(said.timeouts.request).and_then(duration);
    action.idle_timeout = said.timeouts.idle.and_then(duration);
    let limit = of_route.try_timeout.or(said.timeouts.attempt).and_then(duration);
    let retries = match (&of_route.retry, &said.retries) {
        (Some(retry), _) => of_route_itself(retry),
        (None, Some(retries)) => of_policy(retries),
        (None, None) => None,
    };
    action.retry_policy = match retries {
        Some(policy) => Some(RetryPolicy { per_try_timeout: limit, ..policy }),
        None => limit.map(|limit| RetryPolicy { per_try_timeout: Some(limit), ..Default::default() }),
    };
}

/// What only our own proxy understands of it: texts of our metadata.
pub(super) fn texts(said: &Said) -> Vec<(&'static str, String)> {
    let body = said.retries.as_ref().and_then(|retries| retries.body_max);
    let mut texts = Vec::new();
    texts.extend(body.map(|bytes| (names::RETRY_BODY, bytes.to_string())));
    if let Some(hedging) = said.hedging {
        texts.push((names::HEDGE_AFTER, hedging.after.as_millis().to_string()));
        texts.push((names::HEDGE_ATTEMPTS, hedging.attempts.to_string()));
    }
    texts
}

/// None when there are no other tries: clients of gRPC refuse to be told of none.
fn of_route_itself(Retry { codes, attempts, backoff }: &Retry) -> Option<RetryPolicy> {
    let wait = backoff.map(|base| wait(base, base.saturating_mul(GROWTH)));
    (*attempts != Some(0)).then(|| RetryPolicy {
        retry_on: words(&UNANSWERED, codes, &[]),
        num_retries: *attempts,
        retriable_status_codes: codes.iter().copied().map(u32::from).collect(),
        retry_back_off: wait,
        ..Default::default()
    })
}

fn of_policy(Retries { attempts, on, codes, grpc, backoff, body_max: _ }: &Retries) -> Option<RetryPolicy> {
    (*attempts > 0).then(|| RetryPolicy {
        retry_on: words(on, codes, grpc),
        num_retries: Some(*attempts),
        retriable_status_codes: codes.iter().copied().map(u32::from).collect(),
        retry_back_off: backoff.map(|backoff| wait(backoff.base, backoff.max)),
        ..Default::default()
    })
}

fn words(on: &[RetryOn], codes: &[u16], grpc: &[GrpcCode]) -> String {
    let on = on.iter().map(|condition| condition.word());
    let codes = (!codes.is_empty()).then_some("retriable-status-codes");
    on.chain(codes).chain(grpc.iter().map(|code| code.word())).collect::<Vec<_>>().join(",")
}

fn wait(base: Duration, max: Duration) -> RetryBackOff {
    let base = base.max(WAIT_MIN);
    RetryBackOff { base_interval: duration(base), max_interval: duration(max.max(base)) }
}
