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

use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::{
    accept::Accepted,
    events::HttpVersion,
    refusal::{Reason, Refusal},
    snapshot::Protocol,
    world::World,
};

pub use memory::Memory;
pub use mesh_tls::peer;
pub use peeked::Peeked;
pub use recognise::{Verdict, recognise};

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

/// A dialled server that may speak before its client does.
pub trait MaySpeakFirst {
    /// Resolves when the server sent something or closed; what it sent stays to be read. Safe to cancel.
    fn spoke(&mut self) -> impl Future<Output = ()>;
}

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
    let mut client = Peeked::new(conn.stream);
    if expected.protocol == Protocol::Opaque && !expected.mesh {
        return Ok(Detected::Bytes { client, server: None });
    }
    let first = match expected.protocol {
        Protocol::Http => from_client(&mut client, expected).await?,
        Protocol::Undeclared | Protocol::Opaque => {
            let doubt = if world.memory.says_http(destination) { DOUBT } else { Duration::ZERO };
            race(&mut client, expected, dial, doubt).await?
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
    Failed(Refusal),
}

/// Lets the client and the server race for the first word.
async fn race<S: MaySpeakFirst>(
    client: &mut Peeked,
    expected: Expected,
    dial: impl Future<Output = Result<S, Refusal>>,
    doubt: Duration,
) -> Result<FirstWord<S>, Refusal> {
    let dial = async {
        if !doubt.is_zero() {
            tokio::time::sleep(doubt).await;
        }
        dial.await
    };
    tokio::pin!(dial);
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
                        Server::Open(line) => Ok(FirstWord::Bytes(Some(line))),
                        Server::Failed(refusal) => Err(refusal),
                    };
                }
            },
            opened = &mut dial, if matches!(server, Server::Dialling) => {
                server = opened.map_or_else(Server::Failed, Server::Open);
            }
            () = server.first_word() => {
                return match server {
                    Server::Open(line) => Ok(FirstWord::Bytes(Some(line))),
                    Server::Failed(refusal) => Err(refusal),
                    Server::Dialling => unreachable!("a server that is being dialled says nothing"),
                };
            }
        }
    }
}

impl<S: MaySpeakFirst> Server<S> {
    /// Resolves when the race is over from this side.
    async fn first_word(&mut self) {
        match self {
            Self::Dialling => std::future::pending().await,
            Self::Open(line) => line.spoke().await,
            Self::Failed(_) => tokio::time::sleep(LAST_WORD).await,
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
