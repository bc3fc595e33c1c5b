//! WebSocket of an HTTP/2 client (RFC 8441) to an app that speaks HTTP/1.1 (RFC 6455, section 4).

use aws_lc_rs::{
    digest::{SHA1_FOR_LEGACY_USE_ONLY, digest},
    rand,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version, header::UPGRADE};

use crate::{
    payload::Payload,
    refusal::{Reason, Refusal},
};

const KEY: HeaderName = HeaderName::from_static("sec-websocket-key");
const ACCEPT: HeaderName = HeaderName::from_static("sec-websocket-accept");
const VERSION: HeaderName = HeaderName::from_static("sec-websocket-version");

/// What every server mixes into its proof (RFC 6455, section 1.3).
const MIXED_IN: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The opening handshake, once it was sent.
pub(super) struct Handshake {
    expected: String,
}

/// Makes an upgrade of a request for `protocol` by extended CONNECT.
pub(super) fn as_upgrade(request: &mut Request<Payload>, protocol: &str) -> Result<Handshake, Refusal> {
    if !protocol.eq_ignore_ascii_case("websocket") {
        let detail = format!("the app takes no `{protocol}` by extended CONNECT, and only `websocket` can be said in HTTP/1.1");
        return Err(Refusal::new(Reason::NotSwitchable, detail));
    }
    let mut nonce = [0; 16];
    rand::fill(&mut nonce).map_err(|_| Refusal::new(Reason::NotSwitchable, "the system has no randomness"))?;
    let key = STANDARD.encode(nonce);
    let expected = STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, format!("{key}{MIXED_IN}").as_bytes()));
    let key = HeaderValue::try_from(key).map_err(|_| Refusal::new(Reason::NotSwitchable, "a key is no header"))?;
    *request.method_mut() = Method::GET;
    *request.version_mut() = Version::HTTP_11;
    let headers = request.headers_mut();
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(KEY, key);
    headers.entry(VERSION).or_insert(HeaderValue::from_static("13"));
    Ok(Handshake { expected })
}

impl Handshake {
    /// The server's agreement as HTTP/2 says it.
    pub(super) fn agreed(&self, mut head: Response<()>) -> Result<Response<()>, Refusal> {
        let proof = head.headers_mut().remove(ACCEPT);
        if proof.is_none_or(|proof| proof.as_bytes() != self.expected.as_bytes()) {
            return Err(Refusal::midway(Reason::BadResponse, "the server's proof that it speaks WebSocket is wrong"));
        }
        head.headers_mut().remove(UPGRADE);
        *head.status_mut() = StatusCode::OK;
        Ok(head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_cannot_prove_it_is_refused() {
        let mut request = Request::new(Payload::empty());
        let handshake = as_upgrade(&mut request, "websocket").unwrap();
        let answer = |proof: &str| Response::builder().status(101).header(ACCEPT, proof).body(()).unwrap();
        assert_eq!(handshake.agreed(answer(&handshake.expected)).unwrap().status(), StatusCode::OK);
        assert_eq!(handshake.agreed(answer("x")).unwrap_err().reason, Reason::BadResponse);
        assert_eq!(as_upgrade(&mut request, "connect-udp").map(drop).unwrap_err().reason, Reason::NotSwitchable);
    }
}
