//! How this proxy is: what it waits for, what it holds, whether control is there.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use certs::store::IdentityStore;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::gauge::ConstGauge,
    registry::Unit,
};
use serde_json::{Value, json};

use super::described::described;
use crate::{
    clock,
    config::Settings,
    drain::Drain,
    redirected::Redirected,
    snapshot::{Answer, Reader},
};

/// Where an operator's questions are answered from. A clone asks the same proxy.
#[derive(Clone, Debug)]
pub struct Status {
    /// Settings.
    pub settings: Arc<Settings>,
    /// Our certificate.
    pub identity: Arc<IdentityStore>,
    /// What control told us.
    pub snapshots: Reader,
    /// Whether control is connected. Written by the feed.
    pub control: Arc<AtomicBool>,
    /// Whether the redirect rules are there.
    pub redirected: Redirected,
    /// Whether we are leaving.
    pub drain: Drain,
}

impl Status {
    /// What is missing before traffic may come; `None` when nothing is.
    pub fn waits_for(&self) -> Option<&'static str> {
        if self.drain.has_begun() {
            return Some("leaving");
        }
        let managed = self.settings.control.is_some();
        if managed && self.identity.current().is_none() {
            return Some("no certificate yet; control has not issued one");
        }
        if self.snapshots.current().inbound.is_none() {
            return Some("no configuration yet; control has not answered");
        }
        self.redirected.missing()
    }

    /// Everything in force, without secrets, as JSON.
    pub fn dump(&self) -> String {
        let snapshot = self.snapshots.current().clone();
        let mut addresses: Vec<_> = snapshot.addresses.iter().collect();
        addresses.sort_by_key(|(address, _)| **address);
        let destinations: Vec<Value> = addresses
            .into_iter()
            .map(|(address, answer)| match answer {
                Answer::Known(destination) => described(destination),
                Answer::Unknown => json!({ "address": address.to_string(), "unknown": true }),
            })
            .collect();
        let identity = self.identity.current().map(|identity| {
            json!({
                "id": identity.id().to_string(),
                "serial": identity.serial(),
                "not_before": clock::unix_seconds(identity.not_before()),
                "not_after": clock::unix_seconds(identity.not_after()),
            })
        });
        let dump = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "pod": self.settings.me.pod,
            "namespace": self.settings.me.namespace,
            "workload": self.settings.me.workload,
            "identity": identity,
            "control": { "configured": self.settings.control.is_some(), "connected": self.control.load(Relaxed) },
            "snapshot": { "version": snapshot.version, "received": snapshot.received.map(clock::unix_seconds) },
            "destinations": destinations,
        });
        format!("{dump:#}\n")
    }
}

impl Collector for Status {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        // A gauge, not an info: Prometheus' older format has no such type.
        let build = ConstGauge::new(1_i64);
        let mut told = encoder.encode_descriptor("weft_build_info", "What this program is", None, build.metric_type())?;
        build.encode(told.encode_family(&[("version", env!("CARGO_PKG_VERSION"))])?)?;
        let snapshot = self.snapshots.current().clone();
        let not_after = self.identity.current().map(|identity| clock::unix_seconds(identity.not_after()));
        let gauges: [(&str, &str, Option<&Unit>, Option<f64>); 4] = [
            (
                "weft_certificate_expiry_timestamp",
                "When the current certificate ends, in Unix time",
                Some(&Unit::Seconds),
                not_after,
            ),
            ("weft_config_version", "How many snapshots were published since start", None, Some(counted(snapshot.version))),
            (
                "weft_config_received_timestamp",
                "When the current snapshot was put together, in Unix time",
                Some(&Unit::Seconds),
                snapshot.received.map(clock::unix_seconds),
            ),
            (
                "weft_control_connected",
                "Whether the stream to control is open",
                None,
                Some(f64::from(u8::from(self.control.load(Relaxed)))),
            ),
        ];
        for (name, help, unit, value) in gauges {
            if let Some(value) = value {
                let gauge = ConstGauge::new(value);
                gauge.encode(encoder.encode_descriptor(name, help, unit, gauge.metric_type())?)?;
            }
        }
        Ok(())
    }
}

/// Metrics are floating point numbers; versions do not reach the 2^53 where that would show.
#[allow(clippy::cast_precision_loss)]
fn counted(version: u64) -> f64 {
    version as f64
}
