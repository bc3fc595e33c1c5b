//! What is done to requests for a trial, and how often may be asked.

use std::time::Duration;

use super::reading::Reading;
use crate::{
    index::traffic::{Abort, By, Faults, GrpcCode, RateLimit},
    manifest::traffic,
};

/// What a limit is for when nothing is said.
const PER: Duration = Duration::from_secs(1);

/// A limit of more is none.
const REQUESTS_MAX: u32 = 1_000_000;

pub(super) fn faults(reading: &mut Reading, said: &traffic::Faults) -> Option<Faults> {
    let delay = said.delay.as_ref().map(|delay| {
        let time = reading.span("spec.faults.delay.time", &delay.time);
        let share = reading.share("spec.faults.delay.percent", delay.percent);
        time.zip(share)
    });
    let abort = said.abort.as_ref().map(|said| {
        let answer = abort(reading, said);
        let share = reading.share("spec.faults.abort.percent", said.percent);
        answer.zip(share)
    });
    if delay.is_none() && abort.is_none() {
        reading.wrong("spec.faults", "does nothing: add delay or abort");
    }
    let (delay, abort) = (delay.map_or(Some(None), |delay| delay.map(Some))?, abort.map_or(Some(None), |abort| abort.map(Some))?);
    Some(Faults { delay, abort })
}

fn abort(reading: &mut Reading, said: &traffic::Abort) -> Option<Abort> {
    match (said.status, &said.grpc) {
        // Source: `FaultAbort.http_status` of Envoy.
        (Some(status), None) => reading.number("spec.faults.abort.status", status, 200..=599).map(Abort::Http),
        (None, Some(code)) => reading.word("spec.faults.abort.grpc", code, &GrpcCode::ALL, GrpcCode::word).map(Abort::Grpc),
        _ => {
            reading.wrong("spec.faults.abort", "is one of status and grpc");
            None
        }
    }
}

/// Each has nothing to do with the others: one that cannot be read is not there.
pub(super) fn rate_limits(reading: &mut Reading, said: &[traffic::RateLimit]) -> Vec<RateLimit> {
    let each = said.iter().enumerate();
    each.filter_map(|(number, said)| rate_limit(reading, &format!("spec.rateLimits[{number}]"), said)).collect()
}

fn rate_limit(reading: &mut Reading, field: &str, said: &traffic::RateLimit) -> Option<RateLimit> {
    let requests = reading.number(&format!("{field}.requests"), said.requests, 1..=REQUESTS_MAX);
    let per = reading.span_or(&format!("{field}.per"), said.per.as_deref(), PER);
    let burst = reading.number(&format!("{field}.burst"), said.burst.unwrap_or(said.requests.max(1)), 1..=REQUESTS_MAX);
    let by = match said.by {
        Some(traffic::By::Client) => By::Client,
        Some(traffic::By::All) | None => By::All,
    };
    Some(RateLimit { name: String::new(), requests: requests?, per: per?, burst: burst?, by })
}
