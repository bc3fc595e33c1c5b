//! The demo's outcome, for people and for programs.

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use super::{
    app::visitor::Tally,
    metrics::{Edge, Edges, approximately},
};

/// How the demo went.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// As the visitors counted.
    pub(super) requests: u64,
    pub(super) failed: u64,
    /// Share of the hops that were mutual TLS, from 0 to 1.
    pub(super) mtls_ratio: f64,
    /// From the command to the first answer through the mesh.
    pub(super) first_request_ms: u64,
    /// The pod that was replaced under load.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) replaced: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) reasons: Vec<String>,
    pub(super) edges: Vec<Row>,
}

/// One edge of the report.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    from: String,
    to: String,
    requests: u64,
    p50_ms: f64,
    p99_ms: f64,
    client_identity: String,
    server_identity: String,
}

impl Report {
    pub(super) fn new(tally: &Tally, edges: &Edges, first_request_ms: u64, replaced: Option<String>) -> Self {
        let (hops, mutual) = edges.values().fold((0, 0), |(hops, mutual), edge| (hops + edge.requests, mutual + edge.mutual));
        let row = |((from, to), edge): (&(String, String), &Edge)| Row {
            from: from.clone(),
            to: to.clone(),
            requests: edge.requests,
            p50_ms: rounded(edge.quantile_ms(0.5)),
            p99_ms: rounded(edge.quantile_ms(0.99)),
            client_identity: edge.client_identity.clone(),
            server_identity: edge.server_identity.clone(),
        };
        Self {
            requests: tally.requests,
            failed: tally.failed,
            mtls_ratio: if hops == 0 { 0.0 } else { approximately(mutual) / approximately(hops) },
            first_request_ms,
            replaced,
            reasons: tally.reasons.clone(),
            edges: edges.iter().map(row).collect(),
        }
    }

    /// Whether everything went as it must.
    pub(super) fn is_good(&self) -> bool {
        // One hop in the open among any number that visitors could make shows in this.
        self.requests > 0 && self.failed == 0 && self.mtls_ratio >= 1.0
    }
}

/// A table of `edges`, which were counted over `seconds`.
pub(super) fn table(edges: &Edges, seconds: f64) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["FROM", "TO", "RATE", "SUCCESS", "P50", "P99", "MTLS", "PEER"]);
    for column in 2..=6 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    for ((from, to), edge) in edges {
        let share = |part: u64| match edge.requests {
            0 => String::from("-"),
            requests => percent(approximately(part) / approximately(requests)),
        };
        table.add_row([
            from.clone(),
            to.clone(),
            format!("{:.0}/s", approximately(edge.requests) / seconds),
            share(edge.requests - edge.errors),
            format!("{:.2} ms", edge.quantile_ms(0.5)),
            format!("{:.2} ms", edge.quantile_ms(0.99)),
            share(edge.mutual),
            edge.server_identity.clone(),
        ]);
    }
    table.trim_fmt()
}

/// Never rounded up to all of them.
fn percent(share: f64) -> String {
    if share >= 1.0 { String::from("100%") } else { format!("{:.2}%", (share * 10_000.0).floor() / 100.0) }
}

fn rounded(ms: f64) -> f64 {
    (ms * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edges(requests: u64, mutual: u64) -> Edges {
        let edge = Edge { requests, mutual, ..Edge::default() };
        [((String::from("web"), String::from("cart")), edge)].into()
    }

    fn tally(failed: u64) -> Tally {
        Tally { requests: 10, failed, ..Tally::default() }
    }

    #[test]
    fn one_failure_or_one_hop_in_the_open_spoils_it() {
        assert!(Report::new(&tally(0), &edges(1_000_000, 1_000_000), 0, None).is_good());
        assert!(!Report::new(&tally(1), &edges(10, 10), 0, None).is_good());
        assert!(!Report::new(&tally(0), &edges(1_000_000, 999_999), 0, None).is_good());
        assert!(!Report::new(&Tally::default(), &edges(10, 10), 0, None).is_good());
        assert!(!Report::new(&tally(0), &Edges::new(), 0, None).is_good());
    }

    #[test]
    fn nearly_all_is_not_all() {
        assert_eq!(percent(0.999_999), "99.99%");
        assert_eq!(percent(1.0), "100%");
    }
}
