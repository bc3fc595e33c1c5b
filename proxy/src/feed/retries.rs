//! When requests of a route are sent once more, read.

use std::time::Duration;

use wire::{
    envoy::config::{
        core::v3::Metadata,
        route::v3::{RetryPolicy, RouteAction, retry_policy::RetryBackOff},
    },
    names,
};

use crate::{
    payload::KEPT_MAX,
    snapshot::{Backoff, Conditions, Hedging, Retries},
};

/// The wait before another try where nothing is said of it, and how many times as long it may become: as with Envoy.
const BACKOFF: Duration = Duration::from_millis(25);
const BACKOFF_GROWTH: u32 = 10;

/// Tries beyond the first where nothing is said of them: as with Envoy.
const ATTEMPTS: u32 = 1;

/// Bytes of a body that a route may have kept.
const BODY_MAX: usize = 16 * 1024 * 1024;

/// What `action` says of other tries; `None` when nothing is worth one.
///
/// # Errors
/// What cannot be read of it.
pub(super) fn read(action: &RouteAction, metadata: Option<&Metadata>) -> Result<Option<Retries>, String> {
    let Some(policy) = &action.retry_policy else { return Ok(None) };
    let on = conditions(policy);
    let attempts = policy.num_retries.unwrap_or(ATTEMPTS);
    if on == Conditions::default() || attempts == 0 {
        return Ok(None);
    }
    let body_max = number(metadata, names::RETRY_BODY).unwrap_or(KEPT_MAX).min(BODY_MAX);
    Ok(Some(Retries { attempts, on, backoff: backoff(policy.retry_back_off.as_ref())?, body_max }))
}

/// Words that mean nothing to us are worth nothing, as with Envoy.
fn conditions(policy: &RetryPolicy) -> Conditions {
    let mut on = Conditions::default();
    for word in policy.retry_on.split(',').map(str::trim) {
        match word {
            "connect-failure" => on.connect_failure = true,
            "refused-stream" => on.refused = true,
            "reset" => on.reset = true,
            "5xx" => on = unanswered(on, 500..=599),
            "gateway-error" => on = unanswered(on, 502..=504),
            "retriable-status-codes" => {
                let codes = policy.retriable_status_codes.iter().filter_map(|code| u16::try_from(*code).ok());
                on.statuses.extend(codes.map(|code| code..=code));
            }
            "cancelled" => on.grpc.push(1),
            "deadline-exceeded" => on.grpc.push(4),
            "resource-exhausted" => on.grpc.push(8),
            "internal" => on.grpc.push(13),
            "unavailable" => on.grpc.push(14),
            _ => {}
        }
    }
    on
}

/// Whoever gives up on `statuses` gives up on servers that do not answer at all.
fn unanswered(mut on: Conditions, statuses: std::ops::RangeInclusive<u16>) -> Conditions {
    on.statuses.push(statuses);
    Conditions { connect_failure: true, refused: true, reset: true, ..on }
}

fn backoff(told: Option<&RetryBackOff>) -> Result<Backoff, String> {
    let time = |told: Option<prost_types::Duration>| {
        let time = told.map(|told| Duration::try_from(told).map_err(|_| "a wait before another try is negative".to_owned()));
        time.transpose()
    };
    let base = time(told.and_then(|told| told.base_interval))?.unwrap_or(BACKOFF);
    let max = time(told.and_then(|told| told.max_interval))?.unwrap_or(base.saturating_mul(BACKOFF_GROWTH));
    Ok(Backoff { base, max })
}

/// When a second endpoint is asked as well; `None` for never.
pub(super) fn hedging(metadata: Option<&Metadata>) -> Option<Hedging> {
    let after = Duration::from_millis(number(metadata, names::HEDGE_AFTER)?);
    let attempts = number(metadata, names::HEDGE_ATTEMPTS).unwrap_or(1);
    (attempts > 0).then_some(Hedging { after, attempts })
}

