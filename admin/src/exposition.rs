//! Metrics in OpenMetrics text, or in Prometheus' older text format for those who do not ask for the newer.

use http::StatusCode;
use prometheus_client::{encoding::text, registry::Registry};

use super::{Page, Question};

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const CLASSIC: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The metrics of `registry`, in the format that `question` asks for.
pub fn metrics(registry: &Registry, question: Question<'_>) -> Page {
    let mut out = String::new();
    if let Err(error) = text::encode(&mut out, registry) {
        return Page::text(StatusCode::INTERNAL_SERVER_ERROR, format!("the metrics cannot be written: {error}\n"));
    }
    if question.accept.contains("application/openmetrics-text") {
        return Page { status: StatusCode::OK, kind: OPENMETRICS, body: out.into() };
    }
    Page { status: StatusCode::OK, kind: CLASSIC, body: classic(&out).into() }
}

/// The older format names counters with their ending where it describes them, and has neither units nor an end.
fn classic(openmetrics: &str) -> String {
    let mut out = String::with_capacity(openmetrics.len());
    let mut help: Option<(&str, &str)> = None;
    for line in openmetrics.lines() {
        if let Some(described) = line.strip_prefix("# HELP ") {
            help = described.split_once(' ');
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|typed| typed.split_once(' ')) {
            let ending = if kind == "counter" { "_total" } else { "" };
            if let Some((_, text)) = help.take().filter(|(of, _)| *of == name) {
                out.push_str(&format!("# HELP {name}{ending} {text}\n"));
            }
            out.push_str(&format!("# TYPE {name}{ending} {kind}\n"));
        } else if !line.starts_with('#') {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_described_with_their_ending_in_the_older_format() {
        let newer = "# HELP a Things.\n# TYPE a counter\na_total{x=\"1\"} 2\n# HELP b_seconds Time.\n# TYPE b_seconds gauge\n# UNIT b_seconds seconds\nb_seconds 1.0\n# EOF\n";
        let older = "# HELP a_total Things.\n# TYPE a_total counter\na_total{x=\"1\"} 2\n# HELP b_seconds Time.\n# TYPE b_seconds gauge\nb_seconds 1.0\n";
        assert_eq!(classic(newer), older);
    }
}
