//! The race for the first word, where nobody has declared what is spoken.

use std::{
    pin::{Pin, pin},
    time::Duration,
};

use super::{
    Expected, FirstWord, Judged, MaySpeakFirst, Peeked, in_time, judge, mesh_tls, over, recognise::greets_in_http2, slow,
};
use crate::refusal::Refusal;

/// After a failed dial, how long a client may still reveal that it speaks HTTP and can be told so in an answer.
const LAST_WORD: Duration = Duration::from_millis(200);

/// A client that has begun what could become the first line of a request, and pauses for so long, speaks something else and
/// waits for an answer.
const PAUSE: Duration = Duration::from_millis(50);

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

/// Lets the client and the server race for the first word; the server is dialled after `doubt`.
pub(super) async fn race<S: MaySpeakFirst>(
    client: &mut Peeked,
    expected: Expected,
    dial: Pin<&mut impl Future<Output = Result<S, Refusal>>>,
    doubt: Duration,
    patience: Duration,
) -> Result<FirstWord<S>, Refusal> {
    let dial = async {
        if !doubt.is_zero() {
            tokio::time::sleep(doubt).await;
        }
        dial.await
    };
    let mut dial = pin!(dial);
    let mut server = Server::Dialling;
    let mut hello = mesh_tls::Hello::default();
    // When a client that has begun to speak is judged by what it has said so far.
    let mut deadline = None;
    // Whether that could be mesh TLS: then it is the client who spoke first, whatever the server says meanwhile.
    let mut greeting = false;
    loop {
        let judged = tokio::select! {
            biased;
            read = client.fill() => judge(client, read, &mut hello, expected).inspect_err(|_| server.take().break_off())?,
            () = over(deadline) => if greeting { return Err(slow(patience)) } else { Judged::Bytes(None) },
            opened = &mut dial, if matches!(server, Server::Dialling) && !greeting => {
                server = opened.map_or_else(Server::Failed, Server::Open);
                continue;
            }
            word = server.first_word(), if !greeting => match (server.take(), word) {
                // Its client will speak too, and tell what it is.
                (Server::Open(line), Word::Http2) => {
                    server = Server::Waits(line);
                    continue;
                }
                (Server::Open(line) | Server::Waits(line), _) => return Ok(FirstWord::Bytes(Some(line), None)),
                (Server::Failed(refusal), _) => return Err(refusal),
                (Server::Dialling, _) => continue,
            },
        };
        match judged {
            Judged::NeedMore => {
                greeting = expected.mesh && client.seen().first() == Some(&0x16);
                deadline = Some(if greeting { deadline.unwrap_or_else(|| in_time(patience)) } else { in_time(PAUSE) });
            }
            Judged::Mesh => return Ok(FirstWord::Mesh),
            Judged::Http(version) => return Ok(FirstWord::Http(version)),
            Judged::Bytes(name) => {
                return match server {
                    Server::Dialling => Ok(FirstWord::Bytes(Some(dial.await?), name)),
                    Server::Open(line) | Server::Waits(line) => Ok(FirstWord::Bytes(Some(line), name)),
                    Server::Failed(refusal) => Err(refusal),
                };
            }
        }
    }
}

impl<S: MaySpeakFirst> Server<S> {
    /// Resolves when this side has something to say to the race.
    async fn first_word(&mut self) -> Word {
        match self {
            Self::Dialling | Self::Waits(_) => std::future::pending().await,
            Self::Open(line) => {
                let opening = line.spoke().await;
                if greets_in_http2(&opening) { Word::Http2 } else { Word::Other }
            }
            Self::Failed(_) => {
                tokio::time::sleep(LAST_WORD).await;
                Word::Other
            }
        }
    }

    fn take(&mut self) -> Self {
        std::mem::replace(self, Self::Dialling)
    }

    /// Ends the line to the server, if there is one, with a reset: its client has gone.
    fn break_off(self) {
        if let Self::Open(line) | Self::Waits(line) = self {
            line.break_off();
        }
    }
}