fn number<T: std::str::FromStr>(metadata: Option<&Metadata>, key: &str) -> Option<T> {
    names::metadata_text(metadata, key)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(retry_on: &str) -> RetryPolicy {
        RetryPolicy { retry_on: retry_on.into(), ..Default::default() }
    }

    fn told(policy: RetryPolicy) -> Option<Retries> {
        read(&RouteAction { retry_policy: Some(policy), ..Default::default() }, None).unwrap()
    }

    #[test]
    fn every_condition_is_read_and_unknown_ones_are_worth_nothing() {
        let codes = RetryPolicy { retriable_status_codes: vec![429, 70_000], ..policy("retriable-status-codes, reset,x") };
        let read = told(codes).unwrap();
        assert_eq!(read.on, Conditions { reset: true, statuses: vec![429..=429], ..Conditions::default() });
        let all = |statuses| Conditions { connect_failure: true, refused: true, reset: true, statuses, grpc: Vec::new() };
        assert_eq!(told(policy("5xx")).unwrap().on, all(vec![500..=599]));
        assert_eq!(told(policy("gateway-error")).unwrap().on, all(vec![502..=504]));
        assert_eq!(
            told(policy("cancelled,deadline-exceeded,internal,resource-exhausted,unavailable")).unwrap().on.grpc,
            [1, 4, 13, 8, 14]
        );
        assert_eq!(
            told(policy("connect-failure,refused-stream")).unwrap().on,
            Conditions { connect_failure: true, refused: true, ..Conditions::default() }
        );
    }

    #[test]
    fn what_is_not_said_is_as_with_others() {
        let read = told(policy("5xx")).unwrap();
        let backoff = Backoff { base: Duration::from_millis(25), max: Duration::from_millis(250) };
        assert_eq!((read.attempts, read.backoff, read.body_max), (1, backoff, 64 * 1024));
        for nothing in [policy(""), policy("x"), RetryPolicy { num_retries: Some(0), ..policy("5xx") }] {
            assert_eq!(told(nothing), None);
        }
        assert_eq!(super::read(&RouteAction::default(), None), Ok(None));
    }

    #[test]
    fn waits_and_bodies_are_read() {
        let seconds = |seconds| Some(prost_types::Duration { seconds, nanos: 0 });
        let wait = |base, max| RetryPolicy {
            retry_back_off: Some(RetryBackOff { base_interval: seconds(base), max_interval: max }),
            ..policy("5xx")
        };
        let metadata = names::metadata([(names::RETRY_BODY, "1000")]);
        let read = |policy| super::read(&RouteAction { retry_policy: Some(policy), ..Default::default() }, Some(&metadata));
        let backoff = |base, max| Backoff { base: Duration::from_secs(base), max: Duration::from_secs(max) };
        let told = read(wait(1, seconds(3))).unwrap().unwrap();
        assert_eq!((told.backoff, told.body_max), (backoff(1, 3), 1000));
        assert_eq!(read(wait(1, None)).unwrap().unwrap().backoff, backoff(1, 10));
        assert!(read(wait(-1, None)).is_err());
    }

    #[test]
    fn hedging_is_two_numbers_and_the_second_may_be_left_out() {
        let told = |texts: &[(&'static str, &'static str)]| hedging(Some(&names::metadata(texts.iter().copied())));
        let after = Duration::from_millis(100);
        assert_eq!(told(&[(names::HEDGE_AFTER, "100")]), Some(Hedging { after, attempts: 1 }));
        assert_eq!(told(&[(names::HEDGE_AFTER, "100"), (names::HEDGE_ATTEMPTS, "2")]), Some(Hedging { after, attempts: 2 }));
        assert_eq!(told(&[(names::HEDGE_AFTER, "100"), (names::HEDGE_ATTEMPTS, "0")]), None);
        assert_eq!(told(&[(names::HEDGE_AFTER, "soon")]), None);
        assert_eq!(told(&[]), None);
    }
}
