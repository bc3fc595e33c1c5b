//! The text of a head as a request, a response, or trailers.

use std::mem::MaybeUninit;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version,
    header::{
        AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, COOKIE, EXPECT,
        HOST, MAX_FORWARDS, PROXY_AUTHORIZATION, RANGE, SET_COOKIE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
    },
};

use super::{Malformed, target};

/// The most fields that a head, or trailers, may ever be allowed.
pub const FIELDS_MAX: usize = 256;

/// What frames, routes, admits or changes a message comes before its body or not at all (RFC 9110, section 6.5.1).
const NO_TRAILERS: [HeaderName; 18] = [
    AUTHORIZATION,
    CACHE_CONTROL,
    CONNECTION,
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    CONTENT_RANGE,
    CONTENT_TYPE,
    COOKIE,
    EXPECT,
    HOST,
    MAX_FORWARDS,
    PROXY_AUTHORIZATION,
    RANGE,
    SET_COOKIE,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Reads a request's head: all of it, up to and with its empty line. It has `most` fields at most.
pub fn request(head: Bytes, most: usize) -> Result<Request<()>, Malformed> {
    let mut fields = [const { MaybeUninit::uninit() }; FIELDS_MAX];
    let mut parsed = httparse::Request::new(&mut []);
    let complete = parsed.parse_with_uninit_headers(&head, &mut fields).map_err(|error| match error {
        httparse::Error::Token => line_or_target(&head),
        error => wrong(error, Malformed::RequestLine),
    })?;
    let (Some(method), Some(path), Some(version), true) = (parsed.method, parsed.path, parsed.version, complete.is_complete())
    else {
        return Err(Malformed::RequestLine);
    };
    let method = Method::from_bytes(method.as_bytes()).map_err(|_| Malformed::Method)?;
    let target = head.slice_ref(path.as_bytes());
    let headers = headers(&head, parsed.headers, most)?;
    let mut request = Request::new(());
    *request.method_mut() = method;
    *request.version_mut() = versioned(version);
    *request.headers_mut() = headers;
    target::settle(&mut request, target)?;
    Ok(request)
}

/// Whether a line could be the first of a request: it ends in a version. What is wrong with it otherwise is told later.
pub fn sound_request_line(line: &[u8]) -> Result<(), Malformed> {
    let last = line.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
    if last.starts_with(b"HTTP/") && last.len() < line.len() { Ok(()) } else { Err(Malformed::RequestLine) }
}

/// Whether a line could be the first of a response.
pub fn sound_status_line(line: &[u8]) -> Result<(), Malformed> {
    if line.starts_with(b"HTTP/1.") { Ok(()) } else { Err(Malformed::StatusLine) }
}

/// Reads a response's head.
pub fn response(head: Bytes, most: usize) -> Result<Response<()>, Malformed> {
    let mut fields = [const { MaybeUninit::uninit() }; FIELDS_MAX];
    let mut parsed = httparse::Response::new(&mut []);
    let complete = httparse::ParserConfig::default()
        .parse_response_with_uninit_headers(&mut parsed, &head, &mut fields)
        .map_err(|error| wrong(error, Malformed::StatusLine))?;
    let (Some(code), Some(version), true) = (parsed.code, parsed.version, complete.is_complete()) else {
        return Err(Malformed::StatusLine);
    };
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::from_u16(code).map_err(|_| Malformed::StatusLine)?;
    *response.version_mut() = versioned(version);
    *response.headers_mut() = headers(&head, parsed.headers, most)?;
    Ok(response)
}

/// Reads trailers: a section of fields, up to and with its empty line.
pub fn trailers(section: Bytes, most: usize) -> Result<HeaderMap, Malformed> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let parsed = httparse::parse_headers(&section, &mut fields).map_err(|error| wrong(error, Malformed::Field))?;
    let httparse::Status::Complete((_, fields)) = parsed else { return Err(Malformed::Field) };
    let trailers = headers(&section, fields, most)?;
    if NO_TRAILERS.iter().any(|name| trailers.contains_key(name)) {
        return Err(Malformed::Trailer);
    }
    Ok(trailers)
}

