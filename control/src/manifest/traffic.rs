//! `TrafficPolicy`, of our group `weft.dev`: how requests to a Service are balanced, limited, tried again and, for a trial,
//! spoilt. Numbers and lengths of time are for whoever reads these to judge.

use serde::{Deserialize, Serialize};

use super::kinds::Metadata;

/// `TrafficPolicy`: what callers do besides asking.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TrafficPolicy {
    /// `weft.dev/v1alpha1`.
    pub api_version: String,
    /// `TrafficPolicy`.
    pub kind: String,
    /// Name and namespace.
    pub metadata: Metadata,
    /// What is said.
    #[serde(default)]
    pub spec: TrafficPolicySpec,
}

/// Its `spec`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct TrafficPolicySpec {
    /// Whose requests it is about.
    pub target_refs: Vec<TargetReference>,
    /// Which endpoint a request goes to. Of Services.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub balancer: Option<Balancer>,
    /// Which endpoints are avoided for a while. Of Services.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outliers: Option<Outliers>,
    /// How much one sidecar asks at once. Of Services.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// How many further tries there may be. Of Services.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_budget: Option<RetryBudget>,
    /// How long requests may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeouts: Option<Timeouts>,
    /// Which requests are tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retries: Option<Retries>,
    /// When a second endpoint is asked beside the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hedging: Option<Hedging>,
    /// What is done to requests for a trial.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub faults: Option<Faults>,
    /// How often may be asked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rate_limits: Vec<RateLimit>,
}

/// Group of [`BackendTrafficPolicy`], and its version.
pub const BACKEND_GROUP: &str = "gateway.networking.x-k8s.io";
/// See [`BACKEND_GROUP`].
pub const BACKEND_VERSION: &str = "v1alpha1";

/// `XBackendTrafficPolicy`: what the Gateway API says of the same, as a trial. Source: GEP-3388. Read leniently: it is not ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackendTrafficPolicy {
    /// Name and namespace.
    pub metadata: Metadata,
    /// What is said.
    #[serde(default)]
    pub spec: BackendTrafficPolicySpec,
}

/// Its `spec`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BackendTrafficPolicySpec {
    /// The Services that it is about.
    pub target_refs: Vec<BackendTarget>,
    /// How many further tries there may be.
    pub retry_constraint: Option<RetryConstraint>,
}

/// A Service of the policy's own namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BackendTarget {
    /// Group of its kind.
    pub group: String,
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
}

/// How many further tries there may be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RetryConstraint {
    /// In proportion to requests.
    pub budget: Option<Budget>,
    /// In any case.
    pub min_retry_rate: Option<RequestRate>,
}

/// Further tries in proportion to requests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Budget {
    /// Of a hundred requests; 20 when absent.
    pub percent: Option<u32>,
    /// What requests are counted over; 10 s when absent.
    pub interval: Option<String>,
}

/// So many in so long.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RequestRate {
    /// So many; 10 when absent.
    pub count: Option<u32>,
    /// In so long; 1 s when absent.
    pub interval: Option<String>,
}

/// A Service or a route of the policy's own namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TargetReference {
    /// Group of its kind; that of Services when absent.
    #[serde(default)]
    pub group: String,
    /// `Service`, `HTTPRoute` or `GRPCRoute`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Name of a Service's port, or of a rule; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub section_name: Option<String>,
}

/// Which endpoint a request goes to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Balancer {
    /// How one is chosen; `PeakEwma` when absent.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<BalancerKind>,
    /// What requests of one client have in common. Of `RingHash` and `Maglev`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hash_on: Vec<HashOn>,
    /// How long the share of a new endpoint grows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slow_start: Option<String>,
    /// Whether endpoints in the caller's zone go before others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zones: Option<Zones>,
}

/// How an endpoint is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BalancerKind {
    /// Of two, that which seems to answer sooner.
    PeakEwma,
    /// Of two, that with fewer requests.
    LeastRequest,
    /// One after the other.
    RoundRobin,
    /// Any.
    Random,
    /// By a hash, on a ring.
    RingHash,
    /// By a hash, in a table.
    Maglev,
}

