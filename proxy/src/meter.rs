//! Follows a request to its true end: the last byte of the answer, or the moment somebody gave up.

use std::{cell::Cell, rc::Rc, time::Instant};

use http::{HeaderMap, Method, StatusCode};

use crate::{
    balance::{Chosen, Place},
    clock,
    connect::Http1Line,
    events::{Edge, Event, HttpVersion},
    payload::Witness,
    route::Permit,
    verdict::{self, Verdict},
    world::World,
};

/// What is known of a request whose answer has begun.
pub struct Answered {
    /// Between whom; `None` when nobody is to hear of it.
    pub edge: Option<Edge>,
    /// What was asked.
    pub method: Method,
    /// What is answered.
    pub status: StatusCode,
    /// In which version the client spoke.
    pub version: HttpVersion,
    /// When the request's head had arrived.
    pub began: Instant,
    /// How much of its body went out.
    pub sent: Option<Tally>,
    /// What the answer says of its endpoint.
    pub verdict: Verdict,
}

/// Hears the answer's body; when it ends, tells what happened and gives back what the request held.
pub struct Meter {
    answered: Answered,
    received: u64,
    line: Option<Http1Line>,
    world: Rc<World>,
    /// The load on its endpoint, until the end.
    chosen: Chosen,
    _held: Held,
}

/// What a request holds until its end: the permission, and a place among those that may be under way.
pub type Held = (Permit, Option<Place>);

impl Meter {
    /// Follows `answered`. `line` is given back when both bodies have ended.
    pub fn new(answered: Answered, line: Option<Http1Line>, chosen: Chosen, held: Held, world: Rc<World>) -> Self {
        Self { answered, received: 0, line, world, chosen, _held: held }
    }
}

impl Witness for Meter {
    fn passed(&mut self, length: u64) {
        self.received += length;
    }

    fn trailers(&mut self, fields: &HeaderMap) {
        if self.answered.verdict == Verdict::Awaited {
            verdict::ended(&self.chosen, fields, &self.world);
        }
    }

    fn ended(&mut self, complete: bool) {
        let Answered { edge, method, status, version, began, sent, .. } = &self.answered;
        // A server that answered before it had read the whole request may be left with the rest of it on the line.
        let whole = sent.as_ref().is_none_or(Tally::is_complete);
        if let Some(line) = self.line.take().filter(|_| complete && whole) {
            self.world.lines.give_back(line, self.world.settings.limits);
        }
        let Some(edge) = edge else { return };
        self.world.recorder.on(Event::Request {
            edge,
            method,
            status: *status,
            version: *version,
            took: clock::now().saturating_duration_since(*began),
            sent: sent.as_ref().map_or(0, Tally::bytes),
            received: self.received,
        });
    }
}

/// Counts a body that is being sent.
#[derive(Clone, Debug, Default)]
pub struct Tally(Rc<(Cell<u64>, Cell<bool>)>);

impl Tally {
    /// Bytes so far.
    pub fn bytes(&self) -> u64 {
        self.0.0.get()
    }

    /// Whether it ended as its sender meant it to.
    pub fn is_complete(&self) -> bool {
        self.0.1.get()
    }
}

impl Witness for Tally {
    fn passed(&mut self, length: u64) {
        self.0.0.set(self.0.0.get() + length);
    }

    fn ended(&mut self, complete: bool) {
        self.0.1.set(complete);
    }
}