fn headers(head: &Bytes, fields: &[httparse::Header<'_>], most: usize) -> Result<HeaderMap, Malformed> {
    if fields.len() > most {
        return Err(Malformed::HeadTooLarge);
    }
    let mut headers = HeaderMap::with_capacity(fields.len());
    for field in fields {
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| Malformed::Field)?;
        let value = HeaderValue::from_maybe_shared(head.slice_ref(field.value)).map_err(|_| Malformed::Field)?;
        headers.append(name, value);
    }
    Ok(headers)
}

fn versioned(minor: u8) -> Version {
    if minor == 0 { Version::HTTP_10 } else { Version::HTTP_11 }
}

fn wrong(error: httparse::Error, first_line: Malformed) -> Malformed {
    match error {
        httparse::Error::HeaderName | httparse::Error::HeaderValue => Malformed::Field,
        httparse::Error::NewLine => Malformed::LineEnd,
        httparse::Error::TooManyHeaders => Malformed::HeadTooLarge,
        httparse::Error::Version => Malformed::Version,
        httparse::Error::Status | httparse::Error::Token => first_line,
    }
}

/// The parser calls everything that is wrong before the version a token.
fn line_or_target(head: &[u8]) -> Malformed {
    let line = head.strip_prefix(b"\r\n").unwrap_or(head).split(|byte| *byte == b'\r').next().unwrap_or_default();
    match line.split(|byte| *byte == b' ').collect::<Vec<_>>()[..] {
        [_, _, version] if version.starts_with(b"HTTP/") => Malformed::Target,
        _ => Malformed::RequestLine,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<Request<()>, Malformed> {
        request(Bytes::copy_from_slice(text.as_bytes()), 128)
    }

    #[test]
    fn a_request_is_read_as_it_stands() {
        let request = read("POST /a?b=c HTTP/1.1\r\nHost: cart:80\r\nX-A:  1 \r\nx-a:2\r\n\r\n").unwrap();
        assert_eq!((request.method(), request.uri().to_string().as_str()), (&Method::POST, "/a?b=c"));
        assert_eq!(request.headers().get_all("x-a").iter().collect::<Vec<_>>(), ["1", "2"]);
    }

    #[test]
    fn what_readers_differ_about_is_refused() {
        for (text, why) in [
            ("GET / HTTP/1.1\r\nhost : a\r\n\r\n", Malformed::Field),
            ("GET / HTTP/1.1\r\nhost: a\r\n b\r\n\r\n", Malformed::Field),
            ("GET / HTTP/1.1\r\nhost: a\r\nx: \0\r\n\r\n", Malformed::Field),
            ("GET / HTTP/1.1\r\nhost: a\r\n: b\r\n\r\n", Malformed::Field),
            ("GET / HTTP/1.1\r\nhost: a\rb: c\r\n\r\n", Malformed::Field),
            ("GET  / HTTP/1.1\r\nhost: a\r\n\r\n", Malformed::RequestLine),
            ("GET / HTTP/1.1 \r\nhost: a\r\n\r\n", Malformed::LineEnd),
            ("GET /\r\n\r\n", Malformed::RequestLine),
            ("GET / HTTP/2.0\r\nhost: a\r\n\r\n", Malformed::Version),
            ("GET / http/1.1\r\nhost: a\r\n\r\n", Malformed::Version),
            ("G(T / HTTP/1.1\r\nhost: a\r\n\r\n", Malformed::Target),
        ] {
            let refused = read(text).unwrap_err();
            assert!(refused == why || why != Malformed::Field, "{text:?}: {refused:?}");
        }
    }

    #[test]
    fn fields_are_counted() {
        let head = Bytes::from_static(b"GET / HTTP/1.1\r\nhost: a\r\nx: 1\r\n\r\n");
        assert!(request(head.clone(), 2).is_ok());
        assert_eq!(request(head, 1).map(drop), Err(Malformed::HeadTooLarge));
    }

    #[test]
    fn trailers_neither_frame_nor_route() {
        assert_eq!(trailers(Bytes::from_static(b"x-sum: 1\r\n\r\n"), 1).unwrap()["x-sum"], "1");
        assert_eq!(trailers(Bytes::from_static(b"content-length: 1\r\n\r\n"), 1), Err(Malformed::Trailer));
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_odd(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let bytes = Bytes::from([bytes, b"\r\n\r\n".to_vec()].concat());
            let _ = request(bytes.clone(), 128);
            let _ = response(bytes.clone(), 128);
            let _ = trailers(bytes, 128);
        }
    }
}
