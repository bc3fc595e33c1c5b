//! Serving requests to an HTTP/1.1 client.

use std::{pin::pin, time::Duration};

use bytes::BytesMut;
use http::{
    Method, Request, Response, Version,
    header::{CONTENT_LENGTH, UPGRADE},
};
use http_body::Body as _;
use tokio::net::TcpStream;

use super::{
    answer,
    call::{Answer, Aside, Call, Switch, Switched},
    headers,
};
use crate::{
    config::Limits,
    connect::Pipe,
    detect::Peeked,
    drain::Drain,
    http1::{self, Conn, Handled, Incoming, Malformed, Sent, Server},
    payload::{Broken, Payload},
    refusal::{Reason, Refusal},
};

/// Serves every request of `client` with `handle`, until either side has had enough. A head must be complete within
/// `head_max` of its first byte.
///
/// # Errors
/// What the client did wrong. It has been answered already.
pub async fn serve<H, F>(client: Peeked, head_max: Duration, limits: Limits, mut drain: Drain, handle: H) -> Result<(), Refusal>
where
    H: Fn(Call) -> F,
    F: Future<Output = Answer>,
{
    let (seen, stream): (BytesMut, TcpStream) = client.into_parts();
    let mut server = Server::new(Conn::new(stream, seen, http1::Room::from(&limits)));
    loop {
        tokio::select! {
            biased;
            stirred = server.stirs() => stirred.map_err(|error| gone(&error))?,
            () = drain.begins() => return Ok(()),
        }
        let request = match server.next(head_max).await {
            Incoming::Request(request) => request,
            // Between requests a client may close as it likes, however rudely.
            Incoming::Gone => return Ok(()),
            Incoming::Malformed(why) => return refuse(server, malformed(why), why.status()).await,
            Incoming::Slow => {
                let refusal = Refusal::new(Reason::ClientSlow, format!("no whole request within {} s", head_max.as_secs_f32()));
                let status = refusal.reason.status();
                return refuse(server, refusal, status).await;
            }
        };
        let aside = Aside::default();
        let call = call(request, aside.clone());
        let handled = server.handle(pin!(handle(call)), || aside.next_interim()).await;
        let answered = match handled {
            Handled::Answered(answered) => answered,
            Handled::Aborted(error) => return Err(gone(&error)),
            Handled::Malformed(why) => return refuse(server, malformed(why), why.status()).await,
        };
        let mut response = match answered {
            Answer::Message(response) => response,
            Answer::Switched(switched) => return Box::pin(switch(server, switched)).await,
            Answer::Reset { refusal, .. } => answer::refuse(&refusal, None),
        };
        headers::strip_hop(response.headers_mut());
        match server.answer(response, drain.has_begun()).await {
            Ok(true) => {}
            Ok(false) => {
                server.close().await;
                return Ok(());
            }
            Err(why) => {
                server.break_off();
                return Err(unsent(&why));
            }
        }
    }
}

/// The request as a call.
fn call(request: Request<http1::Body>, aside: Aside) -> Call {
    let switch = if *request.method() == Method::CONNECT { Switch::Connect } else { upgrade(&request) };
    Call { request: Box::new(request.map(Payload::http1)), switch, aside }
}

/// What the request would upgrade to. A server may always ignore that it was asked (RFC 9110, section 7.8), and so do we
/// when the request has a body; and when it asks for HTTP/2, which would go past everything that looks at requests.
fn upgrade(request: &Request<http1::Body>) -> Switch {
    let asked = request.version() == Version::HTTP_11 && http1::names(request.headers(), "upgrade");
    let mut values = request.headers().get_all(UPGRADE).iter();
    match (values.next(), values.next()) {
        (Some(value), None) if asked && request.body().is_end_stream() && !is_http2(value.as_bytes()) => {
            Switch::Upgrade(value.clone())
        }
        _ => Switch::No,
    }
}

fn is_http2(protocols: &[u8]) -> bool {
    protocols.split(|byte| *byte == b',').any(|protocol| {
        let protocol = protocol.trim_ascii().to_ascii_lowercase();
        protocol.starts_with(b"h2") || protocol.starts_with(b"http/")
    })
}

async fn switch(server: Server, switched: Box<Switched>) -> Result<(), Refusal> {
    let mut head = switched.head.clone();
    // Its name for the protocol is the server's answer; everything else of the hop's is ours to say.
    let protocol = head.headers_mut().remove(UPGRADE);
    headers::strip_hop(head.headers_mut());
    head.headers_mut().remove(CONTENT_LENGTH);
    if let Some(protocol) = protocol {
        head.headers_mut().insert(UPGRADE, protocol);
    }
    let conn = server.switch(head).await.map_err(|error| gone(&error))?;
    if let Some((stream, seen)) = conn.into_parts() {
        switched.carry(Pipe::client(stream, seen)).await;
    }
    Ok(())
}

/// Tells a client what is wrong with its request, and closes.
async fn refuse(mut server: Server, refusal: Refusal, status: http::StatusCode) -> Result<(), Refusal> {
    let mut response: Response<Payload> = answer::refuse(&refusal, None);
    *response.status_mut() = status;
    // It may have gone already; what is wrong is told to our operator all the same.
    if server.answer(response, true).await.is_ok() {
        server.close().await;
    }
    Err(refusal)
}

fn malformed(why: Malformed) -> Refusal {
    let too_large = matches!(why, Malformed::HeadTooLarge | Malformed::TargetTooLong);
    let reason = if too_large { Reason::TooLarge } else { Reason::BadRequest };
    Refusal::midway(reason, format!("the client's request is malformed: {why}"))
}

fn gone(error: &std::io::Error) -> Refusal {
    Refusal::midway(Reason::ClientAborted, format!("the client went away: {error}"))
}

fn unsent(why: &Sent<Broken>) -> Refusal {
    match why {
        Sent::ReceiverGone(error) => gone(error),
        Sent::Broken(error @ Broken::Http1(http1::Broken::Malformed(_))) => {
            Refusal::midway(Reason::BadResponse, format!("the answer is malformed: {error}"))
        }
        Sent::Broken(Broken::GivenUp(why)) => Refusal::midway(Reason::IdleTimeout, format!("the answer broke off: {why}")),
        Sent::Broken(error) => Refusal::midway(Reason::ServerAborted, format!("the answer broke off: {error}")),
        Sent::WrongLength => Refusal::midway(Reason::BadResponse, "the answer is not as long as it says"),
    }
}
