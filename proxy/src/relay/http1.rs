//! Serving requests to an HTTP/1.1 client.

use std::{convert::Infallible, time::Duration};

use http::{Request, Response, Version};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};

use super::headers;
use crate::{
    detect::Peeked,
    drain::Drain,
    payload::Payload,
    refusal::{Reason, Refusal},
};

/// A client that began a request must finish its head within this time.
const HEAD_MAX: Duration = Duration::from_secs(30);

/// Serves every request of `client` with `handle`, until either side has had enough.
///
/// # Errors
/// What the client did wrong. It has been answered already.
pub async fn serve<H, F>(client: Peeked, mut drain: Drain, handle: H) -> Result<(), Refusal>
where
    H: Fn(Request<Payload>) -> F,
    F: Future<Output = Response<Payload>>,
{
    let service = service_fn(|request: Request<Incoming>| {
        let handling = handle(request.map(Payload::http1));
        async {
            let mut response = handling.await;
            headers::strip_hop(response.headers_mut());
            // Each hop speaks its own version; what hyper then tells an HTTP/1.0 client is up to it.
            *response.version_mut() = Version::HTTP_11;
            Ok::<_, Infallible>(response)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_MAX)
        .half_close(true)
        .auto_date_header(false)
        .serve_connection(TokioIo::new(client), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        biased;
        ended = connection.as_mut() => ended,
        () = drain.begins() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    ended.or_else(judge)
}

fn judge(error: hyper::Error) -> Result<(), Refusal> {
    match error {
        error if error.is_parse() || error.is_parse_too_large() => {
            Err(Refusal::midway(Reason::BadRequest, format!("the client's request is malformed: {error}")))
        }
        // Between requests a client may close as it likes, however rudely.
        error if error.is_timeout() || error.is_incomplete_message() => Ok(()),
        error if error.is_user() || error.is_body_write_aborted() => {
            Err(Refusal::midway(Reason::ServerAborted, format!("the answer broke off: {error}")))
        }
        error => Err(Refusal::midway(Reason::ClientAborted, format!("the client went away: {error}"))),
    }
}
