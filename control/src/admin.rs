//! What an operator asks control: `/metrics`, `/live`, `/ready`.

use ::admin::{Page, Question};
use http::StatusCode;

use crate::{metrics::Metrics, state::State};

/// Answers one question.
pub(crate) fn answer(question: Question<'_>, state: &State, metrics: &Metrics) -> Page {
    match question.path {
        "/metrics" => metrics.page(state, question),
        "/live" => Page::text(StatusCode::OK, "live\n"),
        "/ready" if state.is_loaded() => Page::text(StatusCode::OK, "ready\n"),
        "/ready" => Page::text(StatusCode::SERVICE_UNAVAILABLE, "not ready: the source has not been read yet\n"),
        _ => Page::text(StatusCode::NOT_FOUND, "there are /metrics, /live and /ready\n"),
    }
}
