//! Serving streams to an HTTP/2 client: the app's own, or a peer proxy's.

use std::{
    future::poll_fn,
    pin::pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use h2::{Reason as Code, SendStream, ext::Protocol, server::SendResponse};
use http::{
    Method, Request, Response, StatusCode,
    header::{CONTENT_LENGTH, UPGRADE},
};
use http_body::Body;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{
    call::{Answer, Aside, Call, Switch, Switched},
    headers,
    send::carry,
};
use crate::{
    config::{FRAME_MAX, Limits, SHARED_SMALL_DATA_MAX, SMALL_DATA_MAX},
    connect::Pipe,
    drain::Drain,
    hop,
    payload::Payload,
    refusal::{Reason, Refusal},
};

/// What a client asks for on one stream.
pub enum Stream {
    /// A request, to be answered.
    Call(Call),
    /// A tunnel for opaque bytes; only a peer proxy may ask for one.
    Tunnel(Request<()>, Tunnel),
}

/// Whose streams they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// An application's.
    App,
    /// A peer proxy's.
    Peer,
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
    pub fn grant(self) -> Result<Pipe, Refusal> {
        self.open(Response::new(()))
    }

    /// Refuses it, and says why.
    pub fn refuse(mut self, refusal: &Refusal) {
        let mut response = Response::new(());
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        response.headers_mut().insert(hop::REASON, http::HeaderValue::from_static(refusal.reason.word()));
        // A client that has gone needs no answer.
        let _ = self.respond.send_response(response, true);
    }

    fn open(mut self, head: Response<()>) -> Result<Pipe, Refusal> {
        let gone = |error| Refusal::new(Reason::ClientAborted, format!("the peer gave its tunnel up: {error}"));
        let send: SendStream<Bytes> = self.respond.send_response(head, false).map_err(gone)?;
        Ok(Pipe::tunnel(self.receive, send))
    }
}

