//! The walk of a connection, in the order its bytes travel. The only file that knows every room.
//!
//! ```text
//! accept ─▶ detect ─┬─ bytes ────▶            route ─▶ balance ─▶ connect ─▶ relay
//!                   ├─ requests ─▶ for each:  route ─▶ balance ─▶ connect ─▶ relay
//!                   └─ mesh ─────▶ each stream is one or the other
//! ```

mod again;
mod allotted;
mod fault;
mod hedge;
mod mirror;
mod ruling;
mod watch;

use std::{
    cell::RefCell,
    net::SocketAddr,
    pin::pin,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::BytesMut;
use certs::name::SpiffeId;
use futures_util::{FutureExt as _, future::LocalBoxFuture};
use http::{HeaderMap, HeaderValue, Request, Response, Version, header::CONTENT_TYPE};
use http_body::Body;

use crate::{
    accept::Accepted,
    attempts::{Attempts, Busy},
    balance::{Chosen, Place, Work},
    clock, connect,
    connect::{Needs, Pipe, RequestLine},
    deadline::{by, pause},
    detect::{self, Detected, MaySpeakFirst, Peeked},
    events::{Edge, Event, HttpVersion},
    forwarded::Signature,
    hop::{self, Introduction},
    http1::AbsoluteForm,
    meter::{Answered, Meter, Tally},
    payload::Payload,
    refusal::{Reason, Refusal},
    relay::{self, Answer, Call, Exchanged, Outgoing, Stream, Switch, Switched, Unanswered, Whose},
    route::{self, Asked, Caller, Edits, Elsewhere, Granted, Permit, Routed, Stay, Way},
    side::Side,
    snapshot::{Cluster, Destination, Endpoint},
    verdict,
    world::World,
};
use again::Again;
use allotted::{Allotted, Of};
pub use fault::HELD_MAX;
pub use mirror::COPIES_MAX;

/// Edges a walk remembers; a connection rarely needs more than its destination has endpoints.
const EDGES_MAX: usize = 16;

/// Walks one connection from its first byte to its last.
///
/// # Errors
/// Why it ended early. The client has been told as well as its protocol allows.
pub async fn walk(conn: Accepted, side: Side, world: Rc<World>) -> Result<(), Refusal> {
    // In boxes of their own: what is needed until a connection is told apart is given back then, and one that is idle, as most
    // are most of the time, holds no more than its own protocol needs.
    let onward = Box::pin(enter(conn, side, world)).await?;
    onward.await
}

/// The rest of a walk.
type Onward = LocalBoxFuture<'static, Result<(), Refusal>>;

/// The walk up to where it is known what the connection speaks.
async fn enter(conn: Accepted, side: Side, world: Rc<World>) -> Result<Onward, Refusal> {
    let version = world.snapshots.current().version;
    let destination = side.destination(conn.destination, &world).await?;
    let expected = side.expects(&destination);
    let caller = Caller { address: conn.client, identity: None };
    let walk = Rc::new(Walk::new(side, caller, (version, destination), world));
    let detected = detect::protocol(conn, expected, &walk.world, pin!(open(&walk, None))).await?;
    let (drain, limits) = (walk.world.drain.clone(), walk.world.settings.limits);
    Ok(match detected {
        Detected::Bytes { client, server, name } => opaque(walk, client, server, name).boxed_local(),
        Detected::Requests { client, version: HttpVersion::One } => {
            let head_max = walk.world.settings.head_timeout;
            relay::http1(client, head_max, limits, drain, move |call| forward(walk.clone(), call)).boxed_local()
        }
        Detected::Requests { client, version: HttpVersion::Two } => {
            let (seen, client) = client.into_parts();
            let streams = move |stream| serve(walk.clone(), stream);
            relay::http2(client, seen, Whose::App, limits, drain, streams).boxed_local()
        }
        Detected::Mesh(stream, peer) => {
            let walk = Rc::new(walk.of_peer(peer));
            let streams = move |stream| serve(walk.clone(), stream);
            relay::http2(stream, BytesMut::new(), Whose::Peer, limits, drain, streams).boxed_local()
        }
    })
}

/// The rest of the walk of a connection whose bytes nobody looks into.
async fn opaque(walk: Rc<Walk>, client: Peeked, server: Option<Opened>, server_name: Option<Box<str>>) -> Result<(), Refusal> {
    let opened = match server {
        Some(server) => Ok(server),
        None => open(&walk, server_name.as_deref()).await,
    };
    match opened {
        Ok(server) => {
            carry(&walk, &Told { workload: None, server_name }, client.into(), server).await;
            Ok(())
        }
        Err(refusal) => {
            // An end in order would look like an answer.
            Pipe::from(client).break_off();
            Err(refusal)
        }
    }
}

/// Somebody on the way to a destination: what every step of a walk needs to know.
struct Walk {
    side: Side,
    caller: Caller,
    signature: Signature,
    world: Rc<World>,
    /// What is known of the destination, and the version of the snapshot that said so.
    known: RefCell<(u64, Arc<Destination>)>,
    edges: RefCell<Vec<KnownEdge>>,
}

/// An edge, and between whom it is: the endpoint, and the workload that the caller's proxy named.
type KnownEdge = (Arc<Endpoint>, Option<HeaderValue>, Edge);

impl Walk {
    fn new(side: Side, caller: Caller, known: (u64, Arc<Destination>), world: Rc<World>) -> Self {
        let signature = Signature::of(caller.address.ip(), caller.identity.as_ref());
        Self { side, caller, signature, world, known: RefCell::new(known), edges: RefCell::default() }
    }

    /// The same walk, now that the caller has proved who it is.
    fn of_peer(&self, identity: SpiffeId) -> Self {
        let caller = Caller { address: self.caller.address, identity: Some(identity) };
        Self::new(self.side, caller, self.known.borrow().clone(), self.world.clone())
    }

    /// The destination as the current snapshot describes it: a client's connection may outlive many of them.
    fn destination(&self) -> Arc<Destination> {
        let (version, destination) = &mut *self.known.borrow_mut();
        let snapshot = self.world.snapshots.current();
        if snapshot.version != *version {
            *version = snapshot.version;
            *destination = self.side.described(destination, &snapshot);
        }
        destination.clone()
    }

    /// What the sender's proxy told beside the message. Taken off always, believed only of a peer.
    fn introduction(&self, headers: &mut HeaderMap) -> Introduction {
        let told = hop::take(headers);
        if self.caller.identity.is_some() { told } else { Introduction::default() }
    }

    /// The counters for work of this walk on `chosen`.
    fn edge(&self, told: &Told, chosen: &Chosen) -> Edge {
        let mut edges = self.edges.borrow_mut();
        let endpoint = chosen.endpoint();
        let Told { workload, server_name } = told;
        let known = edges.iter().find(|(of, by, _)| Arc::ptr_eq(of, endpoint) && by == workload);
        if let Some((_, _, edge)) = known {
            return edge.clone();
        }
        let name = workload.as_ref().and_then(|value| value.to_str().ok()).unwrap_or_default();
        let edge = self.side.edge(&self.caller, name, server_name.as_deref(), &self.known.borrow().1, endpoint, &self.world);
        if edges.len() >= EDGES_MAX {
            edges.clear();
        }
        edges.push((endpoint.clone(), workload.clone(), edge.clone()));
        edge
    }

    fn refused(&self, refusal: &Refusal) {
        let direction = self.side.direction;
        tracing::debug!(direction = direction.word(), room = refusal.reason.room().word(), %refusal, "refused");
        self.world.recorder.on(Event::Refused { direction, refusal });
        if let Some(ruled) = &refusal.ruled {
            ruling::denied(self, ruled);
        }
    }
}

/// One stream of an HTTP/2 connection.
async fn serve(walk: Rc<Walk>, stream: Stream) -> Option<Answer> {
    match stream {
        Stream::Call(call) => Some(forward(walk, call).await),
        Stream::Refused(refusal) => {
            walk.refused(&refusal);
            None
        }
        Stream::Tunnel(head, tunnel) => {
            if let Err(refusal) = pass(&walk, head, tunnel).await {
                walk.refused(&refusal);
            }
            None
        }
    }
}

/// A tunnel that a peer asks for: its other end is the server.
async fn pass(walk: &Walk, mut head: Box<Request<()>>, tunnel: relay::Tunnel) -> Result<(), Refusal> {
    let workload = walk.introduction(head.headers_mut()).workload;
    match open(walk, None).await {
        Ok(server) => {
            carry(walk, &Told { workload, server_name: None }, tunnel.grant()?, server).await;
            Ok(())
        }
        Err(refusal) => {
            tunnel.refuse(&refusal);
            Err(refusal)
        }
    }
}

/// What was told of an opaque connection: by the caller's proxy, and by the app's own TLS.
#[derive(Clone, Default)]
struct Told {
    workload: Option<HeaderValue>,
    server_name: Option<Box<str>>,
}

/// A server that was opened for bytes, and what is held while they flow.
struct Opened {
    pipe: Pipe,
    chosen: Chosen,
    since: Instant,
    _held: (Permit, Option<Place>),
}

impl MaySpeakFirst for Opened {
    async fn spoke(&mut self) -> detect::Opening {
        self.pipe.spoke().await
    }

    fn break_off(self) {
        self.pipe.break_off();
    }
}

/// Routes a connection, whose own TLS is for `server` if it says so, and opens a line for its bytes.
async fn open(walk: &Walk, server: Option<&str>) -> Result<Opened, Refusal> {
    let since = clock::now();
    let destination = walk.destination();
    let routed = route::connection(&destination, server, &walk.caller, &walk.world.dice)?;
    ruling::audited(walk, &routed.permit);
    let limited = walk.world.balance.limited(routed.cluster, since);
    let place = limited.map_or(Ok(None), |limited| limited.connection())?;
    let mut attempts = Attempts::toward(destination.address, routed.key, walk.world.settings.attempts_max, None);
    loop {
        let chosen = attempts.choose(routed.cluster, Work::Connection, &walk.world)?;
        match connect::bytes(&chosen, &walk.world).await {
            Ok(pipe) => {
                chosen.reached();
                return Ok(Opened { pipe, chosen, since, _held: (routed.permit, place) });
            }
            Err(refusal) => attempts.elsewhere(refusal, &chosen, &walk.world)?,
        }
    }
}

/// Carries bytes between a client and the server that was opened for it.
async fn carry(walk: &Walk, told: &Told, client: Pipe, server: Opened) {
    let Opened { pipe, chosen, since, _held } = server;
    let recorder = &walk.world.recorder;
    let edge = walk.edge(told, &chosen);
    recorder.on(Event::Opened { edge: &edge });
    let carried = relay::bytes(client, pipe).await;
    walk.world.tide.stir();
    let took = clock::now().saturating_duration_since(since);
    let server_name = told.server_name.as_deref();
    recorder.on(Event::Closed { edge: &edge, server_name, took, sent: carried.sent, received: carried.received });
}

/// Carries one request to an endpoint, and its answer back.
async fn forward(walk: Rc<Walk>, mut call: Call) -> Answer {
    let began = clock::now();
    walk.world.tide.stir();
    let request = &mut call.request;
    let told = walk.introduction(request.headers_mut());
    if told.absolute {
        request.extensions_mut().insert(AbsoluteForm);
    }
    walk.signature.sign(request.headers_mut(), walk.side.direction, walk.world.settings.forwarded);
    let version = told.version.unwrap_or(request.version());
    let told = Told { workload: told.workload, server_name: None };
    let facts = Facts { began, version, told, counted: true, busy: None, until: None };
    // Kept in case it is refused: the request itself is gone by then.
    let kind = request.headers().get(CONTENT_TYPE).cloned();
    let mut granted = None;
    match deliver(&walk, call, facts, &mut granted).await {
        Ok(answer) => {
            if let Answer::Reset { refusal, .. } = &answer {
                walk.refused(refusal);
            }
            answer
        }
        Err(refusal) => {
            walk.refused(&refusal);
            Answer::Message(shown(relay::refuse(&refusal, kind.as_ref()), granted.as_deref()))
        }
    }
}

/// What is known of a request beside the request.
#[derive(Clone)]
struct Facts {
    began: Instant,
    /// What the client spoke, at the far end of the mesh hop.
    version: Version,
    /// What the client's proxy told.
    told: Told,
    /// Whether it is one of the app's, or a copy that nobody is to hear of.
    counted: bool,
    /// Where it is being worked on, of several tries at once.
    busy: Option<Busy>,
    /// By when an answer must have begun; `None` where nobody minds.
    until: Option<Instant>,
}

/// An answer of ours, which pages of other origins may see where they might see the app's.
fn shown(mut response: Response<Payload>, granted: Option<&Granted>) -> Response<Payload> {
    if let Some(granted) = granted {
        granted.answer(response.headers_mut());
    }
    response
}

/// Takes a request where its route says. Whoever is refused is told what is `granted` to his browser.
async fn deliver(walk: &Rc<Walk>, mut call: Call, facts: Facts, granted: &mut Option<Box<Granted>>) -> Result<Answer, Refusal> {
    let destination = walk.destination();
    let asked = Asked::of(&call.request);
    let mut routed = match route::request(&destination, asked, &walk.caller, &walk.world.dice, facts.began, clock::wall) {
        Ok(Way::On(routed)) => routed,
        Err(refusal) => {
            *granted = route::granted(&destination, asked);
            return Err(refusal);
        }
        Ok(Way::Preflight(headers)) => return Ok(Answer::Message(relay::preflight(*headers))),
        Ok(Way::Elsewhere(Elsewhere { status, location, edits })) => {
            let mut response = relay::redirect(status, location);
            edits.response(response.headers_mut());
            return Ok(Answer::Message(response));
        }
    };
    *granted = routed.edits.granted();
    if let Some(fault) = routed.fault.take()
        && let Some(answer) = Box::pin(fault::suffer(walk, *fault, call.request.headers().get(CONTENT_TYPE))).await
    {
        return Ok(Answer::Message(shown(answer, granted.as_deref())));
    }
    ruling::audited(walk, &routed.permit);
    routed.edits.request(&mut call.request)?;
    if let Some(forward) = routed.forward {
        if !forward.mirrors.is_empty() {
            mirror::copies(walk, &forward.mirrors, &routed.permit, destination.address, &mut call, &facts);
        }
        if forward.hedging.is_some() || forward.timeouts.idle.is_some() {
            return Box::pin(watch::over(walk, destination.address, routed, call, facts)).await;
        }
    }
    // Both ways are written out: to hand the work to somebody would move it, which costs every request.
    match routed.timeouts.request {
        None => attempt(walk, destination.address, routed, call, facts).await,
        Some(limit) => {
            let until = clock::now() + limit;
            let facts = Facts { until: Some(until), ..facts };
            let attempts = by(until, attempt(walk, destination.address, routed, call, facts));
            attempts.await.unwrap_or_else(|_| Err(late(limit)))
        }
    }
}

/// No answer has begun within `limit`.
fn late(limit: Duration) -> Refusal {
    let limit = limit.as_secs_f32();
    Refusal::midway(Reason::RequestTimeout, format!("no answer within the {limit} s that its route allows"))
}

/// A line for a request to an endpoint of `cluster` that has not failed yet.
async fn line(
    attempts: &mut Attempts,
    cluster: &Arc<Cluster>,
    needs: Needs,
    world: &Rc<World>,
) -> Result<(Chosen, RequestLine), Refusal> {
    loop {
        let chosen = attempts.choose(cluster, Work::Request, world)?;
        match connect::requests(&chosen, needs, world).await {
            Ok(line) => return Ok((chosen, line)),
            Err(refusal) => attempts.elsewhere(refusal, &chosen, world)?,
        }
    }
}

/// Sends a request to the endpoints it may go to, one after the other, until one answers, and its route asks for no better answer.
async fn attempt(walk: &Walk, dialled: SocketAddr, routed: Routed<'_>, call: Call, facts: Facts) -> Result<Answer, Refusal> {
    let world = &walk.world;
    let Call { mut request, switch, aside } = call;
    let version = if facts.version == Version::HTTP_2 { HttpVersion::Two } else { HttpVersion::One };
    let needs = if matches!(switch, Switch::Extended(_)) { Needs::ExtendedConnect } else { Needs::Version(version) };
    let mut again = Again::of(&routed, &mut request, world);
    let mut sent = tallied(&mut request);
    let place = match routed.cluster.balancing.limits {
        Some(_) => place(routed.cluster, world).await?,
        None => None,
    };
    let mut attempts = Attempts::toward(dialled, routed.key, world.settings.attempts_max, facts.busy);
    attempts.prefer(routed.stay.as_ref().and_then(|stay| stay.endpoint()));
    loop {
        let (chosen, line) = match line(&mut attempts, routed.cluster, needs, world).await {
            Ok(ready) => ready,
            Err(refusal) => {
                let wait = again.as_mut().and_then(|again| again.undelivered(&refusal, world));
                pause(wait.ok_or(refusal)?).await;
                attempts.once_more(None);
                continue;
            }
        };
        let mesh = line.is_mesh();
        if mesh {
            hop::introduce(&mut request, &world.me.workload, facts.version);
        }
        let method = request.method().clone();
        let now = clock::now();
        chosen.begins(now);
        let outgoing = Outgoing { request, switch: switch.clone(), aside: aside.clone(), version: facts.version };
        // Where nobody is judged, the end of the request's time is left to whoever waits for all tries.
        let until = facts.until.filter(|_| chosen.is_judged());
        let exchanged = match Allotted::of(routed.timeouts, until, now) {
            None => relay::exchange(line, outgoing).await,
            Some(Allotted { until, limit, of }) => {
                let exchanging = by(until, relay::exchange(line, outgoing));
                match (exchanging.await, of) {
                    (Ok(exchanged), _) => exchanged,
                    (Err(_), Of::Try) => Err(Unanswered::Lost(late(limit))),
                    (Err(_), Of::Request { ample }) => {
                        if ample && sent.is_none_or(|sent| sent.is_complete()) {
                            verdict::failed(&chosen, world);
                        }
                        return Err(late(limit));
                    }
                }
            }
        };
        let verdict = verdict::of(&exchanged, &chosen, world);
        if let Some(next) = again.as_mut().and_then(|again| again.instead_of(&exchanged, mesh, world)) {
            attempts.once_more(Some(&chosen));
            drop(chosen);
            again::throw_away(exchanged, sent.is_none_or(|sent| sent.is_complete()), world);
            pause(next.wait).await;
            request = next.request;
            sent = tallied(&mut request);
            continue;
        }
        let exchanged = match exchanged {
            Ok(exchanged) => exchanged,
            Err(Unanswered::Unsent(refusal, unsent)) => {
                request = unsent;
                hop::take(request.headers_mut());
                // A kept line that its server had closed says nothing against the endpoint: the same one may be next.
                if let Err(refusal) = attempts.next(refusal) {
                    let wait = again.as_mut().and_then(|again| again.undelivered(&refusal, world));
                    pause(wait.ok_or(refusal)?).await;
                    attempts.once_more(None);
                }
                continue;
            }
            Err(Unanswered::Lost(refusal)) => return Err(refusal),
            Err(Unanswered::Reset(refusal, code)) => return Ok(Answer::Reset { code, refusal }),
        };
        let edge = facts.counted.then(|| walk.edge(&facts.told, &chosen));
        let answered = |status, sent| Answered { edge, method, status, version, began: facts.began, sent, verdict };
        let held = (routed.permit, place);
        return Ok(match exchanged {
            Exchanged::Message(mut response, line) => {
                dress(&routed.edits, routed.stay.as_deref(), &chosen, response.headers_mut());
                let answered = answered(response.status(), sent);
                let meter = Meter::new(answered, line, chosen, held, world.clone());
                Answer::Message(response.map(|body| body.witnessed(Box::new(meter))))
            }
            Exchanged::Switched(mut head, server) => {
                dress(&routed.edits, routed.stay.as_deref(), &chosen, head.headers_mut());
                let sent = Tally::default();
                let answered = answered(head.status(), Some(sent.clone()));
                let meter = Meter::new(answered, None, chosen, held, world.clone());
                Answer::Switched(Box::new(Switched { head, server, sent: Box::new(sent), received: Box::new(meter) }))
            }
        });
    }
}

/// A place among those that may be under way to `cluster`, when there is one. In a box: few have limits, and the others must not
/// hold the room for them.
fn place<'a>(cluster: &'a Arc<Cluster>, world: &'a World) -> LocalBoxFuture<'a, Result<Option<Place>, Refusal>> {
    let waiting = async move {
        match world.balance.limited(cluster, clock::now()) {
            Some(limited) => limited.request().await,
            None => Ok(None),
        }
    };
    waiting.boxed_local()
}

/// Makes the headers of an answer what the client is to see.
fn dress(edits: &Edits<'_>, stay: Option<&Stay<'_>>, chosen: &Chosen, headers: &mut HeaderMap) {
    hop::take(headers);
    edits.response(headers);
    if let Some(stay) = stay {
        stay.tell(headers, chosen.endpoint().address);
    }
}

/// Counts a request's body, if it has one.
fn tallied(request: &mut Request<Payload>) -> Option<Tally> {
    if request.body().is_end_stream() {
        return None;
    }
    let tally = Tally::default();
    let body = std::mem::take(request.body_mut());
    *request.body_mut() = body.witnessed(Box::new(tally.clone()));
    Some(tally)
}

#[cfg(test)]
mod tests;
