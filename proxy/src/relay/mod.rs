//! Carrying it: bytes, or requests and their answers.
//!
//! In: a client whose protocol is known, and ready lines. Out: an end that both sides understand; a stream that broke off on
//! one side breaks off on the other. Never: a decision about where something goes.

mod answer;
mod bytes;
mod call;
mod exchange;
mod headers;
mod http1;
mod http2;
mod send;

pub use answer::{abort, preflight, redirect, refuse};
pub use bytes::bytes;
pub use call::{Answer, Aside, Call, Switch, Switched};
pub use exchange::{Exchanged, Outgoing, Unanswered, exchange};
pub use http1::serve as http1;
pub use http2::{Stream, Tunnel, Whose, serve as http2};
