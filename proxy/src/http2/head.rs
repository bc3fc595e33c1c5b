//! From decoded fields to heads of messages, and back (RFC 9113, section 8).

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, Method, Request, Response, StatusCode, Uri, Version,
    header::{CONNECTION, CONTENT_LENGTH, TE, TRANSFER_ENCODING, UPGRADE},
    response,
    uri::{Authority, PathAndQuery, Scheme},
};

use super::hpack::{Encoder, Field};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// What an extended CONNECT asks for (RFC 8441, section 4); an extension of its request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protocol(Box<str>);

impl Protocol {
    /// The protocol's name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Protocol {
    fn from(name: &str) -> Self {
        Self(name.into())
    }
}

/// Fields as they come out of the decoder, sorted into what they are.
#[derive(Debug, Default)]
pub(super) struct Fields {
    pseudo: Pseudo,
    headers: HeaderMap,
    /// The first thing that is wrong with them.
    flaw: Option<&'static str>,
}

#[derive(Debug, Default)]
struct Pseudo {
    method: Option<Method>,
    scheme: Option<Bytes>,
    authority: Option<Bytes>,
    path: Option<Bytes>,
    protocol: Option<Bytes>,
    status: Option<StatusCode>,
}

impl Fields {
    pub(super) fn take(&mut self, field: Field) {
        let pseudo = &mut self.pseudo;
        let fresh = match field {
            Field::Regular(name, value) => {
                if is_of_one_connection(&name) || (name == TE && value != "trailers") {
                    self.flaw.get_or_insert("it has a field that HTTP/2 does not know");
                }
                if self.headers.try_append(name, value).is_err() {
                    self.flaw.get_or_insert("it has too many fields");
                }
                return;
            }
            Field::Malformed(flaw) => {
                self.flaw.get_or_insert(flaw.word());
                return;
            }
            Field::Method(method) => pseudo.method.replace(method).is_none(),
            Field::Scheme(scheme) => pseudo.scheme.replace(scheme).is_none(),
            Field::Authority(authority) => pseudo.authority.replace(authority).is_none(),
            Field::Path(path) => pseudo.path.replace(path).is_none(),
            Field::Protocol(protocol) => pseudo.protocol.replace(protocol).is_none(),
            Field::Status(status) => pseudo.status.replace(status).is_none(),
        };
        if !fresh {
            self.flaw.get_or_insert("a pseudo-header is there twice");
        }
        if !self.headers.is_empty() {
            self.flaw.get_or_insert("a pseudo-header comes after a header");
        }
    }

    /// The head of a request.
    pub(super) fn request(self) -> Result<Request<()>, &'static str> {
        let Self { pseudo: Pseudo { method, scheme, authority, path, protocol, status }, headers, flaw } = self;
        if let Some(flaw) = flaw {
            return Err(flaw);
        }
        let method = method.ok_or("a request without a method")?;
        if status.is_some() {
            return Err("a request with a status");
        }
        let tunnel = method == Method::CONNECT && protocol.is_none();
        let uri = if tunnel {
            if scheme.is_some() || path.is_some() {
                return Err("a CONNECT with a scheme or a path");
            }
            Uri::from(self::authority(authority.ok_or("a CONNECT without an authority")?)?)
        } else {
            target(scheme, authority, path)?
        };
        let mut request = Request::new(());
        if let Some(protocol) = protocol {
            if method != Method::CONNECT {
                return Err("a :protocol without CONNECT");
            }
            let name = std::str::from_utf8(&protocol).map_err(|_| "a :protocol that is no text")?;
            request.extensions_mut().insert(Protocol::from(name));
        }
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.version_mut() = Version::HTTP_2;
        *request.headers_mut() = headers;
        Ok(request)
    }

    /// The head of an answer.
    pub(super) fn response(self) -> Result<Response<()>, &'static str> {
        let Self { pseudo: Pseudo { method, scheme, authority, path, protocol, status }, headers, flaw } = self;
        if let Some(flaw) = flaw {
            return Err(flaw);
        }
        if method.is_some() || [scheme, authority, path, protocol].iter().any(Option::is_some) {
            return Err("an answer with a request's pseudo-header");
        }
        let status = status.ok_or("an answer without a status")?;
        // RFC 9113, section 8.6.
        if status == StatusCode::SWITCHING_PROTOCOLS {
            return Err("an answer of 101, which HTTP/2 does not know");
        }
        let mut response = Response::new(());
        *response.status_mut() = status;
        *response.version_mut() = Version::HTTP_2;
        *response.headers_mut() = headers;
        Ok(response)
    }

    /// Trailers.
    pub(super) fn trailers(self) -> Result<HeaderMap, &'static str> {
        let Self { pseudo: Pseudo { method, scheme, authority, path, protocol, status }, headers, flaw } = self;
        let pseudo = method.is_some() || status.is_some() || [scheme, authority, path, protocol].iter().any(Option::is_some);
        match flaw {
            Some(flaw) => Err(flaw),
            None if pseudo => Err("a pseudo-header among trailers"),
            None => Ok(headers),
        }
    }
}

