//! Serving streams to an HTTP/2 client: the app's own, or a peer proxy's.

use std::future::poll_fn;

use bytes::Bytes;
use h2::{Reason as Code, SendStream, server::SendResponse};
use http::{Method, Request, Response, StatusCode};
use http_body::Body;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{exchange::carry, headers};
use crate::{
    connect::Pipe,
    drain::Drain,
    limits,
    payload::Payload,
    refusal::{Reason, Refusal},
};

/// What a client asks for on one stream.
pub enum Call {
    /// A request, to be answered.
    Request(Request<Payload>),
    /// A tunnel for opaque bytes; only a peer proxy may ask for one.
    Tunnel(Request<()>, Tunnel),
}

/// A tunnel that was asked for and not granted yet.
pub struct Tunnel {
    receive: h2::RecvStream,
    respond: SendResponse<Bytes>,
}

impl Tunnel {
    /// Grants it.
    ///
    /// # Errors
    /// The client has given up meanwhile.
    pub fn grant(mut self) -> Result<Pipe, Refusal> {
        let send = self.answer(Response::new(()), false)?;
        Ok(Pipe::tunnel(self.receive, send))
    }

    /// Refuses it, and says why.
    pub fn refuse(mut self, refusal: &Refusal) {
        let mut response = Response::new(());
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        response.headers_mut().insert(crate::hop::REASON, http::HeaderValue::from_static(refusal.reason.word()));
        // A client that has gone needs no answer.
        let _ = self.answer(response, true);
    }

    fn answer(&mut self, response: Response<()>, end: bool) -> Result<SendStream<Bytes>, Refusal> {
        let gone = |error| Refusal::new(Reason::ClientAborted, format!("the peer gave its tunnel up: {error}"));
        self.respond.send_response(response, end).map_err(gone)
    }
}

/// Serves every stream of `client` until either side has had enough. `request` answers requests; `tunnel` is given what
/// asked for a tunnel, and runs in a task of its own.
///
/// # Errors
/// What the client did wrong. It has been told already.
pub async fn serve<IO, H, F>(client: IO, mut drain: Drain, handle: H) -> Result<(), Refusal>
where
    IO: AsyncRead + AsyncWrite + Unpin,
    H: Fn(Call) -> F + 'static,
    F: Future<Output = Option<Response<Payload>>> + 'static,
{
    let handshake = h2::server::Builder::new()
        .initial_window_size(limits::STREAM_WINDOW)
        .initial_connection_window_size(limits::CONNECTION_WINDOW)
        .max_frame_size(limits::FRAME_MAX)
        .max_header_list_size(limits::HEADERS_MAX)
        .max_concurrent_streams(limits::STREAMS_MAX)
        .handshake(client)
        .await;
    let mut connection = handshake.map_err(judge)?;
    let mut leaving = drain.has_begun();
    loop {
        tokio::select! {
            biased;
            next = connection.accept() => match next {
                Some(Ok((request, respond))) => begin(request, respond, &handle),
                Some(Err(error)) => return blame(error),
                None => return Ok(()),
            },
            () = drain.begins(), if !leaving => {
                leaving = true;
                connection.graceful_shutdown();
            }
        }
    }
}

fn begin<H, F>(request: Request<h2::RecvStream>, mut respond: SendResponse<Bytes>, handle: &H)
where
    H: Fn(Call) -> F,
    F: Future<Output = Option<Response<Payload>>> + 'static,
{
    if request.method() == Method::CONNECT {
        let (head, receive) = request.into_parts();
        let call = Call::Tunnel(Request::from_parts(head, ()), Tunnel { receive, respond });
        let handling = handle(call);
        tokio::task::spawn_local(async move { drop(handling.await) });
        return;
    }
    let handling = handle(Call::Request(request.map(Payload::http2)));
    tokio::task::spawn_local(async move {
        let response = tokio::select! {
            biased;
            response = handling => response,
            // The client has given up: so do we, and whoever works on it is told by the same reset.
            _ = poll_fn(|cx| respond.poll_reset(cx)) => None,
        };
        if let Some(response) = response {
            answer(respond, response).await;
        }
    });
}

async fn answer(mut respond: SendResponse<Bytes>, response: Response<Payload>) {
    let (mut head, body) = response.into_parts();
    headers::strip_hop(&mut head.headers);
    head.version = http::Version::HTTP_2;
    let end = body.is_end_stream();
    match respond.send_response(Response::from_parts(head, ()), end) {
        Ok(_) if end => {}
        Ok(send) => carry(body, send).await,
        Err(error) => {
            tracing::debug!(%error, "an answer could not be sent");
            respond.send_reset(Code::INTERNAL_ERROR);
        }
    }
}

fn judge(error: h2::Error) -> Refusal {
    if error.is_io() {
        return Refusal::midway(Reason::ClientAborted, format!("the client went away: {error}"));
    }
    Refusal::midway(Reason::BadRequest, format!("the client broke HTTP/2: {error}"))
}

/// A connection that ends by a plain goodbye, or by a client that closes it, is nobody's fault.
fn blame(error: h2::Error) -> Result<(), Refusal> {
    let polite = error.reason() == Some(Code::NO_ERROR) || error.is_io();
    if polite { Ok(()) } else { Err(judge(error)) }
}
