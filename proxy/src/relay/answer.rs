//! What a client is told when the mesh answers its request itself.

use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{CONTENT_TYPE, HeaderName, LOCATION, RETRY_AFTER},
};

use crate::{hop, payload::Payload, refusal::Refusal};

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// An answer that says why: a status and a line of text, or gRPC's own error to a gRPC client.
///
/// `kind` is the request's content type.
pub fn refuse(refusal: &Refusal, kind: Option<&HeaderValue>) -> Response<Payload> {
    abort(refusal, refusal.reason.status(), refusal.reason.grpc_status(), kind)
}

/// The same with another status, of HTTP and of gRPC.
pub fn abort(refusal: &Refusal, status: StatusCode, code: u16, kind: Option<&HeaderValue>) -> Response<Payload> {
    let mut response = if is_grpc(kind) { grpc(refusal, code) } else { plain(refusal, status) };
    response.headers_mut().insert(hop::REASON, HeaderValue::from_static(refusal.reason.word()));
    if let Some(wait) = refusal.wait {
        // Whole seconds, and never too soon.
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// An answer to what a browser asks before it asks for anything.
pub fn preflight(headers: HeaderMap) -> Response<Payload> {
    let mut response = Response::new(Payload::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    *response.headers_mut() = headers;
    response
}

/// An answer that tells a client to go elsewhere.
pub fn redirect(status: StatusCode, location: HeaderValue) -> Response<Payload> {
    let mut response = Response::new(Payload::empty());
    *response.status_mut() = status;
    response.headers_mut().insert(LOCATION, location);
    response
}

fn plain(refusal: &Refusal, status: StatusCode) -> Response<Payload> {
    let mut response = Response::new(Payload::text(format!("weft: {refusal}\n")));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// A trailers-only answer, as the gRPC protocol over HTTP/2 defines it.
fn grpc(refusal: &Refusal, code: u16) -> Response<Payload> {
    let mut response = Response::new(Payload::empty());
    *response.status_mut() = StatusCode::OK;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(GRPC_STATUS, HeaderValue::from(code));
    if let Ok(message) = HeaderValue::from_str(&percent_encoded(&format!("weft: {refusal}"))) {
        headers.insert(GRPC_MESSAGE, message);
    }
    response
}

fn is_grpc(kind: Option<&HeaderValue>) -> bool {
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
}

/// `grpc-message` is percent-encoded: everything but printable ASCII, and the percent sign itself.
fn percent_encoded(message: &str) -> String {
    message.bytes().fold(String::with_capacity(message.len()), |mut out, byte| {
        match byte {
            b' '..=b'~' if byte != b'%' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::refusal::Reason;

    #[test]
    fn a_grpc_client_is_told_in_its_own_words() {
        let refusal = Refusal::new(Reason::NoEndpoint, "100% gone: né");
        let response = refuse(&refusal, Some(&HeaderValue::from_static("application/grpc+proto")));
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()[GRPC_STATUS], "14");
        assert!(response.headers()[GRPC_MESSAGE].to_str().unwrap().starts_with("weft: 100%25 gone: n%C3%A9"));
    }

    #[test]
    fn who_is_to_wait_is_told_how_many_seconds_and_never_too_few() {
        for (milliseconds, seconds) in [(1, "1"), (1_000, "1"), (1_001, "2"), (60_000, "60")] {
            let wait = std::time::Duration::from_millis(milliseconds);
            let response = refuse(&Refusal::later(Reason::RateLimited, "often", wait), None);
            assert_eq!((response.status().as_u16(), response.headers()[RETRY_AFTER].to_str().unwrap()), (429, seconds));
        }
    }

    #[test]
    fn everybody_else_gets_a_status_a_reason_and_a_sentence() {
        let refusal = Refusal::new(Reason::NoRoute, "nothing matches /x");
        let response = refuse(&refusal, None);
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        assert_eq!(response.headers()[hop::REASON], "no_route");
    }
}
