//! Heads and bodies, written.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Version,
    header::{CONNECTION, CONTENT_LENGTH, HOST, TE, UPGRADE},
    response,
    uri::PathAndQuery,
};
use http_body::{Body, Frame};

use super::{
    Conn,
    framing::{content_length, may_have_body},
    target::AbsoluteForm,
};
use crate::outbox::Outbox;

/// What waits to be written is topped up to this before it is.
const GATHER: usize = 64 * 1024;

/// How a body is framed on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// There is none.
    Nothing,
    /// So many bytes are left.
    Exact(u64),
    /// In chunks.
    Chunked,
    /// To the end of the connection.
    UntilClose,
}

impl Way {
    /// How the body of a request is sent.
    pub fn of_request(headers: &HeaderMap, body: &impl Body) -> Self {
        match content_length(headers) {
            Ok(Some(length)) => Self::Exact(length),
            _ if body.is_end_stream() => Self::Nothing,
            _ => Self::Chunked,
        }
    }

    /// How the body of an answer to `method` is sent to a client of `version`.
    pub fn of_response(method: &Method, version: Version, head: &response::Parts, body: &impl Body) -> Self {
        if !may_have_body(method, head.status) {
            return Self::Nothing;
        }
        match content_length(&head.headers) {
            Ok(Some(length)) => Self::Exact(length),
            _ if body.is_end_stream() => Self::Exact(0),
            _ => match body.size_hint().exact() {
                Some(length) => Self::Exact(length),
                None if version == Version::HTTP_11 => Self::Chunked,
                None => Self::UntilClose,
            },
        }
    }
}

/// Writes the head of a request.
pub fn request_head<B>(outbox: &mut Outbox, request: &Request<B>, way: Way) {
    outbox.text(request.method().as_str().as_bytes());
    outbox.text(b" ");
    target(outbox, request);
    outbox.text(if request.version() == Version::HTTP_10 { b" HTTP/1.0\r\n" } else { b" HTTP/1.1\r\n" });
    let headers = request.headers();
    if let Some(host) = headers.get(HOST) {
        field(outbox, &HOST, host);
    }
    headers.iter().filter(|(name, _)| *name != HOST).for_each(|(name, value)| field(outbox, name, value));
    if headers.contains_key(UPGRADE) {
        field(outbox, &CONNECTION, &HeaderValue::from_static("upgrade"));
    } else if headers.contains_key(TE) && request.version() == Version::HTTP_11 {
        field(outbox, &CONNECTION, &HeaderValue::from_static("te"));
    }
    match way {
        Way::Chunked => outbox.text(b"transfer-encoding: chunked\r\n"),
        // RFC 9110, section 8.6: these say so when they carry nothing.
        Way::Nothing if [Method::POST, Method::PUT, Method::PATCH].contains(request.method()) => {
            outbox.text(b"content-length: 0\r\n")
        }
        _ => {}
    }
    outbox.text(b"\r\n");
}

/// Writes the head of an answer to a client of `version`; `persists` is whether the connection goes on after it.
pub fn response_head(outbox: &mut Outbox, head: &response::Parts, way: Way, version: Version, persists: bool) {
    status(outbox, head.status);
    for (name, value) in &head.headers {
        // RFC 9110, section 8.6: there is nothing to say the length of.
        if *name != CONTENT_LENGTH || head.status != StatusCode::NO_CONTENT {
            field(outbox, name, value);
        }
    }
    match way {
        Way::Chunked => outbox.text(b"transfer-encoding: chunked\r\n"),
        Way::Exact(length) if !head.headers.contains_key(CONTENT_LENGTH) => {
            outbox.text(format!("content-length: {length}\r\n").as_bytes());
        }
        _ => {}
    }
    if head.status == StatusCode::SWITCHING_PROTOCOLS {
        outbox.text(b"connection: upgrade\r\n");
    } else if !persists {
        outbox.text(b"connection: close\r\n");
    } else if version == Version::HTTP_10 {
        outbox.text(b"connection: keep-alive\r\n");
    }
    outbox.text(b"\r\n");
}

/// Writes an interim answer, or one that is nothing but a head.
pub fn bare_head(outbox: &mut Outbox, head: &response::Parts) {
    status(outbox, head.status);
    head.headers.iter().for_each(|(name, value)| field(outbox, name, value));
    outbox.text(b"\r\n");
}

fn status(outbox: &mut Outbox, status: StatusCode) {
    outbox.text(b"HTTP/1.1 ");
    outbox.text(status.as_str().as_bytes());
    outbox.text(b" ");
    outbox.text(status.canonical_reason().unwrap_or_default().as_bytes());
    outbox.text(b"\r\n");
}

fn field(outbox: &mut Outbox, name: &HeaderName, value: &HeaderValue) {
    outbox.text(name.as_str().as_bytes());
    outbox.text(b": ");
    outbox.text(value.as_bytes());
    outbox.text(b"\r\n");
}

/// Writes the target of a request: in origin form, or in the form that its client wrote (RFC 9112, section 3.2).
fn target<B>(outbox: &mut Outbox, request: &Request<B>) {
    let uri = request.uri();
    match uri.authority() {
        Some(authority) if request.method() == Method::CONNECT => return outbox.text(authority.as_str().as_bytes()),
        Some(authority) if request.extensions().get::<AbsoluteForm>().is_some() => {
            outbox.text(uri.scheme_str().unwrap_or("http").as_bytes());
            outbox.text(b"://");
            outbox.text(authority.as_str().as_bytes());
        }
        _ => {}
    }
    outbox.text(uri.path_and_query().map_or("/", PathAndQuery::as_str).as_bytes());
}

