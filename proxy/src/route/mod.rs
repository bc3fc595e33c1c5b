//! Where may this go, and may it go at all?
//!
//! In: a destination of the snapshot, what is asked and who is calling. Out: [`Routed`], which carries the [`Permit`], or
//! that the client is to go elsewhere. Pure.

mod authorize;
mod cors;
mod edits;
mod gate;
mod key;
mod location;
mod matcher;
mod path;
mod permit;
mod session;
mod weights;

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Instant, SystemTime},
};

use certs::name::SpiffeId;
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::{
    dice::Dice,
    refusal::{Reason, Refusal},
    snapshot::{Action, Balancer, Cluster, Destination, Forward, ServerName, Timeouts},
};

pub use cors::Granted;
pub use edits::Edits;
pub use gate::Fault;
use gate::{Passage, Passed};
use key::Key;
pub use matcher::Asked;
pub use permit::Permit;
pub use session::Stay;

/// Who is calling, as far as it was proved.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Where the connection comes from.
    pub address: SocketAddr,
    /// What mesh TLS proved; `None` in plaintext.
    pub identity: Option<SpiffeId>,
}

/// A decision: where it goes, and proof that it may.
#[derive(Clone, Debug)]
pub struct Routed<'a> {
    /// The endpoints to balance over.
    pub cluster: &'a Arc<Cluster>,
    /// To whom of them it belongs, where a key decides.
    pub key: Option<u64>,
    /// What is done to it for a trial; `None` for nothing.
    pub fault: Option<Box<Fault>>,
    /// What is changed on the way.
    pub edits: Edits<'a>,
    /// How long it may take.
    pub timeouts: Timeouts,
    /// With whom its client stays; `None` where clients do not.
    pub stay: Option<Box<Stay<'a>>>,
    /// What else the route says of requests; `None` for what is no request.
    pub forward: Option<&'a Forward<Arc<Cluster>>>,
    /// Held for as long as what was permitted goes on.
    pub permit: Permit,
}

/// A decision about a request.
#[derive(Debug)]
pub enum Way<'a> {
    /// It goes on.
    On(Routed<'a>),
    /// Its client is told to go elsewhere.
    Elsewhere(Elsewhere<'a>),
    /// It asks what pages of its origin may ask for, and is told in these header fields.
    Preflight(Box<HeaderMap>),
}

/// How a client is told to go elsewhere.
#[derive(Debug)]
pub struct Elsewhere<'a> {
    /// The status that says so.
    pub status: StatusCode,
    /// Where.
    pub location: HeaderValue,
    /// What is changed of the answer.
    pub edits: Edits<'a>,
}

/// Routes a request that came at `now`. Where several share requests, `dice` decide, once for all attempts of this one; where
/// clients stay with an endpoint, those who tell one decide, and the clock on the `wall` is looked at.
///
/// # Errors
/// [`Reason::NoRoute`] when nothing matches, or the destination takes no requests; [`Reason::NoBackend`] when a route matches
/// and has nowhere to go; or the caller may not go there, or not so often.
pub fn request<'a>(
    destination: &'a Destination,
    asked: Asked<'_>,
    caller: &Caller,
    dice: &Dice,
    now: Instant,
    wall: fn() -> SystemTime,
) -> Result<Way<'a>, Refusal> {
    let routes = destination.requests.as_ref().map_or(&[][..], |table| &table.routes);
    let route = matcher::first(routes, asked).ok_or_else(|| unroutable(destination, asked, Reason::NoRoute))?;
    let permit = permit::grant(destination, caller, Some(asked), dice)?;
    let Passage { fault, cors } = match &route.gate {
        None => Passage::default(),
        Some(gate) => match gate::pass(gate, asked, caller, dice, now)? {
            Passed::Through(passage) => passage,
            Passed::Preflight(headers) => return Ok(Way::Preflight(headers)),
        },
    };
    match &route.action {
        Action::Forward(forward) => {
            let stay = forward.session.as_deref().map(|session| Box::new(Stay::read(session, asked.headers, wall())));
            let kept = stay.as_ref().and_then(|stay| stay.backend(&forward.backends));
            let backend = kept.or_else(|| weights::draw(&forward.backends, dice));
            let chosen = backend.and_then(|backend| Some((backend, backend.cluster.as_ref()?)));
            let (backend, cluster) = chosen.ok_or_else(|| unroutable(destination, asked, Reason::NoBackend))?;
            let changes = [backend.changes.as_deref(), route.changes.as_deref()];
            let key = forward.key.as_deref().map(|parts| Key::of(parts, asked, caller, dice));
            let (key, cookie) = key.map(|Key { hash, cookie }| (hash, cookie)).unzip();
            let edits = Edits { changes, rewrite: forward.rewrite.as_deref(), cookie: cookie.flatten(), cors };
            let timeouts = forward.timeouts;
            Ok(Way::On(Routed { cluster, key, fault, edits, timeouts, stay, forward: Some(forward), permit }))
        }
        Action::Redirect(redirect) => {
            let location = location::location(redirect, asked, destination.address);
            let location = location.ok_or_else(|| unroutable(destination, asked, Reason::NoBackend))?;
            let edits = Edits { changes: [None, route.changes.as_deref()], cors, ..Edits::default() };
            Ok(Way::Elsewhere(Elsewhere { status: redirect.status, location, edits }))
        }
        Action::Refuse(reason) => Err(unroutable(destination, asked, *reason)),
    }
}

