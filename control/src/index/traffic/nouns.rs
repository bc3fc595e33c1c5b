//! What traffic policies say, free of how it was written.

use std::{fmt, time::Duration};

use super::super::{Edition, Key, routes::RouteKind};

/// What is said of requests to some services, or of some routes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TrafficPolicy {
    pub(crate) kind: PolicyKind,
    pub(crate) key: Key,
    /// When it was made, in Unix seconds.
    pub(crate) made: i64,
    pub(crate) edition: Edition,
    pub(crate) targets: Vec<Attached>,
    pub(crate) said: Said,
    /// What in it means nothing: it counts for nothing.
    pub(crate) mistakes: Vec<String>,
}

/// Kinds of traffic policies. Where both say something of one target, the first counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum PolicyKind {
    /// Our own.
    Traffic,
    /// That of the Gateway API.
    Backend,
}

/// What tells a traffic policy from all others.
pub(crate) type PolicyId = (PolicyKind, Key);

/// What a policy is attached to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Attached {
    /// A service; or one of its ports, by name.
    Service(Key, Option<String>),
    /// A route; or its rules of one name.
    Route(RouteKind, Key, Option<String>),
}

/// What is said. What is not said is as it is without a policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) balancer: Option<Balancer>,
    pub(crate) slow_start: Option<Duration>,
    pub(crate) zones: Option<Zones>,
    pub(crate) outliers: Option<Outliers>,
    pub(crate) limits: Option<Limits>,
    pub(crate) retry_budget: Option<RetryBudget>,
    pub(crate) timeouts: Timeouts,
    pub(crate) retries: Option<Retries>,
    pub(crate) hedging: Option<Hedging>,
    pub(crate) faults: Option<Faults>,
    pub(crate) rate_limits: Vec<RateLimit>,
}

/// How an endpoint is chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Balancer {
    PeakEwma,
    LeastRequest,
    RoundRobin,
    Random,
    /// By the first of these that a request has; by its source without any.
    RingHash(Vec<HashOn>),
    Maglev(Vec<HashOn>),
}

/// What requests of one client have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HashOn {
    /// By name, in small letters.
    Header(String),
    /// With a `ttl` one is made where there is none.
    Cookie {
        name: String,
        ttl: Option<Duration>,
    },
    Source,
}

/// Whether endpoints in the caller's zone go before others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Zones {
    Ignore,
    Prefer,
}

/// Which endpoints are avoided for a while. Shares are of a hundred.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outliers {
    /// Failures in a row.
    pub(crate) consecutive: Option<u32>,
    pub(crate) failure_share: Option<FailureShare>,
    /// How many times later than the endpoint in the middle.
    pub(crate) latency_factor: Option<u32>,
    pub(crate) interval: Duration,
    /// The first time; doubled with each in a row.
    pub(crate) ejection: Duration,
    pub(crate) ejection_max: Duration,
    pub(crate) ejected_max: u32,
    /// With fewer available, all are used.
    pub(crate) panic: u32,
}

/// A share of failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FailureShare {
    pub(crate) percent: u32,
    /// With fewer nothing is concluded.
    pub(crate) requests: u32,
}

/// How much one sidecar asks at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) connections: Option<u32>,
    pub(crate) requests: Option<u32>,
    pub(crate) queue: Option<Queue>,
}

/// Requests that wait for a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Queue {
    pub(crate) length: u32,
    pub(crate) time: Duration,
}

/// How many further tries there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RetryBudget {
    /// Of a hundred requests of the interval.
    pub(crate) percent: u32,
    pub(crate) interval: Duration,
    /// In any case.
    pub(crate) per_second: u32,
}

/// How long requests may take; zero is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Timeouts {
    pub(crate) request: Option<Duration>,
    pub(crate) attempt: Option<Duration>,
    pub(crate) idle: Option<Duration>,
}

/// Which requests are tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Retries {
    /// Beyond the first.
    pub(crate) attempts: u32,
    pub(crate) on: Vec<RetryOn>,
    pub(crate) codes: Vec<u16>,
    pub(crate) grpc: Vec<GrpcCode>,
    pub(crate) backoff: Option<Backoff>,
    /// Bytes of a body that are kept for it.
    pub(crate) body_max: Option<u64>,
}

/// After what is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RetryOn {
    ConnectFailure,
    RefusedStream,
    Reset,
    FiveHundreds,
    GatewayError,
}

/// How long is waited before another try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Backoff {
    pub(crate) base: Duration,
    pub(crate) max: Duration,
}

/// When another endpoint is asked beside the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hedging {
    pub(crate) after: Duration,
    pub(crate) attempts: u32,
}

/// What is done to requests for a trial; and to how many, in a million.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Faults {
    pub(crate) delay: Option<(Duration, u32)>,
    pub(crate) abort: Option<(Abort, u32)>,
}

/// An error that is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Abort {
    Http(u16),
    Grpc(GrpcCode),
}

/// How often may be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RateLimit {
    /// What tells it from others: its policy, what that is attached to, and its place there. Given when it is looked up.
    pub(crate) name: String,
    pub(crate) requests: u32,
    pub(crate) per: Duration,
    /// So many at once.
    pub(crate) burst: u32,
    pub(crate) by: By,
}

