//! Sending a body on an HTTP/2 stream, no faster than its receiver takes it.

use std::future::poll_fn;

use bytes::{Buf, Bytes};
use futures_util::FutureExt;
use h2::{Reason as Code, SendStream};
use http_body::{Body, Frame};
use http_body_util::BodyExt;

use crate::payload::Broken;

/// Sends `body` on an HTTP/2 stream, no faster than its receiver takes it. A body that breaks off resets the stream, with
/// the code it broke off with or with `otherwise`. Returns the code with which the receiver has given up, if it has.
pub(super) async fn carry<B>(body: &mut B, send: &mut SendStream<Bytes>, otherwise: Code) -> Option<Code>
where
    B: Body<Data = Bytes, Error = Broken> + Unpin,
{
    loop {
        let frame = tokio::select! {
            biased;
            frame = body.frame() => frame,
            code = poll_fn(|cx| send.poll_reset(cx)) => return code.ok(),
        };
        let sent = match frame {
            Some(Ok(frame)) => forward(frame, send, body.is_end_stream()).await,
            Some(Err(broken)) => {
                // A reset throws away what still waits to be sent: let it go first.
                tokio::task::yield_now().await;
                send.send_reset(code(&broken).unwrap_or(otherwise));
                return None;
            }
            None => {
                // The receiver may have gone; then there is nobody to tell.
                let _ = send.send_data(Bytes::new(), true);
                return None;
            }
        };
        match sent {
            Sent::More => {}
            Sent::All => return None,
            Sent::ReceiverGone => return poll_fn(|cx| send.poll_reset(cx)).now_or_never().and_then(Result::ok),
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

/// The code that passes on why a body broke off, if that was told by one.
fn code(broken: &Broken) -> Option<Code> {
    match broken {
        Broken::Http1(_) => None,
        Broken::Http2(error) => error.reason(),
    }
}
