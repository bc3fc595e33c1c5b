//! How often may be asked, in our own words: Envoy's have no count for each client, and no more than one limit.

use crate::index::traffic::{By, RateLimit};

/// One limit a line: `REQUESTS/MILLISECONDS/BURST/all NAME`, or `…/client NAME`.
pub(super) fn text(limits: &[RateLimit]) -> String {
    let line = |RateLimit { name, requests, per, burst, by }: &RateLimit| {
        let by = match by {
            By::All => "all",
            By::Client => "client",
        };
        format!("{requests}/{}/{burst}/{by} {}", per.as_millis(), name.escape_debug())
    };
    limits.iter().map(line).collect::<Vec<_>>().join("\n")
}
