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
use crate::{
    clock,
    config::Limits,
    http1::{Line, Room},
    refusal::Refusal,
    world::World,
};

/// How often idle connections are looked through, for as long as there are any: at the latest.
const SWEEP_MAX: Duration = Duration::from_secs(15);

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
        Ok(Http1Line { line: Line::new(stream, Room::from(&world.settings.limits)), endpoint, dial })
    }

    /// Keeps a connection for the next request.
    pub(super) fn give_back(&self, line: Http1Line, limits: Limits) {
        line.line.rest();
        let mut lines = self.0.lines.borrow_mut();
        let idle = lines.entry(line.endpoint).or_default();
        idle.push_back((clock::now(), line));
        if idle.len() > limits.idle_lines {
            idle.pop_front();
        }
        if !self.0.swept.replace(true) {
            tokio::task::spawn_local(sweep(Rc::downgrade(&self.0), limits.idle_time));
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
    fn sweep(&self, now: Instant, kept: Duration) -> bool {
        let mut lines = self.lines.borrow_mut();
        lines.retain(|_, idle| {
            idle.retain(|(since, line)| now.saturating_duration_since(*since) < kept && line.line.is_fit());
            !idle.is_empty()
        });
        !lines.is_empty()
    }
}

/// Looks through idle connections until there are none: an idle proxy sleeps.
async fn sweep(idle: Weak<Idle>, kept: Duration) {
    loop {
        tokio::time::sleep(kept.min(SWEEP_MAX)).await;
        let Some(idle) = idle.upgrade() else { return };
        if !idle.sweep(clock::now(), kept) {
            idle.swept.set(false);
            return;
        }
    }
}
