//! What is done to requests for a trial, done.

use std::time::Duration;

use http::{HeaderValue, Response};
use tokio::sync::Semaphore;

use super::Walk;
use crate::{
    payload::Payload,
    refusal::{Reason, Refusal},
    relay,
    route::Fault,
};

/// Requests that a worker holds up at once. What would be more goes on without a delay: a trial is to cost a caller's proxy no more
/// than that.
pub const HELD_MAX: usize = 1_024;

/// Holds a request up, and answers it if it is to be answered with an error. `kind` is its content type.
pub(super) async fn suffer(walk: &Walk, fault: Fault, kind: Option<&HeaderValue>) -> Option<Response<Payload>> {
    if let Some(delay) = fault.delay {
        hold(&walk.world.held, delay).await;
    }
    let abort = fault.abort?;
    let refusal = Refusal::new(Reason::Fault, "a policy has requests answered with an error, for a trial");
    walk.refused(&refusal);
    Some(relay::abort(&refusal, abort.status, abort.grpc, kind))
}

/// Waits for `time`, where there is a place to wait.
async fn hold(places: &Semaphore, time: Duration) {
    if let Ok(_place) = places.try_acquire() {
        tokio::time::sleep(time).await;
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join3;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_so_many_are_held_up_at_once() {
        let (places, second) = (Semaphore::new(2), Duration::from_secs(1));
        let held = || async {
            let since = tokio::time::Instant::now();
            hold(&places, second).await;
            since.elapsed() >= second
        };
        assert_eq!(join3(held(), held(), held()).await, (true, true, false));
        assert!(held().await, "its place is free again");
    }
}