/// Why a message was not sent to its end.
#[derive(Debug)]
pub enum Sent<E> {
    /// The receiver takes no more.
    ReceiverGone(io::Error),
    /// The body broke off.
    Broken(E),
    /// The body is not as long as its head says.
    WrongLength,
}

/// Sends what waits in `outbox`, and then the body.
pub async fn send<B>(conn: &Conn, outbox: &mut Outbox, body: &mut B, way: Way) -> Result<(), Sent<B::Error>>
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut sending = Sending { conn, outbox, body, way, ended: false };
    poll_fn(|cx| sending.poll(cx)).await
}

struct Sending<'a, B> {
    conn: &'a Conn,
    outbox: &'a mut Outbox,
    body: &'a mut B,
    way: Way,
    ended: bool,
}

impl<B: Body<Data = Bytes> + Unpin> Sending<'_, B> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Sent<B::Error>>> {
        loop {
            let gathered = self.gather(cx);
            // What came before a failure is sent before it is told.
            let written = self.conn.poll_write(cx, self.outbox).map_err(Sent::ReceiverGone)?;
            gathered?;
            ready!(written);
            if self.ended {
                return Poll::Ready(Ok(()));
            }
            if self.outbox.is_empty() && self.body_is_pending(cx)? {
                return Poll::Pending;
            }
        }
    }

    /// Takes of the body what is there.
    fn gather(&mut self, cx: &mut Context<'_>) -> Result<(), Sent<B::Error>> {
        while !self.ended && self.outbox.len() < GATHER {
            if self.body_is_pending(cx)? {
                break;
            }
        }
        Ok(())
    }

    fn body_is_pending(&mut self, cx: &mut Context<'_>) -> Result<bool, Sent<B::Error>> {
        if self.body.is_end_stream() {
            self.end(None)?;
            return Ok(false);
        }
        let Poll::Ready(frame) = Pin::new(&mut *self.body).poll_frame(cx) else { return Ok(true) };
        match frame.transpose().map_err(Sent::Broken)?.map(Frame::into_data) {
            Some(Ok(data)) => self.put(data)?,
            Some(Err(frame)) => self.end(frame.into_trailers().ok())?,
            None => self.end(None)?,
        }
        Ok(false)
    }

    fn put(&mut self, data: Bytes) -> Result<(), Sent<B::Error>> {
        if data.is_empty() {
            return Ok(());
        }
        match &mut self.way {
            Way::Nothing => return Err(Sent::WrongLength),
            Way::Exact(left) => {
                *left = left.checked_sub(data.len() as u64).ok_or(Sent::WrongLength)?;
                self.outbox.data(data);
            }
            Way::UntilClose => self.outbox.data(data),
            Way::Chunked => {
                self.outbox.chunk_line(data.len());
                self.outbox.data(data);
                self.outbox.text(b"\r\n");
            }
        }
        Ok(())
    }

    fn end(&mut self, trailers: Option<HeaderMap>) -> Result<(), Sent<B::Error>> {
        self.ended = true;
        match self.way {
            Way::Exact(left) if left > 0 => return Err(Sent::WrongLength),
            Way::Chunked => {
                self.outbox.text(b"0\r\n");
                for (name, value) in trailers.iter().flatten() {
                    field(self.outbox, name, value);
                }
                self.outbox.text(b"\r\n");
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{Empty, Full};

    use super::*;
    use crate::outbox::tests::written;

    #[test]
    fn a_request_says_its_host_first_and_how_long_it_is() {
        let request = Request::post("http://cart/a?b").header("x-a", "1").header("host", "cart").body(()).unwrap();
        let mut outbox = Outbox::default();
        request_head(&mut outbox, &request, Way::of_request(request.headers(), &Empty::<Bytes>::new()));
        assert_eq!(written(&mut outbox), "POST /a?b HTTP/1.1\r\nhost: cart\r\nx-a: 1\r\ncontent-length: 0\r\n\r\n");
    }

    #[test]
    fn an_absolute_target_stays_absolute() {
        let mut request = Request::get("http://cart/a").header("host", "cart").body(()).unwrap();
        request.extensions_mut().insert(AbsoluteForm);
        let mut outbox = Outbox::default();
        request_head(&mut outbox, &request, Way::Nothing);
        assert_eq!(written(&mut outbox), "GET http://cart/a HTTP/1.1\r\nhost: cart\r\n\r\n");
    }

    #[test]
    fn an_answer_is_framed_as_its_client_can_read_it() {
        let head = |status: u16| http::Response::builder().status(status).body(()).unwrap().into_parts().0;
        let body = Full::new(Bytes::from_static(b"abc"));
        let way = |method, version, status| Way::of_response(&method, version, &head(status), &body);
        assert_eq!(way(Method::GET, Version::HTTP_11, 200), Way::Exact(3));
        assert_eq!(way(Method::HEAD, Version::HTTP_11, 200), Way::Nothing);
        assert_eq!(way(Method::GET, Version::HTTP_11, 204), Way::Nothing);
        let mut outbox = Outbox::default();
        response_head(&mut outbox, &head(200), Way::Exact(3), Version::HTTP_10, true);
        assert_eq!(written(&mut outbox), "HTTP/1.1 200 OK\r\ncontent-length: 3\r\nconnection: keep-alive\r\n\r\n");
    }
}
