//! What control counts.

use std::{
    sync::{Arc, Mutex, PoisonError, atomic::AtomicI64},
    time::{Duration, SystemTime},
};

use ::admin::{Page, Question};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use crate::{
    clock,
    plan::Kind,
    serve::{CertificateReason, Failure, StreamReason},
    state::State,
};

/// Seconds from hearing of a change to handing it to a client's stream; the promise is 0.25 s, waiting for the file included.
const PASSED_ON: [f64; 8] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1.0];

/// All counters. A clone counts the same.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    registry: Arc<Mutex<Registry>>,
    issued: Counter,
    refused: Family<Reason, Counter>,
    streams: Gauge,
    streams_refused: Family<Reason, Counter>,
    pushed: Family<Type, Counter>,
    resources: Family<Type, Counter>,
    nacked: Family<Type, Counter>,
    passed_on: Histogram,
    handshakes: Family<Port, Counter>,
    handshakes_failed: Family<PortReason, Counter>,
    problems: Gauge,
    objects: Family<ObjectKind, Gauge>,
    version: Gauge,
    changed: Gauge,
    expiry: Gauge<i64, AtomicI64>,
    status_writes: Family<Outcome, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Type {
    r#type: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Port {
    port: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PortReason {
    port: &'static str,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ObjectKind {
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

/// What came of writing the conditions of a route or a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StatusWrite {
    Written,
    /// Others wrote at the same time, again and again: it is tried later.
    Outrun,
    /// The API server did not let us, or could not be asked.
    Failed,
}

impl StatusWrite {
    const ALL: [Self; 3] = [Self::Written, Self::Outrun, Self::Failed];

    fn word(self) -> &'static str {
        match self {
            Self::Written => "written",
            Self::Outrun => "outrun",
            Self::Failed => "failed",
        }
    }
}

