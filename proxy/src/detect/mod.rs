//! Which protocol does this connection speak?
//!
//! In: an accepted connection and what is declared about its destination. Out: a [`Detected`]. Where
//! nobody has declared it, the first bytes from either side decide: a server that speaks first makes the connection opaque; a
//! client that speaks first is recognised by what it says. Waits are short and bounded, and only for a client that could
//! still reveal itself (`race`).
//! Never: bytes lost; what was read to judge is handed on.

mod memory;
mod mesh_tls;
mod peeked;
mod race;
pub mod recognise;

use std::{io, pin::Pin, time::Duration};

use certs::name::SpiffeId;
use smallvec::SmallVec;
use tokio::time::Instant;

use crate::{
    accept::Accepted,
    clock,
    events::HttpVersion,
    refusal::{Reason, Refusal},
    snapshot::Protocol,
    tls::MeshTls,
    world::World,
};

pub use memory::Memory;
pub use peeked::Peeked;
use race::race;
pub use recognise::FRAME_HEAD;
use recognise::{Verdict, begins_tls_or_http2, recognise};

/// Where a port is remembered to speak HTTP, a silent client is given this long before the server is dialled in case it
/// speaks first. It bounds what a wrong memory costs a server-first protocol.
const DOUBT: Duration = Duration::from_millis(20);

/// A connection whose protocol is known.
pub enum Detected<S> {
    /// Mesh TLS meant for us, its handshake done, and who has proved to be at its other end.
    Mesh(MeshTls, SpiffeId),
    /// Bytes nobody looks into, and the server if it is already dialled.
    Bytes {
        /// The client.
        client: Peeked,
        /// The server, dialled while we waited for the first byte.
        server: Option<S>,
        /// The name of the server that the app's own TLS is for (RFC 6066, section 3), if it says one.
        name: Option<Box<str>>,
    },
    /// Requests.
    Requests {
        /// The client.
        client: Peeked,
        /// In which version of HTTP.
        version: HttpVersion,
    },
}

/// What may be found on a connection.
#[derive(Clone, Copy, Debug)]
pub struct Expected {
    /// What is declared about the destination.
    pub protocol: Protocol,
    /// Whether mesh TLS may end here.
    pub mesh: bool,
}

/// Where mesh TLS may end, the server is dialled only when the client has been silent for this long. A peer proxy always
/// speaks first: a server dialled for it would see a connection that is none, and the greeting of one that speaks first
/// would spoil the handshake.
const PEERS_TURN: Duration = Duration::from_millis(30);

/// A dialled server that may speak before its client does.
pub trait MaySpeakFirst {
    /// Resolves when the server sent something or closed, with the beginning of what it sent, which stays to be read. Safe
    /// to cancel and to call again.
    fn spoke(&mut self) -> impl Future<Output = Opening>;

    /// Ends the connection with a reset.
    fn break_off(self);
}

/// The beginning of what a server said first: enough to tell an HTTP/2 server, which may greet before its client does.
pub type Opening = SmallVec<[u8; FRAME_HEAD]>;

/// Finds out what `conn` speaks. `dial` opens an opaque line to the server; it is called at most once.
///
/// # Errors
/// Whatever mesh TLS refuses, and what `dial` refused when the connection turned out to be opaque.
pub async fn protocol<S: MaySpeakFirst>(
    conn: Accepted,
    expected: Expected,
    world: &World,
    dial: Pin<&mut impl Future<Output = Result<S, Refusal>>>,
) -> Result<Detected<S>, Refusal> {
    let destination = conn.destination;
    let mut client = Peeked::new(conn.stream);
    if expected.protocol == Protocol::Opaque && !expected.mesh {
        return Ok(Detected::Bytes { client, server: None, name: None });
    }
    let first = match expected.protocol {
        Protocol::Http | Protocol::Tls => from_client(&mut client, expected, world.settings.head_timeout).await,
        Protocol::Undeclared | Protocol::Opaque => {
            let remembered = if world.memory.says_http(destination) { DOUBT } else { Duration::ZERO };
            let doubt = if expected.mesh { PEERS_TURN } else { remembered };
            race(&mut client, expected, dial, doubt, world.settings.head_timeout).await
        }
    };
    let first = match first {
        Ok(first) => first,
        Err(refusal) => {
            // What did not come about must not look like something that came to its end.
            client.break_off();
            return Err(refusal);
        }
    };
    Ok(match first {
        FirstWord::Mesh => {
            let (stream, peer) = Box::pin(mesh_tls::finish(client, world)).await?;
            Detected::Mesh(stream, peer)
        }
        FirstWord::Http(version) => {
            world.memory.heard(destination, true);
            Detected::Requests { client, version }
        }
        FirstWord::Bytes(server, name) => {
            if expected.protocol == Protocol::Undeclared {
                world.memory.heard(destination, false);
            }
            Detected::Bytes { client, server, name }
        }
    })
}