/// What a browser is told beside our own answer to what was `asked`, when [`request`] came to nothing.
pub fn granted(destination: &Destination, asked: Asked<'_>) -> Option<Box<Granted>> {
    let route = matcher::first(&destination.requests.as_ref()?.routes, asked)?;
    let cors = route.gate.as_ref()?.cors.as_ref()?;
    cors::grant(cors, asked.headers).map(Box::new)
}

/// Something that has a `permit` goes to `cluster`, and nothing else is done for it.
pub fn plain(cluster: &Arc<Cluster>, permit: Permit) -> Routed<'_> {
    let (edits, timeouts) = (Edits::default(), Timeouts::default());
    Routed { cluster, key: None, fault: None, edits, timeouts, stay: None, forward: None, permit }
}

fn unroutable(destination: &Destination, asked: Asked<'_>, reason: Reason) -> Refusal {
    let (of, method, path) = (destination.label(), asked.method, asked.path());
    let detail = match reason {
        Reason::NoBackend => format!("the route of {of} for {method} {path} has no backend that exists"),
        _ => format!("no route of {of} is for {method} {path}"),
    };
    Refusal::new(reason, detail)
}

/// Routes an opaque connection, whose own TLS is for `server` if it says so. Where several share connections, `dice` decide, once
/// for all attempts of this one.
///
/// # Errors
/// [`Reason::NoRoute`] when the destination was declared to take only requests, or no route is for the server;
/// [`Reason::NoBackend`] when a route has nowhere to go; or the caller may not go there.
pub fn connection<'a>(
    destination: &'a Destination,
    server: Option<&str>,
    caller: &Caller,
    dice: &Dice,
) -> Result<Routed<'a>, Refusal> {
    let refused = |reason, what: &str| Refusal::new(reason, format!("{} {what}", destination.label()));
    let table = destination.bytes.as_ref();
    let table = table.ok_or_else(|| refused(Reason::NoRoute, "is declared to speak HTTP, and this connection does not"))?;
    let is_for = |wanted: &ServerName| server.is_some_and(|name| wanted.is(name));
    let route = table.routes.iter().find(|route| route.server.as_ref().is_none_or(is_for)).ok_or_else(|| match server {
        Some(name) => refused(Reason::NoRoute, &format!("has no route for the server {name}")),
        None => refused(Reason::NoRoute, "has routes by the names of servers, and this connection names none"),
    })?;
    let backend = weights::draw(&route.backends, dice);
    let cluster = backend.and_then(|backend| backend.cluster.as_ref());
    let cluster =
        cluster.ok_or_else(|| refused(Reason::NoBackend, "has a route for this connection, without a backend that exists"))?;
    let permit = permit::grant(destination, caller, None, dice)?;
    let keyed = matches!(cluster.balancing.balancer, Balancer::Keyed(_));
    let key = keyed.then(|| Key::source(caller.address.ip()).hash);
    Ok(Routed { key, ..plain(cluster, permit) })
}

#[cfg(test)]
mod tests;
