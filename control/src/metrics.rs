//! What control counts.

use std::sync::{Arc, Mutex, PoisonError, atomic::AtomicI64};

use ::admin::{Page, Question};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use crate::{plan::Kind, state::State};

/// All counters. A clone counts the same.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    registry: Arc<Mutex<Registry>>,
    issued: Counter,
    refused: Family<Reason, Counter>,
    streams: Gauge,
    pushed: Family<Type, Counter>,
    nacked: Family<Type, Counter>,
    handshakes_failed: Counter,
    problems: Gauge,
    objects: Family<ObjectKind, Gauge>,
    expiry: Gauge<i64, AtomicI64>,
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
struct ObjectKind {
    kind: &'static str,
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
    /// Counters at zero.
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("weft_control");
        let metrics = Self {
            issued: Counter::default(),
            refused: Family::default(),
            streams: Gauge::default(),
            pushed: Family::default(),
            nacked: Family::default(),
            handshakes_failed: Counter::default(),
            problems: Gauge::default(),
            objects: Family::default(),
            expiry: Gauge::default(),
            registry: Arc::default(),
        };
        registry.register("certificates_issued", "Certificates issued", metrics.issued.clone());
        registry.register("certificates_refused", "Certificate requests refused, by reason", metrics.refused.clone());
        registry.register("xds_streams_open", "Discovery streams open now", metrics.streams.clone());
        registry.register("xds_pushes", "Discovery responses sent, by resource type", metrics.pushed.clone());
        registry.register("xds_nacks", "Discovery responses a client could not use, by resource type", metrics.nacked.clone());
        registry.register("handshakes_failed", "Connections whose TLS handshake failed", metrics.handshakes_failed.clone());
        registry.register("manifest_problems", "Mistakes in the manifests now", metrics.problems.clone());
        registry.register("objects", "Objects known, by kind", metrics.objects.clone());
        registry.register(
            "certificate_expiry_timestamp_seconds",
            "When control's own certificate ends, in Unix time",
            metrics.expiry.clone(),
        );
        *metrics.registry.lock().unwrap_or_else(PoisonError::into_inner) = registry;
        metrics
    }

    /// What a scrape is told.
    pub(crate) fn page(&self, state: &State, question: Question<'_>) -> Page {
        let sizes = state.sizes();
        for (kind, size) in [("Service", sizes.services), ("EndpointSlice", sizes.slices), ("Pod", sizes.pods)] {
            self.objects.get_or_create_owned(&ObjectKind { kind }).set(i64::try_from(size).unwrap_or(i64::MAX));
        }
        ::admin::metrics(&self.registry.lock().unwrap_or_else(PoisonError::into_inner), question)
    }

    pub(crate) fn issued(&self) {
        self.issued.inc();
    }

    pub(crate) fn refused(&self, reason: &'static str) {
        self.refused.get_or_create_owned(&Reason { reason }).inc();
    }

    pub(crate) fn stream_opened(&self) -> OpenStream {
        self.streams.inc();
        OpenStream(self.streams.clone())
    }

    pub(crate) fn pushed(&self, kind: Kind) {
        self.pushed.get_or_create_owned(&Type { r#type: kind.word() }).inc();
    }

    pub(crate) fn nacked(&self, kind: Option<Kind>) {
        self.nacked.get_or_create_owned(&Type { r#type: kind.map_or("other", Kind::word) }).inc();
    }

    pub(crate) fn handshake_failed(&self) {
        self.handshakes_failed.inc();
    }

    pub(crate) fn problems(&self, count: usize) {
        self.problems.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    pub(crate) fn certificate_ends(&self, unix_seconds: i64) {
        self.expiry.set(unix_seconds);
    }
}
