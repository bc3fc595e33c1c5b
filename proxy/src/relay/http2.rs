//! Serving streams to an HTTP/2 client: the app's own, or a peer proxy's.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    task::Context,
};

use bytes::BytesMut;
use http::{
    Method, Request, Response, StatusCode,
    header::{CONTENT_LENGTH, UPGRADE},
};
use http_body::Body;

use super::{
    call::{Answer, Aside, Call, Switch, Switched},
    headers,
    send::carry,
};
use crate::{
    config::Limits,
    connect::Pipe,
    drain::Drain,
    hop,
    http2::{Arrived, By, Code, Error, Protocol, Receiver, Sender, Server, Transport},
    payload::Payload,
    refusal::{Reason, Refusal},
};

/// What a client asks for on one stream.
pub enum Stream {
    /// A request, to be answered.
    Call(Call),
    /// A tunnel for opaque bytes; only a peer proxy may ask for one.
    Tunnel(Box<Request<()>>, Tunnel),
    /// A request that was refused, and answered.
    Refused(Refusal),
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
    receive: Receiver,
    send: Sender,
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
    pub fn refuse(self, refusal: &Refusal) {
        let mut response = Response::new(());
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        response.headers_mut().insert(hop::REASON, http::HeaderValue::from_static(refusal.reason.word()));
        // A client that has gone needs no answer.
        let _ = self.send.answer(&response.into_parts().0, true);
    }

    fn open(self, head: Response<()>) -> Result<Pipe, Refusal> {
        let gone = |error| Refusal::new(Reason::ClientAborted, format!("the peer gave its tunnel up: {error}"));
        self.send.answer(&head.into_parts().0, false).map_err(gone)?;
        Ok(Pipe::tunnel(self.receive, self.send))
    }
}

/// Serves every stream of `client`, of which `seen` was read already, until either side has had enough. `handle` is given each of them, and runs in a task of
/// its own; it answers calls, and sees to tunnels itself.
///
/// # Errors
/// What the client did wrong. It has been told already.
pub async fn serve<IO, H, F>(
    client: IO,
    seen: BytesMut,
    whose: Whose,
    limits: Limits,
    mut drain: Drain,
    handle: H,
) -> Result<(), Refusal>
where
    IO: Transport,
    H: Fn(Stream) -> F + Clone + 'static,
    F: Future<Output = Option<Answer>> + 'static,
{
    let mut server = Server::new(client, seen, limits.http2(whose == Whose::Peer));
    let mut leaving = drain.has_begun();
    loop {
        tokio::select! {
            biased;
            next = server.accept() => match next {
                Some(Ok((arrived, receive, send))) => begin(arrived, Tunnel { receive, send }, whose, &handle),
                Some(Err(error)) => return blame(error),
                None => return Ok(()),
            },
            () = drain.begins(), if !leaving => {
                leaving = true;
                server.leave();
            }
        }
    }
}

fn begin<H, F>(arrived: Arrived, stream: Tunnel, whose: Whose, handle: &H)
where
    H: Fn(Stream) -> F + Clone + 'static,
    F: Future<Output = Option<Answer>> + 'static,
{
    let handle = handle.clone();
    let request = match arrived {
        Arrived::Request(request) => request,
        Arrived::TooLong => return drop(tokio::task::spawn_local(refuse_too_long(stream, handle))),
    };
    match switch(&request, whose) {
        Some(Switch::No) => {
            let Tunnel { receive, send } = stream;
            let request = Box::new(request.map(|()| Payload::http2(receive)));
            let aside = Aside::default();
            tokio::task::spawn_local(async move {
                let call = Call { request, switch: Switch::No, aside: aside.clone() };
                let handled = handled(pin!(handle(Stream::Call(call))), &send, &aside).await;
                if let Some(answer) = handled {
                    self::answer(send, answer, &aside).await;
                }
            });
        }
        Some(switch) => {
            tokio::task::spawn_local(async move {
                let aside = Aside::default();
                let request = Box::new(request.map(|()| Payload::empty()));
                let call = Call { request, switch, aside: aside.clone() };
                match Box::pin(handled(pin!(handle(Stream::Call(call))), &stream.send, &aside)).await {
                    Some(Answer::Switched(switched)) => switch_to(stream, switched).await,
                    Some(answer) => self::answer(stream.send, answer, &aside).await,
                    None => {}
                }
            });
        }
        None => {
            let request = Box::new(request);
            tokio::task::spawn_local(async move { drop(handle(Stream::Tunnel(request, stream)).await) });
        }
    }
}

