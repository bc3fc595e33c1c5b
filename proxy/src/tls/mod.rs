//! Mesh TLS (RFC 8446).
//!
//! rustls makes the handshake, and keeps the secrets from which later keys come (`handshake`). Records of what flows afterwards
//! are ours (`session`, `record`, `key`, `sealed`): each byte is read once and written once, by the cipher itself, on its way between the
//! socket and HTTP/2. `stream` carries them.

mod handshake;
mod key;
mod record;
mod sealed;
mod session;
mod stream;

pub use handshake::{accept, connect};
pub use stream::MeshTls;

#[cfg(test)]
mod tests;
