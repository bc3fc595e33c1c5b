//! HTTP/1.1 connections to endpoints without a sidecar, above all to the app itself.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    net::SocketAddr,
    rc::{Rc, Weak},
    time::{Duration, Instant},
};

use foldhash::HashMap;

use super::{dials::Dial, tcp};
use crate::{clock, http1::Line, refusal::Refusal, world::World};

/// Idle connections kept per endpoint; the oldest are closed first.
const IDLE_MAX: usize = 256;

/// How long an idle connection is kept. Many a server closes sooner, and that is noticed.
const KEPT: Duration = Duration::from_secs(60);

/// How often idle connections are looked through, for as long as there are any.
const SWEEP: Duration = Duration::from_secs(15);

/// A connection that carries one request at a time.
#[derive(Debug)]
pub struct Http1Line {
    /// Takes the next request.
    pub line: Line,
    /// Where it leads.
    pub endpoint: SocketAddr,
    /// Our own dial.
    pub dial: Dial,
}

/// Idle connections by endpoint; the last one used is the first to be used again.
#[derive(Debug, Default)]
pub(super) struct Pool(Rc<Idle>);

#[derive(Debug, Default)]
struct Idle {
    lines: RefCell<HashMap<SocketAddr, VecDeque<(Instant, Http1Line)>>>,
    /// Whether somebody looks through them.
    swept: Cell<bool>,
}

impl Pool {
    /// An idle connection, or a new one.
    pub(super) async fn line(&self, endpoint: SocketAddr, world: &Rc<World>) -> Result<Http1Line, Refusal> {
        while let Some((_, line)) = self.0.take(endpoint) {
            if line.line.is_fit() {
                return Ok(line);
            }
        }
        let (stream, dial) = tcp::dial(endpoint, world).await?;
        Ok(Http1Line { line: Line::new(stream), endpoint, dial })
    }

    /// Keeps a connection for the next request.
    pub(super) fn give_back(&self, line: Http1Line) {
        let mut lines = self.0.lines.borrow_mut();
        let idle = lines.entry(line.endpoint).or_default();
        if idle.len() >= IDLE_MAX {
            idle.pop_front();
        }
        idle.push_back((clock::now(), line));
        if !self.0.swept.replace(true) {
            tokio::task::spawn_local(sweep(Rc::downgrade(&self.0)));
        }
    }

    /// Closes what is idle.
    pub(super) fn retire(&self, endpoint: SocketAddr) {
        self.0.lines.borrow_mut().remove(&endpoint);
    }
}

impl Idle {
    fn take(&self, endpoint: SocketAddr) -> Option<(Instant, Http1Line)> {
        self.lines.borrow_mut().get_mut(&endpoint)?.pop_back()
    }

    /// Closes what was idle too long, or was closed by its server. Says whether anything is left.
    fn sweep(&self, now: Instant) -> bool {
        let mut lines = self.lines.borrow_mut();
        lines.retain(|_, idle| {
            idle.retain(|(since, line)| now.saturating_duration_since(*since) < KEPT && line.line.is_fit());
            !idle.is_empty()
        });
        !lines.is_empty()
    }
}

/// Looks through idle connections until there are none: an idle proxy sleeps.
async fn sweep(idle: Weak<Idle>) {
    loop {
        tokio::time::sleep(SWEEP).await;
        let Some(idle) = idle.upgrade() else { return };
        if !idle.sweep(clock::now()) {
            idle.swept.set(false);
            return;
        }
    }
}
