//! HTTP/2 (RFC 9113), written for carrying other people's messages.
//!
//! In: bytes, and what is to be sent. Out: messages as they arrive, and bytes. One thread has all of it: a connection's
//! streams, its driver and everybody who works on a stream share one [`core`], without locks. Heads are made into frames the
//! moment they are sent, and data as far as the peer's windows allow, all in one buffer: however many streams have something
//! to say when their thread turns to the connection, it is written at once. Never: a decision about a message.

mod client;
mod code;
mod core;
mod data;
mod drive;
mod error;
mod floods;
mod frame;
mod handle;
mod head;
mod hpack;
mod receive;
mod resets;
mod send;
mod server;
mod settings;
mod stream;
mod transport;

pub use self::core::Arrived;
pub use client::{Client, client};
pub use code::Code;
pub use error::{By, Error};
pub use handle::{Receiver, Sender};
pub use head::Protocol;
pub use server::Server;
pub use settings::Ours;
pub use transport::Transport;

#[cfg(test)]
mod tests;