/// A stream that is open; counted until it is dropped.
#[derive(Debug)]
pub(crate) struct OpenStream(Gauge);

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Metrics {
    /// Counters at zero. Those whose labels are known are there from the start, so that the first of a kind is an increase.
    pub(crate) fn new() -> Self {
        let metrics = Self {
            registry: Arc::new(Mutex::new(Registry::with_prefix("weft_control"))),
            issued: Counter::default(),
            refused: Family::default(),
            streams: Gauge::default(),
            streams_refused: Family::default(),
            pushed: Family::default(),
            resources: Family::default(),
            nacked: Family::default(),
            passed_on: Histogram::new(PASSED_ON),
            handshakes: Family::default(),
            handshakes_failed: Family::default(),
            problems: Gauge::default(),
            objects: Family::default(),
            version: Gauge::default(),
            changed: Gauge::default(),
            expiry: Gauge::default(),
            status_writes: Family::default(),
        };
        metrics.begin();
        metrics.register();
        metrics
    }

    fn begin(&self) {
        for reason in CertificateReason::ALL {
            self.refused.get_or_create_owned(&Reason { reason: reason.word() });
        }
        for reason in StreamReason::ALL {
            self.streams_refused.get_or_create_owned(&Reason { reason: reason.word() });
        }
        for r#type in Kind::ALL.map(Kind::word) {
            for family in [&self.pushed, &self.resources, &self.nacked] {
                family.get_or_create_owned(&Type { r#type });
            }
        }
        for outcome in StatusWrite::ALL.map(StatusWrite::word) {
            self.status_writes.get_or_create_owned(&Outcome { outcome });
        }
        for port in [DISCOVERY, CERTIFICATES] {
            self.handshakes.get_or_create_owned(&Port { port });
            for failure in Failure::ALL {
                self.handshakes_failed.get_or_create_owned(&PortReason { port, reason: failure.word() });
            }
        }
    }

    fn register(&self) {
        let mut registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        registry.register("certificates_issued", "Certificates issued", self.issued.clone());
        registry.register("certificates_refused", "Certificate requests refused, by reason", self.refused.clone());
        registry.register("xds_streams_open", "Discovery streams open now", self.streams.clone());
        registry.register("xds_streams_refused", "Discovery streams refused, by reason", self.streams_refused.clone());
        registry.register("xds_pushes", "Discovery responses sent, by resource type", self.pushed.clone());
        registry.register("xds_resources_sent", "Resources sent or told to be gone, by type", self.resources.clone());
        registry.register("xds_nacks", "Discovery responses a client could not use, by resource type", self.nacked.clone());
        registry.register(
            "xds_push_duration_seconds",
            "Time from hearing of a change to handing it to a client's stream",
            self.passed_on.clone(),
        );
        registry.register("handshakes", "Connections whose TLS handshake succeeded, by port", self.handshakes.clone());
        registry.register(
            "handshakes_failed",
            "Connections whose TLS handshake failed, by port and reason",
            self.handshakes_failed.clone(),
        );
        registry.register("manifest_problems", "Mistakes in the manifests now", self.problems.clone());
        registry.register("objects", "Objects known, by kind", self.objects.clone());
        registry.register("config_version", "Changes taken in since start", self.version.clone());
        registry.register(
            "config_changed_timestamp_seconds",
            "When the last change was taken in, in Unix time",
            self.changed.clone(),
        );
        registry.register(
            "certificate_expiry_timestamp_seconds",
            "When control's own certificate ends, in Unix time",
            self.expiry.clone(),
        );
        registry.register("status_writes", "Conditions of routes and policies written, by outcome", self.status_writes.clone());
    }

    /// What a scrape is told.
    pub(crate) fn page(&self, state: &State, question: Question<'_>) -> Page {
        let sizes = state.sizes();
        let others = [
            ("Service", sizes.services),
            ("EndpointSlice", sizes.slices),
            ("Pod", sizes.pods),
            ("PeerAuthentication", sizes.policies),
            ("AuthorizationPolicy", sizes.authorization_policies),
        ];
        let routes = sizes.routes.into_iter().map(|(kind, size)| (kind.word(), size));
        let traffic = sizes.traffic_policies.into_iter().map(|(kind, size)| (kind.word(), size));
        for (kind, size) in others.into_iter().chain(routes).chain(traffic) {
            self.objects.get_or_create_owned(&ObjectKind { kind }).set(signed(size));
        }
        ::admin::metrics(&self.registry.lock().unwrap_or_else(PoisonError::into_inner), question)
    }

    pub(crate) fn issued(&self) {
        self.issued.inc();
    }

    pub(crate) fn refused(&self, reason: CertificateReason) {
        self.refused.get_or_create_owned(&Reason { reason: reason.word() }).inc();
    }

    pub(crate) fn stream_opened(&self) -> OpenStream {
        self.streams.inc();
        OpenStream(self.streams.clone())
    }

    pub(crate) fn stream_refused(&self, reason: StreamReason) {
        self.streams_refused.get_or_create_owned(&Reason { reason: reason.word() }).inc();
    }

    /// A response with so many `resources` was sent.
    pub(crate) fn pushed(&self, kind: Kind, resources: usize) {
        let r#type = kind.word();
        self.pushed.get_or_create_owned(&Type { r#type }).inc();
        self.resources.get_or_create_owned(&Type { r#type }).inc_by(resources as u64);
    }

    pub(crate) fn nacked(&self, kind: Option<Kind>) {
        self.nacked.get_or_create_owned(&Type { r#type: kind.map_or("other", Kind::word) }).inc();
    }

    pub(crate) fn passed_on(&self, took: Duration) {
        self.passed_on.observe(took.as_secs_f64());
    }

    pub(crate) fn handshake_done(&self, port: &'static str) {
        self.handshakes.get_or_create_owned(&Port { port }).inc();
    }

    pub(crate) fn handshake_failed(&self, port: &'static str, failure: Failure) {
        self.handshakes_failed.get_or_create_owned(&PortReason { port, reason: failure.word() }).inc();
    }

    pub(crate) fn problems(&self, count: usize) {
        self.problems.set(signed(count));
    }

    /// Something changed.
    pub(crate) fn changed(&self) {
        self.version.inc();
        self.changed.set(unix(clock::wall()));
    }

    pub(crate) fn status_written(&self, outcome: StatusWrite) {
        self.status_writes.get_or_create_owned(&Outcome { outcome: outcome.word() }).inc();
    }

    pub(crate) fn certificate_ends(&self, time: SystemTime) {
        self.expiry.set(unix(time));
    }
}

/// Label of the discovery port.
pub(crate) const DISCOVERY: &str = "xds";
/// Label of the port for certificates.
pub(crate) const CERTIFICATES: &str = "certificates";

fn signed(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn unix(time: SystemTime) -> i64 {
    i64::try_from(clock::unix_seconds(time)).unwrap_or(i64::MAX)
}
