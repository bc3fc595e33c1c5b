//! Over HTTP/2: to a peer proxy, or to the app.

use std::{future::poll_fn, pin::pin, task::Poll};

use bytes::Bytes;
use h2::{Reason as Code, SendStream, client::ResponseFuture};
use http::{
    Request, Response, StatusCode,
    header::{CONTENT_LENGTH, UPGRADE},
};
use http_body::Body;

use super::{Exchanged, Outgoing, Unanswered};
use crate::{
    connect::{Multiplexed, Pipe},
    hop,
    payload::{Asked, Payload, Replayable, replayable},
    refusal::{Reason, Refusal},
    relay::{
        call::{Aside, Switch},
        headers,
        send::carry,
    },
};

pub(super) async fn exchange(mut sender: Multiplexed, mesh: bool, outgoing: Outgoing) -> Result<Exchanged, Unanswered> {
    let Outgoing { request, switch, aside, .. } = outgoing;
    let (mut head, body) = request.into_parts();
    headers::toward_http2(&mut head);
    if switch != Switch::No {
        // What follows is no body, and may be longer than none.
        head.headers.remove(CONTENT_LENGTH);
    }
    match &switch {
        Switch::Upgrade(protocols) => hop::ask_upgrade(&mut head.headers, protocols.clone()),
        Switch::Extended(protocol) => drop(head.extensions.insert(protocol.clone())),
        Switch::Connect => headers::only_authority(&mut head),
        Switch::No => {}
    }
    let end = switch == Switch::No && body.is_end_stream();
    // Whoever refuses a request before it looked at it lets us try again; that takes a copy.
    let copy = head.clone();
    let sent = sender.send_request(Request::from_parts(head, ()), end);
    let (mut response, send) = sent.map_err(|error| {
        Unanswered::Lost(Refusal::midway(Reason::ServerAborted, format!("the request could not be sent: {error}")))
    })?;
    let given_up = aside.given_up.clone();
    let (answered, kept) = match switch {
        Switch::No if end => {
            let asked = Asked { send, given_up };
            (answer(&mut response, &aside).await.map(|response| (response, Some(asked))), Some(body))
        }
        Switch::No => {
            let (body, kept) = replayable(body);
            let answered = answer_while_sending(response, &aside, body, send).await;
            // Nobody sends any more when there is no answer.
            let kept = if answered.is_ok() { None } else { kept.again() };
            (answered, kept)
        }
        switch => return switched(switch, response, &aside, send, mesh).await,
    };
    match answered {
        Ok((response, asked)) => Ok(Exchanged::Message(response.map(|body| Payload::answer(body, asked)), None)),
        Err(error) => Err(unanswered(&error, kept.map(|body| Request::from_parts(copy, body)))),
    }
}

async fn switched(
    switch: Switch,
    mut response: ResponseFuture,
    aside: &Aside,
    mut send: SendStream<Bytes>,
    mesh: bool,
) -> Result<Exchanged, Unanswered> {
    let answered = answer(&mut response, aside).await.map_err(|error| unanswered(&error, None))?;
    let (mut head, receive) = answered.into_parts();
    // Only a peer says by our own header what it was switched to.
    let upgraded = hop::take_upgraded(&mut head.headers).filter(|_| mesh);
    let agreed = match switch {
        Switch::Upgrade(_) => upgraded.is_some(),
        _ => head.status.is_success(),
    };
    if !agreed {
        // The other end waits for nothing from us.
        let _ = send.send_data(Bytes::new(), true);
        return Ok(Exchanged::Message(Response::from_parts(head, Payload::http2(receive)), None));
    }
    if let Some(protocol) = upgraded {
        head.status = StatusCode::SWITCHING_PROTOCOLS;
        head.headers.insert(UPGRADE, protocol);
    }
    Ok(Exchanged::Switched(Response::from_parts(head, ()), Pipe::tunnel(receive, send)))
}

/// Waits for the final answer; interim ones are passed on.
async fn answer(response: &mut ResponseFuture, aside: &Aside) -> Result<Response<h2::RecvStream>, h2::Error> {
    poll_fn(|cx| {
        while let Poll::Ready(Some(interim)) = response.poll_informational(cx) {
            aside.interim(interim?);
        }
        std::pin::Pin::new(&mut *response).poll(cx)
    })
    .await
}

/// Waits for the answer and sends the body meanwhile. What is left of the body when the answer comes goes on by itself.
async fn answer_while_sending(
    mut response: ResponseFuture,
    aside: &Aside,
    mut body: Replayable,
    mut send: SendStream<Bytes>,
) -> Result<(Response<h2::RecvStream>, Option<Asked>), h2::Error> {
    let mut answer = pin!(answer(&mut response, aside));
    let mut sending = Box::pin(async move {
        carry(&mut body, &mut send, Code::CANCEL).await;
        send
    });
    let send = tokio::select! {
        biased;
        answered = &mut answer => {
            if answered.is_ok() {
                tokio::task::spawn_local(sending);
            }
            return answered.map(|response| (response, None));
        }
        send = &mut sending => send,
    };
    let asked = Asked { send, given_up: aside.given_up.clone() };
    answer.await.map(|response| (response, Some(asked)))
}

fn unanswered(error: &h2::Error, kept: Option<Request<Payload>>) -> Unanswered {
    let detail = format!("the server broke the request off: {error}");
    let untouched = error.reason() == Some(Code::REFUSED_STREAM) || (error.is_go_away() && error.is_remote());
    match (kept, error.reason()) {
        // RFC 9113, sections 6.8 and 8.7: nothing of it was processed, whatever its method.
        (Some(request), _) if untouched => Unanswered::Unsent(Refusal::new(Reason::ServerAborted, detail), Box::new(request)),
        (_, Some(code)) if error.is_reset() && error.is_remote() => {
            Unanswered::Reset(Refusal::midway(Reason::ServerAborted, detail), code)
        }
        (_, Some(Code::PROTOCOL_ERROR | Code::FRAME_SIZE_ERROR | Code::COMPRESSION_ERROR)) => {
            Unanswered::Lost(Refusal::midway(Reason::BadResponse, detail))
        }
        _ => Unanswered::Lost(Refusal::midway(Reason::ServerAborted, detail)),
    }
}