/// Serves every stream of `client` until either side has had enough. `handle` is given each of them, and runs in a task of
/// its own; it answers calls, and sees to tunnels itself.
///
/// # Errors
/// What the client did wrong. It has been told already.
pub async fn serve<IO, H, F>(client: IO, whose: Whose, limits: Limits, mut drain: Drain, handle: H) -> Result<(), Refusal>
where
    IO: AsyncRead + AsyncWrite + Unpin,
    H: Fn(Stream) -> F + 'static,
    F: Future<Output = Option<Answer>> + 'static,
{
    let mut builder = h2::server::Builder::new();
    builder
        .initial_window_size(limits.stream_window)
        .initial_connection_window_size(limits.connection_window)
        .max_frame_size(FRAME_MAX)
        .max_header_list_size(limits.head_bytes)
        .data_frame_budget(SMALL_DATA_MAX)
        .max_concurrent_streams(limits.streams)
        .enable_connect_protocol();
    if whose == Whose::Peer {
        // A peer passes on what its clients give up, all of them on one connection: no flood of its own.
        builder
            .max_pending_accept_reset_streams(usize::try_from(limits.streams).unwrap_or(usize::MAX))
            .max_local_error_reset_streams(None)
            .data_frame_budget(SHARED_SMALL_DATA_MAX);
    }
    let handshake = builder.handshake(client).await;
    let mut connection = handshake.map_err(judge)?;
    let mut leaving = drain.has_begun();
    loop {
        tokio::select! {
            biased;
            next = connection.accept() => match next {
                Some(Ok((request, respond))) => begin(request, respond, whose, &handle),
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

fn begin<H, F>(request: Request<h2::RecvStream>, respond: SendResponse<Bytes>, whose: Whose, handle: &H)
where
    H: Fn(Stream) -> F,
    F: Future<Output = Option<Answer>> + 'static,
{
    let (head, receive) = request.into_parts();
    let switch = switch(&head, whose);
    if switch == Some(Switch::No) {
        let request = Request::from_parts(head, Payload::http2(receive));
        let aside = Aside::default();
        let handling = handle(Stream::Call(Call { request, switch: Switch::No, aside: aside.clone() }));
        tokio::task::spawn_local(async move {
            let mut respond = respond;
            if let Some(answer) = handled(handling, &mut respond, &aside).await {
                self::answer(respond, answer, &aside).await;
            }
        });
        return;
    }
    let tunnel = Tunnel { receive, respond };
    let Some(switch) = switch else {
        let handling = handle(Stream::Tunnel(Request::from_parts(head, ()), tunnel));
        tokio::task::spawn_local(async move { drop(handling.await) });
        return;
    };
    let request = Request::from_parts(head, Payload::empty());
    let aside = Aside::default();
    let handling = handle(Stream::Call(Call { request, switch, aside: aside.clone() }));
    tokio::task::spawn_local(async move {
        let mut tunnel = tunnel;
        match handled(handling, &mut tunnel.respond, &aside).await {
            Some(Answer::Switched(switched)) => switch_to(tunnel, switched).await,
            Some(answer) => self::answer(tunnel.respond, answer, &aside).await,
            None => {}
        }
    });
}

/// What a request asks for besides an answer; `None` for a tunnel of the mesh's own, which is no request at all.
fn switch(head: &http::request::Parts, whose: Whose) -> Option<Switch> {
    if whose == Whose::Peer
        && let Some(protocols) = hop::upgrade(&head.headers)
    {
        return Some(Switch::Upgrade(protocols.clone()));
    }
    if head.method != Method::CONNECT {
        return Some(Switch::No);
    }
    match head.extensions.get::<Protocol>() {
        Some(protocol) => Some(Switch::Extended(protocol.clone())),
        None if whose == Whose::Peer && !hop::is_request(&head.headers) => None,
        None => Some(Switch::Connect),
    }
}

/// Waits for `handling`, and sends what it has to say meanwhile. `None` when the client has given up: then whoever works
/// on it is stopped.
async fn handled(
    handling: impl Future<Output = Option<Answer>>,
    respond: &mut SendResponse<Bytes>,
    aside: &Aside,
) -> Option<Answer> {
    let mut handling = pin!(handling);
    poll_fn(|cx: &mut Context<'_>| {
        let handled = handling.as_mut().poll(cx);
        while let Some(interim) = aside.next_interim() {
            // A client that has gone shows below.
            let _ = respond.send_informational(interim);
        }
        if handled.is_ready() {
            return handled;
        }
        match respond.poll_reset(cx) {
            Poll::Ready(code) => {
                aside.given_up.with(code.unwrap_or(Code::CANCEL));
                Poll::Ready(None)
            }
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

async fn answer(mut respond: SendResponse<Bytes>, answer: Answer, aside: &Aside) {
    let response = match answer {
        Answer::Message(response) => response,
        Answer::Reset { code, .. } => return respond.send_reset(code),
        // Nobody asked for it.
        Answer::Switched(_) => return respond.send_reset(Code::INTERNAL_ERROR),
    };
    let (mut head, mut body) = response.into_parts();
    headers::strip_hop(&mut head.headers);
    head.version = http::Version::HTTP_2;
    let end = body.is_end_stream();
    match respond.send_response(Response::from_parts(head, ()), end) {
        Ok(_) if end => {}
        Ok(mut send) => {
            // A server that dies amid its answer must not look like a client that gave up.
            if let Some(code) = carry(&mut body, &mut send, Code::INTERNAL_ERROR).await {
                aside.given_up.with(code);
            }
        }
        Err(error) => {
            tracing::debug!(%error, "an answer could not be sent");
            respond.send_reset(Code::INTERNAL_ERROR);
        }
    }
}

/// HTTP/2 knows no 101: to a peer the same is said with 200 and a header of the hop's.
async fn switch_to(tunnel: Tunnel, switched: Switched) {
    let mut head = switched.head.clone();
    let protocol = head.headers_mut().remove(UPGRADE);
    headers::strip_hop(head.headers_mut());
    head.headers_mut().remove(CONTENT_LENGTH);
    if let Some(protocol) = protocol.filter(|_| head.status() == StatusCode::SWITCHING_PROTOCOLS) {
        hop::upgraded(head.headers_mut(), protocol);
        *head.status_mut() = StatusCode::OK;
    }
    *head.version_mut() = http::Version::HTTP_2;
    match tunnel.open(head) {
        Ok(client) => switched.carry(client).await,
        Err(refusal) => tracing::debug!(%refusal, "a switch came too late"),
    }
}

fn judge(error: h2::Error) -> Refusal {
    if error.is_io() {
        return Refusal::midway(Reason::ClientAborted, format!("the client went away: {error}"));
    }
    // Ours, when it was we who had enough.
    let flood = error.reason() == Some(Code::ENHANCE_YOUR_CALM) && !error.is_remote();
    let reason = if flood { Reason::ClientFlood } else { Reason::BadRequest };
    Refusal::midway(reason, format!("the client broke HTTP/2: {error}"))
}

/// A connection that ends by a plain goodbye, or by a client that closes it, is nobody's fault.
fn blame(error: h2::Error) -> Result<(), Refusal> {
    let polite = error.reason() == Some(Code::NO_ERROR) || error.is_io();
    if polite { Ok(()) } else { Err(judge(error)) }
}
