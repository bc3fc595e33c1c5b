//! The access log: one line per request or connection, off unless asked for.

use super::Event;

/// Whether anything is written, decided once at start.
#[derive(Clone, Copy, Debug, Default)]
pub struct AccessLog {
    /// Write a line for each request and connection.
    pub enabled: bool,
}

impl AccessLog {
    /// Writes what a reader of the log wants to know of `event`.
    pub(super) fn on(self, event: &Event<'_>) {
        if !self.enabled {
            return;
        }
        match event {
            Event::Request { edge, method, status, version, took, sent, received } => {
                let labels = edge.labels();
                tracing::info!(
                    target: "access",
                    direction = labels.direction.word(),
                    client = &*labels.client.identity,
                    server = &*labels.server.workload,
                    service = &*labels.service,
                    method = method.as_str(),
                    status = status.as_u16(),
                    version = version.word(),
                    duration_seconds = took.as_secs_f64(),
                    sent,
                    received,
                    "request"
                );
            }
            Event::Closed { edge, server_name, took, sent, received } => {
                let labels = edge.labels();
                tracing::info!(
                    target: "access",
                    direction = labels.direction.word(),
                    client = &*labels.client.identity,
                    server = &*labels.server.workload,
                    service = &*labels.service,
                    server_name,
                    duration_seconds = took.as_secs_f64(),
                    sent,
                    received,
                    "connection"
                );
            }
            Event::Opened { .. }
            | Event::Handshake { .. }
            | Event::Extra { .. }
            | Event::Refused { .. }
            | Event::Ruled { .. }
            | Event::Ejected { .. } => {}
        }
    }
}