/// Something of a request by which it is told from others: one of these.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct HashOn {
    /// A header field, by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// A cookie.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cookie: Option<Cookie>,
    /// The caller's address, when true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<bool>,
}

/// A cookie.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cookie {
    /// Its name.
    pub name: String,
    /// For how long one is made where there is none; none is made when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<String>,
}

/// Whether endpoints in the caller's zone go before others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Zones {
    /// They do, as long as enough of them are there.
    Prefer,
    /// They do not.
    Ignore,
}

/// Which endpoints are avoided for a while.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Outliers {
    /// After so many failures in a row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consecutive_failures: Option<u32>,
    /// After so large a share of failures in an interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_share: Option<FailureShare>,
    /// After an interval of answers that were late.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency: Option<Latency>,
    /// What shares and answers are counted over; 10 s when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<String>,
    /// How long the first time; doubled with each in a row; 5 s when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ejection: Option<String>,
    /// How long at most; 60 s when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ejection_max: Option<String>,
    /// How many of a hundred endpoints may be out at once; 50 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ejected_max: Option<u32>,
    /// With fewer of a hundred endpoints available than this, all are used; 30 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub panic_threshold: Option<u32>,
}

/// A share of failures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FailureShare {
    /// Of a hundred requests.
    pub percent: u32,
    /// With fewer requests nothing is concluded; 20 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<u32>,
}

/// Answers that are late.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Latency {
    /// So many times later than those of the endpoint in the middle.
    pub factor: u32,
}

/// How much one sidecar asks at once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Connections.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connections: Option<u32>,
    /// Requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests: Option<u32>,
    /// Requests that wait for a place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<Queue>,
}

/// Requests that wait for a place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Queue {
    /// How many.
    pub length: u32,
    /// How long; 1 s when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
}

/// How many further tries there may be. Source: `retryConstraint` of GEP-3388.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct RetryBudget {
    /// Of a hundred requests; 20 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent: Option<u32>,
    /// What requests are counted over; 10 s when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<String>,
    /// So many a second in any case; 10 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_second: Option<u32>,
}

/// How long requests may take: `10s`, `1h30m`. Zero is no limit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Timeouts {
    /// All of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// One try.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<String>,
    /// Without a byte in either direction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle: Option<String>,
}

/// Which requests are tried again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Retries {
    /// How often, beyond the first; 2 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// After what (a field `on` would be `true` to readers of YAML 1.1, as kubectl's is): `connect-failure`, `refused-stream`, `reset`, `5xx`, `gateway-error`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub retry_on: Vec<String>,
    /// After answers with these statuses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub codes: Vec<u16>,
    /// After answers with these statuses of gRPC.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub grpc: Vec<String>,
    /// How long is waited before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backoff: Option<Backoff>,
    /// How much of a body is kept for another try: `64Ki`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_max: Option<String>,
}

/// How long is waited before another try.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backoff {
    /// Before the second; doubled with each.
    pub base: String,
    /// At most; ten times `base` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<String>,
}

/// When another endpoint is asked beside the first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hedging {
    /// When no answer has come for so long.
    pub after: String,
    /// How many others; 1 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
}

/// What is done to requests for a trial.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// They are held up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay: Option<Delay>,
    /// They are answered with an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub abort: Option<Abort>,
}

/// Requests are held up.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delay {
    /// How long.
    pub time: String,
    /// How many of a hundred; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<f64>,
}

/// Requests are answered with an error: one of HTTP, or one of gRPC.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Abort {
    /// Of HTTP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Of gRPC, by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grpc: Option<String>,
    /// How many of a hundred; all when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent: Option<f64>,
}

/// How often may be asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// So often.
    pub requests: u32,
    /// In so long; 1 s when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per: Option<String>,
    /// So many at once; as many as `requests` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<u32>,
    /// Whose requests are counted together; `All` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<By>,
}

/// Whose requests are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum By {
    /// Those of each client.
    Client,
    /// All.
    All,
}
