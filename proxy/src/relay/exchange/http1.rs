//! Over HTTP/1.1.

use http::{Version, header::UPGRADE};

use super::{Exchanged, Outgoing, Unanswered, websocket};
use crate::{
    connect::{Http1Line, Pipe},
    http1::{Answered, Failed, Switching},
    payload::{Broken, Payload},
    refusal::{Reason, Refusal},
    relay::{call::Switch, headers},
};

pub(super) async fn exchange(line: Http1Line, outgoing: Outgoing) -> Result<Exchanged, Unanswered> {
    let Outgoing { mut request, switch, aside, version } = outgoing;
    // An HTTP/2 client's request is repeated to an HTTP/1 server as HTTP/1.1.
    headers::toward_http1(&mut request, if version == Version::HTTP_10 { version } else { Version::HTTP_11 });
    let mut handshake = None;
    let switching = match switch {
        Switch::No => Switching::No,
        Switch::Connect => Switching::Connect,
        Switch::Upgrade(protocols) => {
            request.headers_mut().insert(UPGRADE, protocols);
            Switching::Upgrade
        }
        Switch::Extended(protocol) => {
            handshake = Some(websocket::as_upgrade(&mut request, protocol.as_str()).map_err(Unanswered::Lost)?);
            Switching::Upgrade
        }
    };
    let Http1Line { line, endpoint, dial } = line;
    let answered = line.exchange(request, switching, |interim| aside.interim(interim)).await.map_err(unanswered)?;
    match answered {
        Answered::Message(response, line) => {
            let line = line.map(|line| Http1Line { line, endpoint, dial });
            Ok(Exchanged::Message(response.map(Payload::http1), line))
        }
        Answered::Switched(mut head, conn) => {
            if let Some(handshake) = handshake {
                head = handshake.agreed(head).map_err(Unanswered::Lost)?;
            }
            let Some((stream, seen)) = conn.into_parts() else {
                return Err(Unanswered::Lost(Refusal::midway(
                    Reason::BadResponse,
                    "the server switched before it had the request",
                )));
            };
            Ok(Exchanged::Switched(head, Pipe::switched(stream, seen, dial)))
        }
    }
}

fn unanswered(failed: Failed<Payload, Broken>) -> Unanswered {
    match failed {
        Failed::Unsent(request, error) => {
            let refusal = Refusal::new(Reason::ServerAborted, format!("the server closed the connection: {error}"));
            Unanswered::Unsent(refusal, request)
        }
        Failed::ServerGone(error) => {
            let detail = format!("the server went away before it answered: {error}");
            Unanswered::Lost(Refusal::midway(Reason::ServerAborted, detail))
        }
        Failed::Malformed(why) => {
            Unanswered::Lost(Refusal::midway(Reason::BadResponse, format!("the server's answer is malformed: {why}")))
        }
        Failed::RequestBroken(_) => Unanswered::Lost(Refusal::midway(Reason::ClientAborted, "the client broke its request off")),
    }
}
