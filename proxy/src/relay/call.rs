//! What a client asks for, and what it gets: the same whichever version of HTTP it speaks.

use std::{cell::RefCell, collections::VecDeque, rc::Rc};

use http::{HeaderValue, Request, Response};

use crate::{
    connect::Pipe,
    http2::{Code, Protocol},
    payload::{GivenUp, Payload, Witness},
    refusal::Refusal,
};

/// A request.
pub struct Call {
    /// The message.
    pub request: Box<Request<Payload>>,
    /// What it asks for besides an answer. Its body is empty then.
    pub switch: Switch,
    /// What is told beside it.
    pub aside: Aside,
}

/// What a request asks for besides an answer: that its connection, or stream, carry something else from there on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Switch {
    /// Nothing.
    No,
    /// One of these protocols, by HTTP/1.1's `Upgrade` (RFC 9110, section 7.8).
    Upgrade(HeaderValue),
    /// A tunnel, by CONNECT (RFC 9110, section 9.3.6).
    Connect,
    /// This protocol, by the extended CONNECT of HTTP/2 (RFC 8441).
    Extended(Protocol),
}

/// What the two sides of a call tell each other beside the message. Each looks whenever it has worked on the call.
#[derive(Clone, Debug, Default)]
pub struct Aside {
    interims: Rc<RefCell<VecDeque<Response<()>>>>,
    /// With which code the client has given up.
    pub given_up: GivenUp,
}

impl Aside {
    /// Passes an interim answer (1xx) on to the client.
    pub fn interim(&self, interim: Response<()>) {
        self.interims.borrow_mut().push_back(interim);
    }

    /// The next interim answer that was passed on.
    pub fn next_interim(&self) -> Option<Response<()>> {
        self.interims.borrow_mut().pop_front()
    }
}

/// What became of a call.
// Nearly all are messages: a box would cost each of them an allocation.
#[allow(clippy::large_enum_variant)]
pub enum Answer {
    /// A message.
    Message(Response<Payload>),
    /// What was asked for: 101 to an upgrade, 200 to the others.
    Switched(Box<Switched>),
    /// The server reset the stream. A client of HTTP/2 is passed the same code, another is told.
    Reset {
        /// What the server said.
        code: Code,
        /// The same for those who know no codes.
        refusal: Refusal,
    },
}

/// What a call was switched to.
pub struct Switched {
    /// How the server agreed.
    pub head: Response<()>,
    /// The server's end.
    pub server: Pipe,
    /// Hears what the client sends.
    pub sent: Box<dyn Witness>,
    /// Hears what the server sends, and the end.
    pub received: Box<dyn Witness>,
}

impl Switched {
    /// Carries bytes between `client` and the server to their end.
    pub async fn carry(self: Box<Self>, client: Pipe) {
        let Self { server, mut sent, mut received, .. } = *self;
        let carried = super::bytes(client, server).await;
        sent.passed(carried.sent);
        sent.ended(!carried.broken);
        received.passed(carried.received);
        received.ended(!carried.broken);
    }
}
