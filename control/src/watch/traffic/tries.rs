//! How long requests may take, and what is tried again.

use std::time::Duration;

use super::reading::Reading;
use crate::{
    index::traffic::{Backoff, GrpcCode, Hedging, Retries, RetryBudget, RetryOn, Timeouts},
    manifest::traffic,
};

/// What is meant where nothing is said.
pub(super) const BUDGET_PERCENT: u32 = 20;
pub(super) const BUDGET_INTERVAL: Duration = Duration::from_secs(10);
pub(super) const BUDGET_PER_SECOND: u32 = 10;
const ATTEMPTS: u32 = 2;
const BACKOFF_GROWTH: u32 = 10;

/// No request is tried again more often.
const ATTEMPTS_MAX: u32 = 10;

/// No more of a body is kept.
const BODY_MAX: u64 = 16 << 20;

pub(super) fn budget(reading: &mut Reading, said: &traffic::RetryBudget) -> Option<RetryBudget> {
    let percent = reading.percent("spec.retryBudget.percent", said.percent.unwrap_or(BUDGET_PERCENT));
    let interval = reading.span_or("spec.retryBudget.interval", said.interval.as_deref(), BUDGET_INTERVAL);
    let per_second = said.per_second.unwrap_or(BUDGET_PER_SECOND);
    let per_second = reading.number("spec.retryBudget.perSecond", per_second, 0..=1_000_000);
    Some(RetryBudget { percent: percent?, interval: interval?, per_second: per_second? })
}

/// Each has nothing to do with the others: one that cannot be read is not there.
pub(super) fn timeouts(reading: &mut Reading, said: &traffic::Timeouts) -> Timeouts {
    let mut time = |name: &str, text: &Option<String>| reading.time(&format!("spec.timeouts.{name}"), text.as_ref()?);
    Timeouts { request: time("request", &said.request), attempt: time("attempt", &said.attempt), idle: time("idle", &said.idle) }
}

pub(super) fn retries(reading: &mut Reading, said: &traffic::Retries) -> Option<Retries> {
    let attempts = reading.number("spec.retries.attempts", said.attempts.unwrap_or(ATTEMPTS), 0..=ATTEMPTS_MAX);
    let on = reading.words("spec.retries.retryOn", &said.retry_on, &RetryOn::ALL, RetryOn::word);
    let codes = said.codes.iter().enumerate();
    let codes: Vec<_> =
        codes.map(|(number, code)| reading.number(&format!("spec.retries.codes[{number}]"), *code, 400..=599)).collect();
    let grpc = reading.words("spec.retries.grpc", &said.grpc, &GrpcCode::RETRIABLE, GrpcCode::word);
    let backoff = said.backoff.as_ref().map(|said| backoff(reading, said));
    let body_max = said.body_max.as_deref().map(|text| bytes(reading, "spec.retries.bodyMax", text));
    let (mut on, codes, grpc) = (on?, codes.into_iter().collect::<Option<Vec<u16>>>()?, grpc?);
    if on.is_empty() && codes.is_empty() && grpc.is_empty() {
        on = vec![RetryOn::ConnectFailure, RetryOn::RefusedStream];
    }
    Some(Retries {
        attempts: attempts?,
        on,
        codes,
        grpc,
        backoff: backoff.map_or(Some(None), |backoff| backoff.map(Some))?,
        body_max: body_max.map_or(Some(None), |bytes| bytes.map(Some))?,
    })
}

fn backoff(reading: &mut Reading, traffic::Backoff { base, max }: &traffic::Backoff) -> Option<Backoff> {
    let base = reading.span("spec.retries.backoff.base", base);
    let max = max.as_deref().map(|max| reading.span("spec.retries.backoff.max", max));
    let base = base?;
    let max = max.unwrap_or(Some(base * BACKOFF_GROWTH))?;
    if max < base {
        reading.wrong("spec.retries.backoff.max", "is shorter than base");
        return None;
    }
    Some(Backoff { base, max })
}

/// A number of bytes, in the units of Kubernetes.
fn bytes(reading: &mut Reading, field: &str, text: &str) -> Option<u64> {
    let (number, unit) = text.split_at(text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len()));
    let unit = match unit {
        "" => Some(1),
        "k" => Some(1_000),
        "M" => Some(1_000_000),
        "Ki" => Some(1 << 10),
        "Mi" => Some(1 << 20),
        _ => None,
    };
    let bytes = number.parse::<u64>().ok().zip(unit).and_then(|(number, unit)| number.checked_mul(unit));
    let bytes = bytes.filter(|bytes| *bytes <= BODY_MAX);
    if bytes.is_none() {
        reading.wrong(field, format!("`{text}` is not a number of bytes, as in 64Ki, to 16Mi"));
    }
    bytes
}

pub(super) fn hedging(reading: &mut Reading, said: &traffic::Hedging) -> Option<Hedging> {
    let after = reading.span("spec.hedging.after", &said.after);
    let attempts = reading.number("spec.hedging.attempts", said.attempts.unwrap_or(1), 1..=ATTEMPTS_MAX);
    Some(Hedging { after: after?, attempts: attempts? })
}
