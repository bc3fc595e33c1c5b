//! Which protocol does this connection speak?
//!
//! In: an accepted connection and what is declared about its destination. Out: a [`Detected`]. Nobody waits for a timer: the
//! server is dialled at once, and the first bytes from either side decide. A server that speaks first makes the
//! connection opaque; a client that speaks first is recognised by what it says.
//! Never: bytes lost; what was read to judge is handed on.

mod memory;
mod mesh_tls;
mod peeked;
mod recognise;

use std::{io, time::Duration};

use smallvec::SmallVec;
use tokio::{net::TcpStream, time::Instant};
use tokio_rustls::server::TlsStream;

use crate::{
    accept::Accepted,
    clock,
    events::HttpVersion,
    refusal::{Reason, Refusal},
    snapshot::Protocol,
    world::World,
};

pub use memory::Memory;
pub use mesh_tls::peer;
pub use peeked::Peeked;
pub use recognise::FRAME_HEAD;
use recognise::{Verdict, greets_in_http2, recognise};

/// Where a port is remembered to speak HTTP, a silent client is given this long before the server is dialled in case it
/// speaks first. It bounds what a wrong memory costs a server-first protocol.
const DOUBT: Duration = Duration::from_millis(20);

/// After a failed dial, how long a client may still reveal that it speaks HTTP and can be told so in an answer.
const LAST_WORD: Duration = Duration::from_secs(1);