/// Whose requests are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    All,
    Client,
}

/// A status of gRPC that is an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GrpcCode {
    Cancelled,
    Unknown,
    InvalidArgument,
    DeadlineExceeded,
    NotFound,
    AlreadyExists,
    PermissionDenied,
    ResourceExhausted,
    FailedPrecondition,
    Aborted,
    OutOfRange,
    Unimplemented,
    Internal,
    Unavailable,
    DataLoss,
    Unauthenticated,
}

impl PolicyKind {
    pub(crate) const ALL: [Self; 2] = [Self::Traffic, Self::Backend];

    /// The word in manifests.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Traffic => "TrafficPolicy",
            Self::Backend => "XBackendTrafficPolicy",
        }
    }
}

impl TrafficPolicy {
    pub(crate) fn id(&self) -> PolicyId {
        (self.kind, self.key.clone())
    }
}

impl RetryOn {
    /// All there are.
    pub(crate) const ALL: [Self; 5] =
        [Self::ConnectFailure, Self::RefusedStream, Self::Reset, Self::FiveHundreds, Self::GatewayError];

    /// The word in policies and resources. Source: `retry_on` of Envoy's router.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::ConnectFailure => "connect-failure",
            Self::RefusedStream => "refused-stream",
            Self::Reset => "reset",
            Self::FiveHundreds => "5xx",
            Self::GatewayError => "gateway-error",
        }
    }
}

impl GrpcCode {
    /// All there are, by their numbers: the first is 1.
    pub(crate) const ALL: [Self; 16] = [
        Self::Cancelled,
        Self::Unknown,
        Self::InvalidArgument,
        Self::DeadlineExceeded,
        Self::NotFound,
        Self::AlreadyExists,
        Self::PermissionDenied,
        Self::ResourceExhausted,
        Self::FailedPrecondition,
        Self::Aborted,
        Self::OutOfRange,
        Self::Unimplemented,
        Self::Internal,
        Self::Unavailable,
        Self::DataLoss,
        Self::Unauthenticated,
    ];

    /// Those that a router of Envoy's tries again after.
    pub(crate) const RETRIABLE: [Self; 5] =
        [Self::Cancelled, Self::DeadlineExceeded, Self::Internal, Self::ResourceExhausted, Self::Unavailable];

    /// The word in policies and resources.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Cancelled => "cancelled",
            Self::Unknown => "unknown",
            Self::InvalidArgument => "invalid-argument",
            Self::DeadlineExceeded => "deadline-exceeded",
            Self::NotFound => "not-found",
            Self::AlreadyExists => "already-exists",
            Self::PermissionDenied => "permission-denied",
            Self::ResourceExhausted => "resource-exhausted",
            Self::FailedPrecondition => "failed-precondition",
            Self::Aborted => "aborted",
            Self::OutOfRange => "out-of-range",
            Self::Unimplemented => "unimplemented",
            Self::Internal => "internal",
            Self::Unavailable => "unavailable",
            Self::DataLoss => "data-loss",
            Self::Unauthenticated => "unauthenticated",
        }
    }

    /// Its number.
    pub(crate) fn number(self) -> u32 {
        self as u32 + 1
    }
}

impl fmt::Display for Attached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, key, section) = match self {
            Self::Service(key, port) => ("Service", key, port),
            Self::Route(kind, key, rule) => (kind.word(), key, rule),
        };
        write!(f, "{kind} {key}")?;
        section.iter().try_for_each(|section| write!(f, " {section}"))
    }
}

impl Said {
    /// This, and what `wider` says where this says nothing.
    pub(crate) fn or(self, wider: Self) -> Self {
        Self {
            balancer: self.balancer.or(wider.balancer),
            slow_start: self.slow_start.or(wider.slow_start),
            zones: self.zones.or(wider.zones),
            outliers: self.outliers.or(wider.outliers),
            limits: self.limits.or(wider.limits),
            retry_budget: self.retry_budget.or(wider.retry_budget),
            timeouts: Timeouts {
                request: self.timeouts.request.or(wider.timeouts.request),
                attempt: self.timeouts.attempt.or(wider.timeouts.attempt),
                idle: self.timeouts.idle.or(wider.timeouts.idle),
            },
            retries: self.retries.or(wider.retries),
            hedging: self.hedging.or(wider.hedging),
            faults: self.faults.or(wider.faults),
            rate_limits: if self.rate_limits.is_empty() { wider.rate_limits } else { self.rate_limits },
        }
    }

    /// What of it can be said of routes alone.
    pub(super) fn of_routes(self) -> Self {
        let Self { timeouts, retries, hedging, faults, rate_limits, .. } = self;
        Self { timeouts, retries, hedging, faults, rate_limits, ..Self::default() }
    }

    /// What of it can be said of callers of a single pod, which has nobody beside it.
    pub(super) fn of_pods(self) -> Self {
        let Self { limits, retry_budget, timeouts, retries, faults, .. } = self;
        Self { limits, retry_budget, timeouts, retries, faults, ..Self::default() }
    }
}
