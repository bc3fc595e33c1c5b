//! Sending a body on an HTTP/2 stream, no faster than its receiver takes it.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame};

use crate::{
    http2::{Code, Error, Sender},
    payload::Broken,
};

/// Sends `body` on an HTTP/2 stream, no faster than its receiver takes it. A body that breaks off resets the stream, with
/// the code it broke off with or with `otherwise`. Returns the code with which the receiver has given up, if it has.
pub(super) async fn carry<B>(body: &mut B, send: &Sender, otherwise: Code) -> Option<Code>
where
    B: Body<Data = Bytes, Error = Broken> + Unpin,
{
    let sent = poll_fn(|cx| poll_carry(body, send, otherwise, cx)).await;
    sent.err().and_then(|error| error.code())
}

fn poll_carry<B>(body: &mut B, send: &Sender, otherwise: Code, cx: &mut Context<'_>) -> Poll<Result<(), Error>>
where
    B: Body<Data = Bytes, Error = Broken> + Unpin,
{
    loop {
        ready!(send.poll_ready(cx))?;
        let Poll::Ready(frame) = Pin::new(&mut *body).poll_frame(cx) else {
            return send.poll_broken(cx).map(Err);
        };
        let ended = match frame {
            Some(Ok(frame)) => forward(frame, send, body.is_end_stream())?,
            Some(Err(broken)) => {
                send.reset(code(&broken).unwrap_or(otherwise));
                true
            }
            None => {
                send.send(Bytes::new(), true)?;
                true
            }
        };
        if ended {
            return Poll::Ready(Ok(()));
        }
    }
}

/// Sends one frame, and says whether it was the last.
fn forward(frame: Frame<Bytes>, send: &Sender, last: bool) -> Result<bool, Error> {
    match frame.into_data() {
        Ok(data) => send.send(data, last).map(|()| last),
        Err(frame) => send.send_trailers(frame.into_trailers().unwrap_or_default()).map(|()| true),
    }
}

/// The code that passes on why a body broke off, if that was told by one.
fn code(broken: &Broken) -> Option<Code> {
    match broken {
        Broken::Http1(_) | Broken::GivenUp(_) => None,
        Broken::Http2(error) => error.code(),
    }
}