/// A connection whose protocol is known.
pub enum Detected<S> {
    /// Mesh TLS meant for us, its handshake done.
    Mesh(Box<TlsStream<TcpStream>>),
    /// Bytes nobody looks into, and the server if it is already dialled.
    Bytes {
        /// The client.
        client: Peeked,
        /// The server, dialled while we waited for the first byte.
        server: Option<S>,
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

/// Where mesh TLS may end, a server's first word counts only when the client has been silent for this long. A peer proxy
/// always speaks first, but its ClientHello may cross with the greeting of a server that does too; whoever passed the
/// greeting on would spoil the handshake.
const PEERS_TURN: Duration = Duration::from_millis(30);

/// A dialled server that may speak before its client does.
pub trait MaySpeakFirst {
    /// Resolves when the server sent something or closed, with the beginning of what it sent, which stays to be read. Safe
    /// to cancel and to call again.
    fn spoke(&mut self) -> impl Future<Output = Opening>;
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
    dial: impl Future<Output = Result<S, Refusal>>,
) -> Result<Detected<S>, Refusal> {
    let destination = conn.destination;
    let accepted = Instant::from_std(clock::now());
    let mut client = Peeked::new(conn.stream);
    if expected.protocol == Protocol::Opaque && !expected.mesh {
        return Ok(Detected::Bytes { client, server: None });
    }
    let first = match expected.protocol {
        Protocol::Http => from_client(&mut client, expected).await?,
        Protocol::Undeclared | Protocol::Opaque => {
            let doubt = if world.memory.says_http(destination) { DOUBT } else { Duration::ZERO };
            race(&mut client, expected, dial, doubt, accepted).await?
        }
    };
    Ok(match first {
        FirstWord::Mesh(hello) => Detected::Mesh(Box::new(mesh_tls::finish(*hello, client, world).await?)),
        FirstWord::Http(version) => {
            world.memory.heard(destination, true);
            Detected::Requests { client, version }
        }
        FirstWord::Bytes(server) => {
            if expected.protocol == Protocol::Undeclared {
                world.memory.heard(destination, false);
            }
            Detected::Bytes { client, server }
        }
    })
}

/// Who spoke first, and what it was.
enum FirstWord<S> {
    Mesh(Box<rustls::server::Accepted>),
    Http(HttpVersion),
    Bytes(Option<S>),
}

/// What the client's bytes amount to.
enum Judged {
    NeedMore,
    Mesh(Box<rustls::server::Accepted>),
    Http(HttpVersion),
    Bytes,
}

/// Reads until the client has shown what it speaks; nobody else can decide where HTTP is declared.
async fn from_client<S>(client: &mut Peeked, expected: Expected) -> Result<FirstWord<S>, Refusal> {
    let mut hello = mesh_tls::Hello::default();
    loop {
        let read = client.fill().await;
        match judge(client, read, &mut hello, expected)? {
            Judged::NeedMore => {}
            Judged::Mesh(accepted) => return Ok(FirstWord::Mesh(accepted)),
            Judged::Http(version) => return Ok(FirstWord::Http(version)),
            Judged::Bytes => return Ok(FirstWord::Bytes(None)),
        }
    }
}

/// The server's side of the race for the first word.
enum Server<S> {
    Dialling,
    Open(S),
    /// It has greeted as HTTP/2 servers do, and waits for its client as we do.
    Waits(S),
    Failed(Refusal),
}

/// What a server said first.
enum Word {
    /// A greeting of HTTP/2. It decides nothing: HTTP/2 clients speak first as well.
    Http2,
    /// Anything else, its silence after a failure, or its end.
    Other,
}

/// Lets the client and the server race for the first word.
async fn race<S: MaySpeakFirst>(
    client: &mut Peeked,
    expected: Expected,
    dial: impl Future<Output = Result<S, Refusal>>,
    doubt: Duration,
    accepted: Instant,
) -> Result<FirstWord<S>, Refusal> {
    let dial = async {
        if !doubt.is_zero() {
            tokio::time::sleep(doubt).await;
        }
        dial.await
    };
    tokio::pin!(dial);
    let turn = if expected.mesh { accepted + PEERS_TURN } else { accepted };
    let mut server = Server::Dialling;
    let mut hello = mesh_tls::Hello::default();
    loop {
        tokio::select! {
            biased;
            read = client.fill() => match judge(client, read, &mut hello, expected)? {
                Judged::NeedMore => {}
                Judged::Mesh(accepted) => return Ok(FirstWord::Mesh(accepted)),
                Judged::Http(version) => return Ok(FirstWord::Http(version)),
                Judged::Bytes => {
                    return match server {
                        Server::Dialling => Ok(FirstWord::Bytes(Some(dial.await?))),
                        Server::Open(line) | Server::Waits(line) => Ok(FirstWord::Bytes(Some(line))),
                        Server::Failed(refusal) => Err(refusal),
                    };
                }
            },
            opened = &mut dial, if matches!(server, Server::Dialling) => {
                server = opened.map_or_else(Server::Failed, Server::Open);
            }
            word = server.first_word(turn) => match (server, word) {
                // Its client will speak too, and tell what it is.
                (Server::Open(line), Word::Http2) => server = Server::Waits(line),
                (Server::Open(line) | Server::Waits(line), _) => return Ok(FirstWord::Bytes(Some(line))),
                (Server::Failed(refusal), _) => return Err(refusal),
                (Server::Dialling, _) => server = Server::Dialling,
            },
        }
    }
}

impl<S: MaySpeakFirst> Server<S> {
    /// Resolves when this side has something to say to the race, at the earliest when it is its `turn`.
    async fn first_word(&mut self, turn: Instant) -> Word {
        match self {
            Self::Dialling | Self::Waits(_) => std::future::pending().await,
            Self::Open(line) => {
                if greets_in_http2(&line.spoke().await) {
                    return Word::Http2;
                }
                tokio::time::sleep_until(turn).await;
                Word::Other
            }
            Self::Failed(_) => {
                tokio::time::sleep(LAST_WORD).await;
                Word::Other
            }
        }
    }
}

fn judge(client: &Peeked, read: io::Result<usize>, hello: &mut mesh_tls::Hello, expected: Expected) -> Result<Judged, Refusal> {
    let read =
        read.map_err(|error| Refusal::new(Reason::ClientAborted, format!("the client left before it was recognised: {error}")))?;
    let verdict = match recognise(client.seen()) {
        Verdict::NeedMore if read == 0 => Verdict::Bytes,
        verdict => verdict,
    };
    Ok(match (verdict, expected.protocol) {
        (Verdict::NeedMore, _) => Judged::NeedMore,
        (Verdict::Tls, _) if expected.mesh => match hello.read(client.seen()) {
            mesh_tls::Reading::NeedMore if read > 0 => Judged::NeedMore,
            mesh_tls::Reading::Mesh(accepted) => Judged::Mesh(accepted),
            mesh_tls::Reading::NeedMore | mesh_tls::Reading::Other => Judged::Bytes,
        },
        (_, Protocol::Opaque) => Judged::Bytes,
        (Verdict::Http1, _) => Judged::Http(HttpVersion::One),
        (Verdict::Http2, _) => Judged::Http(HttpVersion::Two),
        (_, Protocol::Http) if client.seen().is_empty() => {
            return Err(Refusal::new(Reason::ClientSilent, "the client closed before its first request"));
        }
        // Where HTTP is declared, whatever else arrives is a malformed request, and its sender is told so.
        (_, Protocol::Http) => Judged::Http(HttpVersion::One),
        (_, Protocol::Undeclared) => Judged::Bytes,
    })
}
