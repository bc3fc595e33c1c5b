//! Whether an answer, or that there is none, speaks against the endpoint that was asked.

use http::{HeaderMap, HeaderName, Response, header::CONTENT_TYPE};

use crate::{
    balance::{Chosen, Outcome},
    clock,
    refusal::{Fault, Refusal},
    relay::{Exchanged, Unanswered},
    world::World,
};

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// Statuses of gRPC by which a server fails: UNKNOWN, INTERNAL, UNAVAILABLE, DATA_LOSS.
const GRPC_FAILURES: [&[u8]; 4] = [b"2", b"13", b"14", b"15"];

/// What is known when an answer has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All that anybody wants to know.
    Given,
    /// Its trailers will tell.
    Awaited,
}

/// What a try at `chosen` came to, as far as it is known by now.
pub fn of(exchanged: &Result<Exchanged, Unanswered>, chosen: &Chosen, world: &World) -> Verdict {
    if exchanged.is_ok() {
        world.ejected(&chosen.answered(clock::now()));
    }
    match exchanged {
        Ok(Exchanged::Message(response, _)) => return answered(chosen, response, world),
        Err(Unanswered::Lost(refusal) | Unanswered::Reset(refusal, _)) => unanswered(chosen, refusal, world),
        Ok(Exchanged::Switched(..)) | Err(Unanswered::Unsent(..)) => {}
    }
    Verdict::Given
}

/// An answer of `chosen` has begun.
fn answered<B>(chosen: &Chosen, response: &Response<B>, world: &World) -> Verdict {
    if !chosen.is_judged() {
        return Verdict::Given;
    }
    match of_head(response) {
        Some(outcome) => {
            world.ejected(&chosen.ended(outcome, clock::now()));
            Verdict::Given
        }
        None => Verdict::Awaited,
    }
}

/// An answer of `chosen` that was awaited has ended with `trailers`.
pub fn ended(chosen: &Chosen, trailers: &HeaderMap, world: &World) {
    world.ejected(&chosen.ended(of_grpc(trailers), clock::now()));
}

/// `chosen` had all of a request, and time for it, and gave no answer.
pub fn failed(chosen: &Chosen, world: &World) {
    if chosen.is_judged() {
        world.ejected(&chosen.ended(Outcome::Failed, clock::now()));
    }
}

/// `chosen` gave no answer. Whoever gave up waiting says nothing against it, unless it was late.
fn unanswered(chosen: &Chosen, refusal: &Refusal, world: &World) {
    if refusal.reason.fault() == Fault::Server {
        failed(chosen, world);
    }
}

/// `None` where a server of gRPC has yet to tell.
fn of_head<B>(response: &Response<B>) -> Option<Outcome> {
    let headers = response.headers();
    if response.status().is_server_error() {
        return Some(Outcome::Failed);
    }
    let grpc = headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"));
    match (grpc, headers.contains_key(GRPC_STATUS)) {
        (false, _) => Some(Outcome::Answered),
        (true, true) => Some(of_grpc(headers)),
        (true, false) => None,
    }
}

fn of_grpc(headers: &HeaderMap) -> Outcome {
    let status = headers.get(GRPC_STATUS).map_or(&b"2"[..], |status| status.as_bytes());
    if GRPC_FAILURES.contains(&status) { Outcome::Failed } else { Outcome::Answered }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(status: u16, headers: &[(&str, &str)]) -> Option<Outcome> {
        let response = Response::builder().status(status);
        let response = headers.iter().fold(response, |response, (name, value)| response.header(*name, *value));
        of_head(&response.body(()).unwrap())
    }

    #[test]
    fn servers_fail_with_statuses_of_their_own_fault() {
        for (status, headers, expected) in [
            (200, &[][..], Some(Outcome::Answered)),
            (404, &[], Some(Outcome::Answered)),
            (500, &[], Some(Outcome::Failed)),
            (200, &[("content-type", "application/grpc+proto")], None),
            (503, &[("content-type", "application/grpc")], Some(Outcome::Failed)),
            (200, &[("content-type", "application/grpc"), ("grpc-status", "14")], Some(Outcome::Failed)),
            (200, &[("content-type", "application/grpc"), ("grpc-status", "5")], Some(Outcome::Answered)),
        ] {
            assert_eq!(told(status, headers), expected, "{status} {headers:?}");
        }
    }

    #[test]
    fn trailers_without_a_status_are_no_success() {
        assert_eq!(of_grpc(&HeaderMap::new()), Outcome::Failed);
    }
}
