//! What two proxies of the mesh tell each other beside the message: a few headers that never leave the hop.
//!
//! They are trusted only when they come over mesh TLS, and removed from everything else.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Version};

/// Workload of the caller, for telemetry. Its identity is proved by TLS; this only tells pods of one account apart.
const WORKLOAD: HeaderName = HeaderName::from_static("weft-workload");

/// The version of HTTP the client spoke, when it was not HTTP/2.
const VERSION: HeaderName = HeaderName::from_static("weft-http");

/// Why the mesh refused; the only one of these headers that applications may see.
pub const REASON: HeaderName = HeaderName::from_static("weft-reason");

/// What the peer told about a message.
#[derive(Debug, Default)]
pub struct Introduction {
    /// Workload of the caller.
    pub workload: Option<HeaderValue>,
    /// Version the client spoke, when it was not HTTP/2.
    pub version: Option<Version>,
}

/// Writes our side of the introduction.
pub fn introduce(headers: &mut HeaderMap, workload: &Arc<str>, version: Option<Version>) {
    if let Ok(value) = HeaderValue::from_str(workload) {
        headers.insert(WORKLOAD, value);
    }
    let version = match version {
        Some(Version::HTTP_10) => "1.0",
        Some(_) => "1.1",
        None => return,
    };
    headers.insert(VERSION, HeaderValue::from_static(version));
}

/// Takes the peer's introduction off a message. Call it on every message, and believe it only after mesh TLS.
pub fn take(headers: &mut HeaderMap) -> Introduction {
    let version = headers.remove(VERSION).map(|version| match version.as_bytes() {
        b"1.0" => Version::HTTP_10,
        _ => Version::HTTP_11,
    });
    Introduction { workload: headers.remove(WORKLOAD), version }
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
        let mut headers = HeaderMap::new();
        introduce(&mut headers, &"cart".into(), Some(Version::HTTP_10));
        let introduction = take(&mut headers);
        assert_eq!(introduction.workload.unwrap(), "cart");
        assert_eq!(introduction.version, Some(Version::HTTP_10));
        assert!(headers.is_empty());
    }
}
