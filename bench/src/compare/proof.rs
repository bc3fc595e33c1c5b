//! That Weft did what the table says it did.

use anyhow::ensure;

use super::{network::ADMIN, pair::Pair, traffic::Traffic};
use crate::admin::{fetch, sum};

/// Checks by the sidecars' own metrics that everything a pair of Weft's carried was mutual TLS, and that opaque was opaque.
///
/// # Errors
/// It was not, or the metrics cannot be had.
pub(crate) fn prove(pair: &Pair) -> anyhow::Result<()> {
    if !pair.contestant.is_ours() {
        return Ok(());
    }
    for pod in pair.pods() {
        let page = pod.within(|| fetch((pod.address, ADMIN), "/metrics"))??;
        let counted = |tls: &str| {
            let requests = ["http_client_request_duration_seconds_count", "http_server_request_duration_seconds_count"];
            let requests: f64 = requests.iter().map(|name| sum(&page, name, &[tls])).sum();
            (requests, sum(&page, "weft_tcp_connections_opened_total", &[tls]))
        };
        let ((requests, connections), plain) = (counted("tls=\"mutual\""), counted("tls=\"none\""));
        let word = pair.traffic.word();
        ensure!(plain == (0.0, 0.0), "weft carried {plain:?} requests and connections of {word} without TLS");
        ensure!(requests + connections > 0.0, "weft counted nothing of {word}");
        ensure!(
            (pair.traffic == Traffic::Opaque) == (requests == 0.0),
            "weft counted {requests} requests and {connections} opaque connections of {word}"
        );
    }
    Ok(())
}