/// RFC 6585, section 5.
async fn refuse_too_long<H, F>(stream: Tunnel, handle: H)
where
    H: Fn(Stream) -> F,
    F: Future<Output = Option<Answer>>,
{
    let refusal = Refusal::new(Reason::TooLarge, "the header fields of a request are larger than this proxy takes");
    let mut response = super::refuse(&refusal, None);
    *response.status_mut() = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
    handle(Stream::Refused(refusal)).await;
    answer(stream.send, Answer::Message(response), &Aside::default()).await;
}

/// What a request asks for besides an answer; `None` for a tunnel of the mesh's own, which is no request at all.
fn switch(request: &Request<()>, whose: Whose) -> Option<Switch> {
    if whose == Whose::Peer
        && let Some(protocols) = hop::upgrade(request.headers())
    {
        return Some(Switch::Upgrade(protocols.clone()));
    }
    if request.method() != Method::CONNECT {
        return Some(Switch::No);
    }
    match request.extensions().get::<Protocol>() {
        Some(protocol) => Some(Switch::Extended(protocol.clone())),
        None if whose == Whose::Peer && !hop::is_request(request.headers()) => None,
        None => Some(Switch::Connect),
    }
}

/// Waits for `handling`, and sends what it has to say meanwhile. `None` when the client has given up: then whoever works
/// on it is stopped.
async fn handled(mut handling: Pin<&mut impl Future<Output = Option<Answer>>>, send: &Sender, aside: &Aside) -> Option<Answer> {
    poll_fn(|cx: &mut Context<'_>| {
        let handled = handling.as_mut().poll(cx);
        while let Some(interim) = aside.next_interim() {
            // A client that has gone shows below.
            let _ = send.answer(&interim.into_parts().0, false);
        }
        if handled.is_ready() {
            return handled;
        }
        send.poll_broken(cx).map(|error| {
            aside.given_up.with(error.code().unwrap_or(Code::CANCEL));
            None
        })
    })
    .await
}

async fn answer(send: Sender, answer: Answer, aside: &Aside) {
    let response = match answer {
        Answer::Message(response) => response,
        Answer::Reset { code, .. } => return send.reset(code),
        // Nobody asked for it.
        Answer::Switched(_) => return send.reset(Code::INTERNAL_ERROR),
    };
    let (mut head, mut body) = response.into_parts();
    headers::strip_hop(&mut head.headers);
    head.version = http::Version::HTTP_2;
    let end = body.is_end_stream();
    match send.answer(&head, end) {
        Ok(()) if end => {}
        Ok(()) => {
            // A server that dies amid its answer must not look like a client that gave up.
            if let Some(code) = carry(&mut body, &send, Code::INTERNAL_ERROR).await {
                aside.given_up.with(code);
            }
        }
        Err(error) => tracing::debug!(%error, "an answer came too late"),
    }
}

/// HTTP/2 knows no 101: to a peer the same is said with 200 and a header of the hop's.
async fn switch_to(tunnel: Tunnel, switched: Box<Switched>) {
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

fn judge(error: Error) -> Refusal {
    let reason = match error {
        Error::Lost(_) => return Refusal::midway(Reason::ClientAborted, format!("the client went away: {error}")),
        // Ours: it was we who had enough.
        Error::Goodbye { code: Code::ENHANCE_YOUR_CALM, by: By::Us, .. } => Reason::ClientFlood,
        _ => Reason::BadRequest,
    };
    Refusal::midway(reason, format!("the client broke HTTP/2: {error}"))
}

/// A connection that ends by a plain goodbye, or by a client that closes it, is nobody's fault.
fn blame(error: Error) -> Result<(), Refusal> {
    let polite = error.code().is_none_or(|code| code == Code::NO_ERROR);
    if polite { Ok(()) } else { Err(judge(error)) }
}
