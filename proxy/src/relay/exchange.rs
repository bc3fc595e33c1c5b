//! One request out, one answer back.

use std::{future::poll_fn, pin::pin};

use bytes::{Buf, Bytes};
use h2::{Reason as Code, SendStream};
use http::{Request, Response, Version};
use http_body::{Body, Frame};
use http_body_util::BodyExt;

use super::headers;
use crate::{
    connect::{Http1Line, Multiplexed, RequestLine},
    payload::{Broken, Payload},
    refusal::{Reason, Refusal},
};

/// A request that did not get an answer.
pub struct Unsent {
    /// Why.
    pub refusal: Refusal,
    /// The request itself, when nothing of it was sent: it may be sent elsewhere.
    pub request: Option<Request<Payload>>,
}

/// An answer, and the line to give back when it has ended.
pub type Exchanged = (Response<Payload>, Option<Http1Line>);

/// Sends `request`, waits for the head of the answer. The rest of both bodies goes on by itself. `version` is what the
/// client spoke; an HTTP/1 server is spoken to in the same.
pub async fn exchange(line: RequestLine, request: Request<Payload>, version: Version) -> Result<Exchanged, Unsent> {
    match line {
        RequestLine::Http2 { sender, .. } => http2(sender, request).await.map(|response| (response, None)),
        RequestLine::Http1(line) => http1(line, request, version).await,
    }
}

async fn http1(mut line: Http1Line, request: Request<Payload>, version: Version) -> Result<Exchanged, Unsent> {
    let (mut head, body) = request.into_parts();
    // An HTTP/2 client's request is repeated to an HTTP/1 server as HTTP/1.1.
    headers::toward_http1(&mut head, if version == Version::HTTP_10 { version } else { Version::HTTP_11 });
    match line.sender.try_send_request(Request::from_parts(head, body)).await {
        Ok(response) => Ok((response.map(Payload::http1), Some(line))),
        Err(mut failed) => {
            let request = failed.take_message();
            let error = failed.into_error();
            let refusal = match request {
                Some(_) => Refusal::new(Reason::ServerAborted, format!("the server closed the connection: {error}")),
                None if error.is_parse() => {
                    Refusal::midway(Reason::BadResponse, format!("the server's answer is malformed: {error}"))
                }
                None => Refusal::midway(Reason::ServerAborted, format!("the server went away before it answered: {error}")),
            };
            Err(Unsent { refusal, request })
        }
    }
}

async fn http2(mut sender: Multiplexed, request: Request<Payload>) -> Result<Response<Payload>, Unsent> {
    let (mut head, body) = request.into_parts();
    headers::toward_http2(&mut head);
    let end = body.is_end_stream();
    let (response, send) = sender.send_request(Request::from_parts(head, ()), end).map_err(|error| {
        let refusal = Refusal::midway(Reason::ServerAborted, format!("the request could not be sent: {error}"));
        Unsent { refusal, request: None }
    })?;
    let answered = if end { response.await } else { answer_while_sending(response, body, send).await };
    match answered {
        Ok(response) => Ok(response.map(Payload::http2)),
        Err(error) => Err(Unsent { refusal: blame(&error), request: None }),
    }
}

/// Waits for the answer and sends the body meanwhile. What is left of the body when the answer comes goes on by itself.
async fn answer_while_sending(
    response: h2::client::ResponseFuture,
    body: Payload,
    send: SendStream<Bytes>,
) -> Result<Response<h2::RecvStream>, h2::Error> {
    let mut response = pin!(response);
    let mut sending = Box::pin(carry(body, send));
    tokio::select! {
        biased;
        answered = &mut response => {
            tokio::task::spawn_local(sending);
            return answered;
        }
        () = &mut sending => {}
    }
    response.await
}

fn blame(error: &h2::Error) -> Refusal {
    let detail = format!("the server broke the request off: {error}");
    match error.reason() {
        // RFC 9113, section 8.7: nothing of it was processed.
        Some(Code::REFUSED_STREAM) => Refusal::new(Reason::ServerAborted, detail),
        Some(Code::PROTOCOL_ERROR | Code::FRAME_SIZE_ERROR | Code::COMPRESSION_ERROR) => {
            Refusal::midway(Reason::BadResponse, detail)
        }
        _ => Refusal::midway(Reason::ServerAborted, detail),
    }
}

/// Sends `body` on an HTTP/2 stream, no faster than its receiver takes it. A body that breaks off resets the stream; a
/// receiver that gives up ends it.
pub(super) async fn carry(mut body: Payload, mut send: SendStream<Bytes>) {
    loop {
        let frame = tokio::select! {
            biased;
            frame = body.frame() => frame,
            _ = poll_fn(|cx| send.poll_reset(cx)) => return,
        };
        let sent = match frame {
            Some(Ok(frame)) => forward(frame, &mut send, body.is_end_stream()).await,
            Some(Err(broken)) => return send.send_reset(code(&broken)),
            None => {
                // The receiver may have gone; then there is nobody to tell.
                let _ = send.send_data(Bytes::new(), true);
                return;
            }
        };
        match sent {
            Sent::More => {}
            Sent::All => return,
            Sent::ReceiverGone => return,
        }
    }
}

enum Sent {
    More,
    All,
    ReceiverGone,
}

async fn forward(frame: Frame<Bytes>, send: &mut SendStream<Bytes>, last: bool) -> Sent {
    let data = match frame.into_data() {
        Ok(data) => data,
        Err(frame) => {
            let trailers = frame.into_trailers().unwrap_or_default();
            return if send.send_trailers(trailers).is_ok() { Sent::All } else { Sent::ReceiverGone };
        }
    };
    match send_data(data, send, last).await {
        Err(Gone) => Sent::ReceiverGone,
        Ok(()) if last => Sent::All,
        Ok(()) => Sent::More,
    }
}

/// The receiver takes no more.
pub(super) struct Gone;

/// Sends `data` as the receiver's flow control allows; `last` ends the stream with it.
pub(super) async fn send_data(mut data: Bytes, send: &mut SendStream<Bytes>, last: bool) -> Result<(), Gone> {
    while data.has_remaining() {
        send.reserve_capacity(data.len());
        let granted = loop {
            match poll_fn(|cx| send.poll_capacity(cx)).await {
                Some(Ok(0)) => {}
                Some(Ok(granted)) => break granted,
                Some(Err(_)) | None => return Err(Gone),
            }
        };
        let piece = data.split_to(granted.min(data.len()));
        let end = last && data.is_empty();
        send.send_data(piece, end).map_err(|_| Gone)?;
    }
    Ok(())
}

/// The reset that passes on why a body broke off.
fn code(broken: &Broken) -> Code {
    match broken {
        Broken::Http1(_) => Code::CANCEL,
        Broken::Http2(error) => error.reason().unwrap_or(Code::CANCEL),
    }
}
