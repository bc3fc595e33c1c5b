//! Over HTTP/2: to a peer proxy, or to the app.

use std::{
    future::poll_fn,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{
    Request, Response, StatusCode,
    header::{CONTENT_LENGTH, UPGRADE},
};
use http_body::Body;

use super::{Exchanged, Outgoing, Unanswered};
use crate::{
    connect::Pipe,
    hop,
    http2::{By, Client, Code, Error, Receiver, Sender},
    payload::{Asked, KEPT_MAX, Payload, Replayable, replayable},
    refusal::{Reason, Refusal},
    relay::{
        call::{Aside, Switch},
        headers,
        send::carry,
    },
};

pub(super) async fn exchange(client: &Client, mesh: bool, outgoing: Outgoing) -> Result<Exchanged, Unanswered> {
    let Outgoing { mut request, switch, aside, .. } = outgoing;
    headers::toward_http2(&mut request);
    if switch != Switch::No {
        // What follows is no body, and may be longer than none.
        request.headers_mut().remove(CONTENT_LENGTH);
    }
    match &switch {
        Switch::Upgrade(protocols) => hop::ask_upgrade(request.headers_mut(), protocols.clone()),
        Switch::Extended(protocol) => drop(request.extensions_mut().insert(protocol.clone())),
        Switch::Connect => headers::only_authority(&mut request),
        Switch::No => {}
    }
    let end = switch == Switch::No && request.body().is_end_stream();
    let (receive, send) = match client.request(&request, end) {
        Ok(stream) => stream,
        Err(error) => return Err(unanswered(&error, Some(request))),
    };
    if switch != Switch::No {
        return switched(switch, receive, &aside, send, mesh).await;
    }
    // Whoever refuses a request before it looked at it lets us try again.
    if end {
        let answered = poll_fn(|cx| poll_answer(&receive, &aside, cx)).await;
        let asked = Asked { send, given_up: aside.given_up };
        return match answered {
            Ok(response) => Ok(Exchanged::Message(response.map(|()| Payload::answer(receive, Some(asked))), None)),
            Err(error) => Err(unanswered(&error, Some(request))),
        };
    }
    let (body, kept) = replayable(std::mem::take(request.body_mut()), KEPT_MAX);
    match answer_while_sending(&receive, &aside, body, send).await {
        Ok((response, asked)) => Ok(Exchanged::Message(response.map(|()| Payload::answer(receive, asked)), None)),
        // Nobody sends any more when there is no answer.
        Err(error) => {
            let whole = kept.again().map(|body| {
                *request.body_mut() = body;
                request
            });
            Err(unanswered(&error, whole))
        }
    }
}

async fn switched(switch: Switch, receive: Receiver, aside: &Aside, send: Sender, mesh: bool) -> Result<Exchanged, Unanswered> {
    let answered = poll_fn(|cx| poll_answer(&receive, aside, cx)).await;
    let (mut head, ()) = answered.map_err(|error| unanswered(&error, None))?.into_parts();
    // Only a peer says by our own header what it was switched to.
    let upgraded = hop::take_upgraded(&mut head.headers).filter(|_| mesh);
    let agreed = match switch {
        Switch::Upgrade(_) => upgraded.is_some(),
        _ => head.status.is_success(),
    };
    if !agreed {
        // The other end waits for nothing from us.
        let _ = send.send(Bytes::new(), true);
        return Ok(Exchanged::Message(Response::from_parts(head, Payload::http2(receive)), None));
    }
    if let Some(protocol) = upgraded {
        head.status = StatusCode::SWITCHING_PROTOCOLS;
        head.headers.insert(UPGRADE, protocol);
    }
    Ok(Exchanged::Switched(Response::from_parts(head, ()), Pipe::tunnel(receive, send)))
}

/// Waits for the final answer; interim ones are passed on.
fn poll_answer(receive: &Receiver, aside: &Aside, cx: &Context<'_>) -> Poll<Result<Response<()>, Error>> {
    while let Some(interim) = receive.interim() {
        aside.interim(interim);
    }
    receive.poll_answer(cx)
}

/// Waits for the answer and sends the body meanwhile. What is left of the body when the answer comes goes on by itself.
async fn answer_while_sending(
    receive: &Receiver,
    aside: &Aside,
    mut body: Replayable,
    send: Sender,
) -> Result<(Response<()>, Option<Asked>), Error> {
    let mut sending = Box::pin(async move {
        carry(&mut body, &send, Code::CANCEL).await;
        send
    });
    let mut sent = None;
    let answered = poll_fn(|cx| {
        if let Poll::Ready(answered) = poll_answer(receive, aside, cx) {
            return Poll::Ready(answered);
        }
        if sent.is_none()
            && let Poll::Ready(send) = sending.as_mut().poll(cx)
        {
            sent = Some(send);
        }
        Poll::Pending
    })
    .await;
    let response = answered?;
    let asked = sent.map(|send| Asked { send, given_up: aside.given_up.clone() });
    if asked.is_none() {
        tokio::task::spawn_local(sending);
    }
    Ok((response, asked))
}

fn unanswered(error: &Error, kept: Option<Box<Request<Payload>>>) -> Unanswered {
    let detail = format!("the server broke the request off: {error}");
    match (kept, error) {
        (Some(request), _) if error.is_untouched() => Unanswered::Unsent(Refusal::new(Reason::ServerAborted, detail), request),
        (_, Error::Reset { code, by: By::Peer, .. }) => Unanswered::Reset(Refusal::midway(Reason::ServerAborted, detail), *code),
        // We found fault with what came.
        (_, Error::Reset { by: By::Us, .. } | Error::Goodbye { by: By::Us, .. }) => {
            Unanswered::Lost(Refusal::midway(Reason::BadResponse, detail))
        }
        _ => Unanswered::Lost(Refusal::midway(Reason::ServerAborted, detail)),
    }
}