/// Who spoke first, and what it was.
enum FirstWord<S> {
    Mesh,
    Http(HttpVersion),
    Bytes(Option<S>, Option<Box<str>>),
}

/// What the client's bytes amount to.
enum Judged {
    NeedMore,
    Mesh,
    Http(HttpVersion),
    Bytes(Option<Box<str>>),
}

/// Reads until the client has shown what it speaks; nobody else can decide where HTTP or TLS is declared. It must have done so
/// within `patience` of its first byte; for TLS, which is no TLS until it says so, of its connection.
async fn from_client<S>(client: &mut Peeked, expected: Expected, patience: Duration) -> Result<FirstWord<S>, Refusal> {
    let mut hello = mesh_tls::Hello::default();
    let mut deadline = (expected.protocol == Protocol::Tls).then(|| in_time(patience));
    loop {
        let read = tokio::select! {
            biased;
            read = client.fill() => read,
            () = over(deadline) => return Err(slow(patience)),
        };
        deadline.get_or_insert_with(|| in_time(patience));
        match judge(client, read, &mut hello, expected)? {
            // Where HTTP is declared its own parser may as well judge what else it is.
            Judged::NeedMore if !begins_tls_or_http2(client.seen()) => return Ok(FirstWord::Http(HttpVersion::One)),
            Judged::NeedMore => {}
            Judged::Mesh => return Ok(FirstWord::Mesh),
            Judged::Http(version) => return Ok(FirstWord::Http(version)),
            Judged::Bytes(name) => return Ok(FirstWord::Bytes(None, name)),
        }
    }
}

fn in_time(patience: Duration) -> Instant {
    Instant::from_std(clock::now()) + patience
}

/// Resolves at `deadline`, if there is one.
async fn over(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

fn slow(patience: Duration) -> Refusal {
    let seconds = patience.as_secs_f32();
    Refusal::new(Reason::ClientSlow, format!("the client did not show within {seconds} s what it had begun to speak"))
}

fn judge(client: &Peeked, read: io::Result<usize>, hello: &mut mesh_tls::Hello, expected: Expected) -> Result<Judged, Refusal> {
    let read =
        read.map_err(|error| Refusal::new(Reason::ClientAborted, format!("the client left before it was recognised: {error}")))?;
    let verdict = match recognise(client.seen()) {
        Verdict::NeedMore if read == 0 => Verdict::Bytes,
        verdict => verdict,
    };
    Ok(match (verdict, expected.protocol) {
        (Verdict::NeedMore, Protocol::Opaque | Protocol::Tls) if !begins_tls_or_http2(client.seen()) => Judged::Bytes(None),
        (Verdict::NeedMore, _) => Judged::NeedMore,
        (Verdict::Tls, _) => match hello.read(client.seen()) {
            mesh_tls::Reading::NeedMore if read > 0 => Judged::NeedMore,
            mesh_tls::Reading::Mesh if expected.mesh => Judged::Mesh,
            mesh_tls::Reading::Other(name) => Judged::Bytes(name),
            mesh_tls::Reading::NeedMore | mesh_tls::Reading::Mesh => Judged::Bytes(None),
        },
        (_, Protocol::Http | Protocol::Tls) if client.seen().is_empty() => {
            return Err(Refusal::new(Reason::ClientSilent, "the client closed before it said anything"));
        }
        (_, Protocol::Opaque | Protocol::Tls) => Judged::Bytes(None),
        (Verdict::Http1, _) => Judged::Http(HttpVersion::One),
        (Verdict::Http2, _) => Judged::Http(HttpVersion::Two),
        // Where HTTP is declared, whatever else arrives is a malformed request, and its sender is told so.
        (_, Protocol::Http) => Judged::Http(HttpVersion::One),
        (_, Protocol::Undeclared) => Judged::Bytes(None),
    })
}
