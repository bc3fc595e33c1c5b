//! What came of a load.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// What came of a load.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Tally {
    /// Requests that were answered well.
    pub(crate) requests: u64,
    /// Those that were not.
    pub(crate) errors: u64,
    /// How long it took.
    pub(crate) seconds: f64,
    /// How long requests took, where the load tells.
    pub(crate) latency: Option<Latency>,
    /// What the TLS of the connections is made of, where the load made it.
    pub(crate) tls: Option<String>,
}

/// How long requests took, in microseconds from the time they were due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Latency {
    pub(crate) p50: u64,
    pub(crate) p99: u64,
    pub(crate) p999: u64,
}

impl Latency {
    /// Of recorded microseconds; none of nothing.
    pub(super) fn of(recorded: &Histogram<u64>) -> Option<Self> {
        let at = |quantile| recorded.value_at_quantile(quantile);
        (!recorded.is_empty()).then(|| Self { p50: at(0.5), p99: at(0.99), p999: at(0.999) })
    }
}

/// Reads a time as wrk and h2load write it: `3.01s`, `1.00m`, `850.20ms`.
pub(super) fn seconds(text: &str) -> Option<f64> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        _ => return None,
    };
    Some(digits.trim().parse::<f64>().ok()? * unit)
}
