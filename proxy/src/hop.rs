//! What two proxies of the mesh tell each other beside the message: a few headers that never leave the hop.
//!
//! They are trusted only when they come over mesh TLS, and removed from everything else.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Version};

use crate::{http1::AbsoluteForm, payload::Payload};

/// Workload of the caller, for telemetry. Its identity is proved by TLS; this only tells pods of one account apart.
const WORKLOAD: HeaderName = HeaderName::from_static("weft-workload");

/// The version of HTTP the client spoke, when it was not HTTP/2.
const VERSION: HeaderName = HeaderName::from_static("weft-http");

/// Protocols the client would upgrade to (its `Upgrade`); in an answer, the one that was agreed on. HTTP/2 has no 101.
const UPGRADE: HeaderName = HeaderName::from_static("weft-upgrade");

/// The client wrote its target in absolute form.
const ABSOLUTE: HeaderName = HeaderName::from_static("weft-absolute");

/// What stands for the host on the hop when an HTTP/1.0 client named none; no host can have this name (RFC 6761).
pub const NO_HOST: &str = "none.weft.invalid";

/// Why the mesh refused; the only one of these headers that applications may see.
pub const REASON: HeaderName = HeaderName::from_static("weft-reason");

/// What the peer told about a message.
#[derive(Debug, Default)]
pub struct Introduction {
    /// Workload of the caller.
    pub workload: Option<HeaderValue>,
    /// Version the client spoke, when it was told.
    pub version: Option<Version>,
    /// Whether the client wrote its target in absolute form.
    pub absolute: bool,
}

/// Writes our side of the introduction of a request whose client spoke `version`.
pub fn introduce(request: &mut Request<Payload>, workload: &Arc<str>, version: Version) {
    let connect = request.method() == Method::CONNECT;
    let absolute = request.extensions().get::<AbsoluteForm>().is_some();
    let headers = request.headers_mut();
    introduce_tunnel(headers, workload);
    let version = match version {
        Version::HTTP_10 => Some("1.0"),
        Version::HTTP_2 if !connect => None,
        // A CONNECT that says a version is a client's request; one that does not is a tunnel of ours.
        Version::HTTP_2 => Some("2"),
        _ => Some("1.1"),
    };
    if let Some(version) = version {
        headers.insert(VERSION, HeaderValue::from_static(version));
    }
    if absolute {
        headers.insert(ABSOLUTE, HeaderValue::from_static("1"));
    }
}

/// Writes our side of the introduction of a tunnel.
pub fn introduce_tunnel(headers: &mut HeaderMap, workload: &Arc<str>) {
    if let Ok(value) = HeaderValue::from_str(workload) {
        headers.insert(WORKLOAD, value);
    }
}

/// Takes the peer's introduction off a message. Call it on every message, and believe it only after mesh TLS.
pub fn take(headers: &mut HeaderMap) -> Introduction {
    let version = headers.remove(VERSION).map(|version| match version.as_bytes() {
        b"1.0" => Version::HTTP_10,
        b"2" => Version::HTTP_2,
        _ => Version::HTTP_11,
    });
    headers.remove(UPGRADE);
    Introduction { workload: headers.remove(WORKLOAD), version, absolute: headers.remove(ABSOLUTE).is_some() }
}

/// Whether a CONNECT is a client's request, and not a tunnel of the mesh's own.
pub fn is_request(headers: &HeaderMap) -> bool {
    headers.contains_key(VERSION)
}

/// Asks for an upgrade.
pub fn ask_upgrade(headers: &mut HeaderMap, protocols: HeaderValue) {
    headers.insert(UPGRADE, protocols);
}

/// What the client would upgrade to.
pub fn upgrade(headers: &HeaderMap) -> Option<&HeaderValue> {
    headers.get(UPGRADE)
}

/// Says that the server has upgraded.
pub fn upgraded(headers: &mut HeaderMap, protocol: HeaderValue) {
    headers.insert(UPGRADE, protocol);
}

/// Takes off what the server has upgraded to.
pub fn take_upgraded(headers: &mut HeaderMap) -> Option<HeaderValue> {
    headers.remove(UPGRADE)
}

/// Why the peer refused, if it said so.
pub fn reason(headers: &HeaderMap) -> Option<&str> {
    headers.get(REASON)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_introduced_is_taken_off_again() {
        let mut request = Request::new(Payload::empty());
        request.extensions_mut().insert(AbsoluteForm);
        introduce(&mut request, &"cart".into(), Version::HTTP_10);
        let introduction = take(request.headers_mut());
        assert_eq!(introduction.workload.unwrap(), "cart");
        assert_eq!(introduction.version, Some(Version::HTTP_10));
        assert!(introduction.absolute);
        assert!(request.headers().is_empty());
    }

    #[test]
    fn a_clients_connect_is_told_from_a_tunnel() {
        let mut request = Request::connect("db:80").body(Payload::empty()).unwrap();
        introduce(&mut request, &"cart".into(), Version::HTTP_2);
        assert!(is_request(request.headers()));
        let mut headers = HeaderMap::new();
        introduce_tunnel(&mut headers, &"cart".into());
        assert!(!is_request(&headers));
    }
}
