//! HTTP/1.1 as it is on the wire (RFC 9112), for an intermediary: heads are read strictly, bodies are handed on as they
//! come, and what two parsers could read differently is refused, never repaired.
//!
//! In: a TCP connection. Out: messages whose framing is certain. Nothing here knows of meshes, routes or refusals.
//!
//! | file | subject |
//! |---|---|
//! | `conn` | a connection: its socket, and what was read of it |
//! | `scan` | where a head or a trailer section ends |
//! | `head` | its text, as a request or a response |
//! | `target` | the four forms of a request target, and `Host` |
//! | `framing` | how long a body is |
//! | `chunks` | the chunked coding, read |
//! | `body` | a body that arrives |
//! | `write` | heads and bodies, written |
//! | `server`, `client` | the two ends of a connection |

mod body;
mod chunks;
mod client;
mod conn;
mod framing;
pub mod head;
mod malformed;
pub mod scan;
mod server;
mod target;
pub mod write;

pub use body::{Body, Broken};
pub use client::{Answered, Failed, Line, Switching};
pub use conn::Conn;
pub use framing::names;
pub use malformed::Malformed;
pub use scan::Room;
pub use server::{Handled, Incoming, Server};
pub use target::AbsoluteForm;
pub use write::Sent;
