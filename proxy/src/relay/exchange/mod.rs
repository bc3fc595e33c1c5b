//! One request out, one answer back.

mod http1;
mod http2;
mod websocket;

use http::{Request, Version};

use super::call::{Aside, Switch};
use crate::{
    connect::{Http1Line, Pipe, RequestLine},
    http2::Code,
    payload::Payload,
    refusal::Refusal,
};

/// A request on its way out.
pub struct Outgoing {
    /// The message.
    pub request: Box<Request<Payload>>,
    /// What it asks for besides an answer.
    pub switch: Switch,
    /// What is told beside it.
    pub aside: Aside,
    /// What the client spoke; an HTTP/1 server is spoken to in the same.
    pub version: Version,
}

/// A request that did not get an answer.
pub enum Unanswered {
    /// Nothing of it was done: here it is, to be sent elsewhere.
    Unsent(Refusal, Box<Request<Payload>>),
    /// It may have been done.
    Lost(Refusal),
    /// The server reset its stream.
    Reset(Refusal, Code),
}

/// An answer.
pub enum Exchanged {
    /// A message, and the line to give back when it has ended.
    Message(http::Response<Payload>, Option<Http1Line>),
    /// The server's end of what was switched to.
    Switched(http::Response<()>, Pipe),
}

/// Sends a request, waits for the head of the answer. The rest of both bodies goes on by itself.
pub async fn exchange(line: RequestLine, outgoing: Outgoing) -> Result<Exchanged, Unanswered> {
    match line {
        RequestLine::Http2 { client, mesh } => http2::exchange(&client, mesh, outgoing).await,
        RequestLine::Http1(line) => http1::exchange(line, outgoing).await,
    }
}
