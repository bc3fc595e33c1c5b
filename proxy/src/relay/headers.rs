//! Headers that belong to one hop, and the two shapes of a request target.

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version,
    header::{CONNECTION, HOST, TE, TRANSFER_ENCODING, UPGRADE},
    uri::{Authority, PathAndQuery, Scheme},
};
use smallvec::SmallVec;

use crate::{hop, http1::AbsoluteForm};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// Removes what RFC 9110, section 7.6.1 says an intermediary must not forward: the hop's own fields, and those that
/// `Connection` names.
pub fn strip_hop(headers: &mut HeaderMap) {
    let named: SmallVec<[HeaderName; 4]> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| HeaderName::from_bytes(name.trim().as_bytes()).ok())
        .collect();
    for name in named {
        // A client must not be able to remove what tells us where the message ends or goes.
        if name != HOST && name != http::header::CONTENT_LENGTH && name != TE {
            headers.remove(name);
        }
    }
    for name in [CONNECTION, KEEP_ALIVE, PROXY_CONNECTION, TRANSFER_ENCODING, UPGRADE, HTTP2_SETTINGS] {
        headers.remove(name);
    }
    // gRPC needs `te: trailers`; no other value survives a hop.
    if headers.get(TE).is_some_and(|value| value.as_bytes() != b"trailers") {
        headers.remove(TE);
    }
}

/// Gives `request` the shape of HTTP/2: the target's parts apart, the host in `:authority`.
pub fn toward_http2<B>(request: &mut Request<B>) {
    if request.version() == Version::HTTP_2 {
        return;
    }
    strip_hop(request.headers_mut());
    let host = request.headers_mut().remove(HOST);
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    if parts.authority.is_none() {
        parts.authority = host.and_then(|host| Authority::from_maybe_shared(bytes::Bytes::copy_from_slice(host.as_bytes())).ok());
    }
    // HTTP/1.0 may do without a host, HTTP/2 may not.
    parts.authority.get_or_insert_with(|| Authority::from_static(hop::NO_HOST));
    parts.scheme.get_or_insert(Scheme::HTTP);
    let path = parts.path_and_query.get_or_insert_with(|| PathAndQuery::from_static("/")).clone();
    *request.uri_mut() = Uri::from_parts(parts).unwrap_or_else(|_| Uri::from(path));
    *request.version_mut() = Version::HTTP_2;
}

/// Reduces the target of a CONNECT over HTTP/2 to what it is: a host and a port (RFC 9113, section 8.5).
pub fn only_authority<B>(request: &mut Request<B>) {
    if let Some(authority) = request.uri().authority().cloned() {
        *request.uri_mut() = Uri::from(authority);
    }
}

/// Gives `request` the shape of HTTP/1: the host in `Host`, the target in origin form, or in the form that its client wrote.
pub fn toward_http1<B>(request: &mut Request<B>, version: Version) {
    strip_hop(request.headers_mut());
    // RFC 9113, section 8.3.1: `:authority` is what `Host` is in HTTP/1, and wins over one.
    if let Some(authority) = request.uri().authority().filter(|authority| *authority != hop::NO_HOST)
        && let Ok(host) = HeaderValue::from_str(authority.as_str())
    {
        request.headers_mut().insert(HOST, host);
    }
    join_cookies(request.headers_mut());
    *request.version_mut() = version;
    if request.method() == Method::CONNECT || request.extensions().get::<AbsoluteForm>().is_some() {
        return;
    }
    let path = std::mem::take(request.uri_mut()).into_parts().path_and_query;
    *request.uri_mut() = Uri::from(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
}

/// RFC 9113, section 8.2.3: HTTP/2 may split the cookie header; HTTP/1.1 wants it whole.
fn join_cookies(headers: &mut HeaderMap) {
    let mut cookies = headers.get_all(http::header::COOKIE).iter();
    let (Some(first), Some(second)) = (cookies.next(), cookies.next()) else { return };
    let mut whole = first.as_bytes().to_vec();
    for crumb in std::iter::once(second).chain(cookies) {
        whole.extend_from_slice(b"; ");
        whole.extend_from_slice(crumb.as_bytes());
    }
    if let Ok(whole) = HeaderValue::from_bytes(&whole) {
        headers.insert(http::header::COOKIE, whole);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_connection_names_stays_on_its_hop_but_never_the_length() {
        let request = Request::get("/")
            .header("connection", "close, x-private")
            .header("connection", "content-length")
            .header("x-private", "1")
            .header("content-length", "3")
            .header("keep-alive", "timeout=5")
            .header("x-public", "1");
        let mut request = request.body(()).unwrap();
        strip_hop(request.headers_mut());
        let names: Vec<_> = request.headers().keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["content-length", "x-public"]);
    }

    #[test]
    fn the_host_survives_the_way_to_http2_and_back() {
        let mut request = Request::get("/a?b=c").header("host", "cart.shop:80").body(()).unwrap();
        toward_http2(&mut request);
        assert_eq!(request.uri().to_string(), "http://cart.shop:80/a?b=c");
        assert!(!request.headers().contains_key(HOST));
        toward_http1(&mut request, Version::HTTP_11);
        assert_eq!(request.uri().to_string(), "/a?b=c");
        assert_eq!(request.headers()[HOST], "cart.shop:80");
    }

    #[test]
    fn split_cookies_become_one() {
        let mut request = Request::get("/").header("cookie", "a=1").header("cookie", "b=2").body(()).unwrap();
        toward_http1(&mut request, Version::HTTP_11);
        assert_eq!(request.headers().get_all("cookie").iter().collect::<Vec<_>>(), ["a=1; b=2"]);
    }
}
