//! What an operator or a kubelet asks this proxy: `/metrics`, `/live`, `/ready`, `/config`; and through it the app, under `/probe`.
//!
//! Runs beside the traffic, on a runtime of its own. Never: a secret in an answer.

mod described;
mod status;

use ::admin::{Answer, Page, Question};
use http::StatusCode;
use prometheus_client::registry::Registry;

pub use status::Status;

/// Everything that can be asked for.
#[derive(Debug)]
pub struct Admin {
    /// What a scrape reads.
    pub metrics: Registry,
    /// What the other pages read.
    pub status: Status,
}

impl Admin {
    /// Answers one question.
    pub fn answer(&self, question: Question<'_>) -> Answer {
        if self.status.settings.probes.knows(question.path) {
            return self.ask(question.path.to_owned());
        }
        self.page(question).into()
    }

    /// Asks the app what a kubelet would have asked it.
    fn ask(&self, path: String) -> Answer {
        let settings = self.status.settings.clone();
        Answer::Later(Box::pin(async move {
            match settings.probes.ask(&path, settings.me.addresses.first().copied()).await {
                Ok(()) => Page::text(StatusCode::OK, "the app passes\n"),
                Err(why) => Page::text(StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
            }
        }))
    }

    fn page(&self, question: Question<'_>) -> Page {
        match question.path {
            "/metrics" => ::admin::metrics(&self.metrics, question),
            "/live" => Page::text(StatusCode::OK, "live\n"),
            "/ready" => match self.status.waits_for() {
                None => Page::text(StatusCode::OK, "ready\n"),
                Some(what) => Page::text(StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {what}\n")),
            },
            "/config" if question.peer.ip().to_canonical().is_loopback() => Page::json(self.status.dump()),
            "/config" => {
                Page::text(StatusCode::FORBIDDEN, "the configuration is shown on loopback alone: ask from inside the pod\n")
            }
            _ => Page::text(StatusCode::NOT_FOUND, "there are /metrics, /live, /ready and /config\n"),
        }
    }
}
