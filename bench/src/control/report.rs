//! What people read of it.

use super::figures::{Figures, OfCrowd};
use crate::table::{self, Row, mib, tenths, whole};

/// What the figures do not say by themselves.
const NOTES: &str = "\
- Subscribers are simulated by one process on the same machine; each has an address, a certificate and a stream of its own, and \
follows the same ten services. They take processors from control while it tells them: times to the last of many are upper bounds.
- Times of edits begin before the file is replaced. Control waits 10 ms for an edit to settle, because one edit is often several events.
- After a restart, subscribers come back with the pauses of a proxy: 200 ms at first, doubled and jittered each time.
";

/// A page of Markdown.
pub fn markdown(figures: &Figures) -> String {
    let Figures { host, command, services, endpoints, alone, crowds } = figures;
    let alone = format!(
        "Ready {:.0} ms after its start; {} MiB resident; {:.2} ms of CPU per second while nothing happens.",
        alone.ready_ms,
        mib(alone.memory_kib),
        alone.idle_cpu_ms
    );
    format!(
        "# weft-control with {services} services and {endpoints} endpoints\n\n`cargo run --release -p bench -- {command}` on {host}\n\n\
         ## Alone\n\n{alone}\n\n## With subscribers\n\n{}\n\n{NOTES}",
        table::markdown("subscribers", crowds, |crowd| crowd.subscribers.to_string(), &ROWS)
    )
}

const ROWS: [Row<OfCrowd>; 22] = [
    ("**all begin at once**: all have a certificate, ms", |crowd| whole(crowd.gathering.certified_ms)),
    ("all are configured, ms", |crowd| whole(crowd.gathering.configured_ms)),
    ("bytes to each", |crowd| crowd.gathering.bytes_each.to_string()),
    ("CPU of control, ms", |crowd| whole(crowd.gathering.cpu_ms)),
    ("**idle**: memory, MiB", |crowd| mib(crowd.idle.memory_kib)),
    ("CPU, ms per s", |crowd| format!("{:.2}", crowd.idle.cpu_ms)),
    ("**an endpoint changes**: half know, ms", |crowd| tenths(crowd.edit.half_ms)),
    ("the last knows, ms", |crowd| tenths(crowd.edit.all_ms)),
    ("the last of the slowest edit, ms", |crowd| tenths(crowd.edit.all_ms_most)),
    ("bytes to each", |crowd| crowd.edit.bytes_each.to_string()),
    ("CPU of control, ms", |crowd| tenths(crowd.edit.cpu_ms)),
    ("CPU of the subscribers, ms", |crowd| tenths(crowd.edit.own_cpu_ms)),
    ("**churn**: edits per s", |crowd| crowd.churn.edits.to_string()),
    ("CPU of control, ms per s", |crowd| tenths(crowd.churn.cpu_ms)),
    ("the most memory, MiB", |crowd| mib(crowd.churn.memory_kib_most)),
    ("bytes to each, per s", |crowd| crowd.churn.bytes_each.to_string()),
    ("the last knows of the last edit, ms", |crowd| tenths(crowd.churn.all_ms)),
    ("**control is killed and started again**: ready, ms", |crowd| whole(crowd.restart.ready_ms)),
    ("half are back, ms", |crowd| whole(crowd.restart.half_ms)),
    ("the last is back, ms", |crowd| whole(crowd.restart.all_ms)),
    ("bytes to each", |crowd| crowd.restart.bytes_each.to_string()),
    ("the last knows of an edit made then, ms", |crowd| tenths(crowd.restart.edit_ms)),
];
