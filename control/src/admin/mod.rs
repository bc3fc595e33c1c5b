//! What an operator asks control: `/metrics`, `/live`, `/ready`, `/config`.

mod dump;

use std::net::IpAddr;

use ::admin::{Page, Question};
use http::StatusCode;

pub(crate) use dump::About;

use crate::{metrics::Metrics, serve::Roster, state::State};

/// Everything that can be asked for.
pub(crate) struct Admin {
    pub(crate) state: State,
    pub(crate) metrics: Metrics,
    pub(crate) roster: Roster,
    pub(crate) about: About,
    /// Where we answer.
    pub(crate) address: IpAddr,
}

impl Admin {
    /// Answers one question.
    pub(crate) fn answer(&self, question: Question<'_>) -> Page {
        match question.path {
            "/metrics" => self.metrics.page(&self.state, question),
            "/live" => Page::text(StatusCode::OK, "live\n"),
            "/ready" if self.state.is_loaded() => Page::text(StatusCode::OK, "ready\n"),
            "/ready" => Page::text(StatusCode::SERVICE_UNAVAILABLE, "not ready: the source has not been read yet\n"),
            "/config" if self.is_here(question.peer.ip()) => Page::json(dump::config(self)),
            "/config" => Page::text(StatusCode::FORBIDDEN, "who is in the mesh is told on control's own machine alone\n"),
            _ => Page::text(StatusCode::NOT_FOUND, "there are /metrics, /live, /ready and /config\n"),
        }
    }

    /// Whether somebody asks from where control runs: who may scrape need not learn who is in the mesh.
    fn is_here(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        peer.is_loopback() || peer == self.address
    }
}
