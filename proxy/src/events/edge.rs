//! An edge: everything counted between one client workload and one server workload, in one direction.

use std::{
    cell::RefCell,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use http::{Method, StatusCode};

use super::{
    Direction, HttpVersion,
    histogram::{Histogram, add},
    series::Local,
};

/// One end of an edge, as far as telemetry knows it; unknown parts are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Party {
    /// Workload name.
    pub workload: Arc<str>,
    /// Namespace.
    pub namespace: Arc<str>,
    /// SPIFFE ID that was proved; empty in plaintext.
    pub identity: Arc<str>,
}

/// What tells one edge from another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Labels {
    /// Seen from which end.
    pub direction: Direction,
    /// Who calls.
    pub client: Party,
    /// Who is called.
    pub server: Party,
    /// The service that was dialled; empty for bare addresses.
    pub service: Arc<str>,
    /// Whether the mesh hop is mutual TLS.
    pub mutual_tls: bool,
}

/// A worker's counters for one pair of parties. Cheap to clone; stays on its worker.
#[derive(Clone, Debug)]
pub struct Edge(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    shared: Arc<EdgeCounters>,
    /// Requests by what they were; a handful per edge, so a list beats a map.
    requests: RefCell<Vec<(RequestKey, Arc<RequestCounters>)>>,
}

/// What tells one series of requests from another on the same edge.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct RequestKey {
    pub(super) method: Method,
    pub(super) status: StatusCode,
    pub(super) version: HttpVersion,
}

/// Counters of an edge. One worker writes, the admin page reads.
#[derive(Debug)]
pub(super) struct EdgeCounters {
    pub(super) labels: Labels,
    pub(super) opened: AtomicU64,
    pub(super) closed: AtomicU64,
    pub(super) durations: Histogram,
    pub(super) sent: AtomicU64,
    pub(super) received: AtomicU64,
}

/// Durations of like requests on an edge.
#[derive(Debug)]
pub(super) struct RequestCounters {
    pub(super) edge: Arc<EdgeCounters>,
    pub(super) key: RequestKey,
    pub(super) durations: Histogram,
}

impl Edge {
    pub(super) fn new(labels: Labels) -> Self {
        let shared = Arc::new(EdgeCounters {
            labels,
            opened: AtomicU64::new(0),
            closed: AtomicU64::new(0),
            durations: Histogram::default(),
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
        });
        Self(Rc::new(Inner { shared, requests: RefCell::default() }))
    }

    /// Between whom, and how.
    pub fn labels(&self) -> &Labels {
        &self.0.shared.labels
    }

    pub(super) fn shared(&self) -> Arc<EdgeCounters> {
        self.0.shared.clone()
    }

    pub(super) fn request(&self, local: &Local, method: &Method, status: StatusCode, version: HttpVersion, took: Duration) {
        let mut requests = self.0.requests.borrow_mut();
        let known = requests.iter().find(|(key, _)| key.status == status && key.version == version && key.method == *method);
        if let Some((_, counters)) = known {
            return counters.durations.observe(took);
        }
        let key = RequestKey { method: well_known(method), status, version };
        let counters = local.requests(&self.0.shared, &key);
        counters.durations.observe(took);
        if !requests.iter().any(|(seen, _)| *seen == key) {
            requests.push((key, counters));
        }
    }

    pub(super) fn opened(&self) {
        add(&self.0.shared.opened, 1);
    }

    pub(super) fn closed(&self, took: Duration) {
        add(&self.0.shared.closed, 1);
        self.0.shared.durations.observe(took);
    }

    pub(super) fn carried(&self, sent: u64, received: u64) {
        add(&self.0.shared.sent, sent);
        add(&self.0.shared.received, received);
    }
}

impl EdgeCounters {
    pub(super) fn open(&self) -> u64 {
        // Read in this order, a connection that opens and closes in between can only be missed, never counted twice.
        let closed = self.closed.load(Relaxed);
        self.opened.load(Relaxed).saturating_sub(closed)
    }
}

/// Methods are chosen by clients; only those of RFC 9110 and RFC 5789 may make a series of their own.
fn well_known(method: &Method) -> Method {
    const KNOWN: [Method; 9] = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::DELETE,
        Method::CONNECT,
        Method::OPTIONS,
        Method::TRACE,
        Method::PATCH,
    ];
    if KNOWN.contains(method) {
        return method.clone();
    }
    Method::from_bytes(b"_OTHER").unwrap_or(Method::OPTIONS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invented_method_shares_one_series_with_all_others() {
        let invented = Method::from_bytes(b"BREW").unwrap();
        assert_eq!(well_known(&invented).as_str(), "_OTHER");
        assert_eq!(well_known(&Method::PATCH), Method::PATCH);
    }
}
