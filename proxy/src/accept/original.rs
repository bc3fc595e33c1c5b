//! Where a redirected connection was going.

use std::net::SocketAddr;

use socket2::SockRef;
use tokio::net::TcpStream;

use crate::refusal::{Reason, Refusal};

/// Asks the kernel's connection tracking for the destination the client dialled (`SO_ORIGINAL_DST`).
///
/// # Errors
/// [`Reason::NotRedirected`] when the connection came straight to our own port: carrying it would dial ourselves for ever.
pub(super) fn destination(stream: &TcpStream) -> Result<SocketAddr, Refusal> {
    let refuse = |what: &str| {
        Refusal::new(
            Reason::NotRedirected,
            format!("{what}: this port takes only connections that the redirect rules send (see `weft-proxy init`)"),
        )
    };
    let local = stream.local_addr().map_err(|error| refuse(&error.to_string()))?;
    let socket = SockRef::from(stream);
    let original = if local.is_ipv4() { socket.original_dst_v4() } else { socket.original_dst_v6() };
    match original.ok().and_then(|address| address.as_socket()) {
        Some(original) if original != local => Ok(original),
        _ => Err(refuse("the connection was not redirected")),
    }
}