/// RFC 9113, section 8.2.2.
fn is_of_one_connection(name: &HeaderName) -> bool {
    [CONNECTION, TRANSFER_ENCODING, UPGRADE, KEEP_ALIVE, PROXY_CONNECTION].contains(name)
}

fn target(scheme: Option<Bytes>, authority: Option<Bytes>, path: Option<Bytes>) -> Result<Uri, &'static str> {
    let scheme = match &*scheme.ok_or("a request without a scheme")? {
        b"http" => Scheme::HTTP,
        b"https" => Scheme::HTTPS,
        other => Scheme::try_from(other).map_err(|_| "a request with an impossible scheme")?,
    };
    let path = path.ok_or("a request without a path")?;
    // RFC 9113, section 8.3.1: it begins with a slash, or it is the asterisk of OPTIONS.
    let is_path = path.first() == Some(&b'/') && !path.contains(&b'#');
    if !is_path && &*path != b"*" {
        return Err("a request with an impossible path");
    }
    let path = PathAndQuery::from_maybe_shared(path).map_err(|_| "a request with an impossible path")?;
    let Some(authority) = authority else { return Ok(Uri::from(path)) };
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(scheme);
    parts.authority = Some(self::authority(authority)?);
    parts.path_and_query = Some(path);
    Uri::from_parts(parts).map_err(|_| "a request with an impossible target")
}

fn authority(authority: Bytes) -> Result<Authority, &'static str> {
    Authority::from_maybe_shared(authority).map_err(|_| "a request with an impossible authority")
}

/// How long a message says its body is. Several lengths, or one that is no number, are a flaw (RFC 9110, section 8.6).
pub(super) fn length(headers: &HeaderMap) -> Result<Option<u64>, &'static str> {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let Some(first) = lengths.next() else { return Ok(None) };
    if lengths.next().is_some() {
        return Err("several content-lengths");
    }
    let digits = first.as_bytes();
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err("a content-length that is no number");
    }
    let length = first.to_str().ok().and_then(|digits| digits.parse().ok());
    length.map(Some).ok_or("a content-length that is no number")
}

/// Encodes the head of a request.
pub(super) fn put_request<B>(request: &Request<B>, encoder: &mut Encoder, out: &mut Vec<u8>) {
    let (uri, protocol) = (request.uri(), request.extensions().get::<Protocol>());
    encoder.begin(out);
    encoder.method(request.method(), out);
    if request.method() != Method::CONNECT || protocol.is_some() {
        encoder.scheme(uri.scheme_str().unwrap_or("http").as_bytes(), out);
        let path = uri.path_and_query().map_or("/", PathAndQuery::as_str);
        if path.starts_with('/') || path == "*" {
            encoder.path(path.as_bytes(), out);
        } else {
            // RFC 9113, section 8.3.1: a query alone belongs to the root.
            encoder.path(format!("/{path}").as_bytes(), out);
        }
    }
    if let Some(authority) = uri.authority() {
        encoder.authority(authority.as_str().as_bytes(), out);
    }
    if let Some(protocol) = protocol {
        encoder.protocol(protocol.as_str().as_bytes(), out);
    }
    put_fields(request.headers(), encoder, out);
}

/// Encodes the head of an answer.
pub(super) fn put_response(head: &response::Parts, encoder: &mut Encoder, out: &mut Vec<u8>) {
    encoder.begin(out);
    encoder.status(head.status, out);
    put_fields(&head.headers, encoder, out);
}

/// Encodes trailers.
pub(super) fn put_trailers(trailers: &HeaderMap, encoder: &mut Encoder, out: &mut Vec<u8>) {
    encoder.begin(out);
    put_fields(trailers, encoder, out);
}

fn put_fields(headers: &HeaderMap, encoder: &mut Encoder, out: &mut Vec<u8>) {
    for (name, value) in headers {
        encoder.field(name, value, out);
    }
}
