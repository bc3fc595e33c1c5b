//! What is done to requests for a trial, done.

use http::{HeaderValue, Response};

use super::Walk;
use crate::{
    payload::Payload,
    refusal::{Reason, Refusal},
    relay,
    route::Fault,
};

/// Holds a request up, and answers it if it is to be answered with an error. `kind` is its content type.
pub(super) async fn suffer(walk: &Walk, fault: Fault, kind: Option<&HeaderValue>) -> Option<Response<Payload>> {
    if let Some(delay) = fault.delay {
        tokio::time::sleep(delay).await;
    }
    let abort = fault.abort?;
    let refusal = Refusal::new(Reason::Fault, "a policy has requests answered with an error, for a trial");
    walk.refused(&refusal);
    Some(relay::abort(&refusal, abort.status, abort.grpc, kind))
}
