//! Whose fault it is, which room said no, and what each reader is told.
//!
//! A refusal has one [`Reason`]. Everything else about it (room, fault, status, metric label) follows from the reason by
//! one exhaustive match each, so a new reason that forgets to say what a client is told does not compile.

use std::{borrow::Cow, fmt, sync::Arc, time::Duration};

use http::StatusCode;

/// The room in which a walk ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Room {
    /// Taking the connection and learning where it was going.
    Accept,
    /// Telling which protocol it speaks; ending mesh TLS.
    Detect,
    /// Deciding where it may go.
    Route,
    /// Choosing an endpoint.
    Balance,
    /// Getting a ready line to that endpoint.
    Connect,
    /// Carrying bytes or messages.
    Relay,
}

/// Who has to mend it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The side that called.
    Client,
    /// The side that was called.
    Server,
    /// The mesh itself: this proxy, its rules, or control.
    Mesh,
}

/// Whether the same work may be tried again elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Nothing of it can have reached the server.
    Safe,
    /// The server may have begun it.
    Unsafe,
}

/// Why a walk ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The kernel knows no original destination: the connection was not redirected to us.
    NotRedirected,
    /// The connection came from this very proxy: the rules do not exempt it.
    RedirectLoop,
    /// More connections are open than this proxy is allowed to hold.
    TooManyConnections,
    /// The client left, or said nothing it could be judged by.
    ClientSilent,
    /// The client did not finish what it began in time.
    ClientSlow,
    /// Bytes that should be a TLS handshake are not.
    MalformedTls,
    /// The peer's certificate was refused, or it showed none.
    ClientCertificate,
    /// This proxy holds no identity yet, so it can neither end nor begin mesh TLS.
    NoIdentity,
    /// Control did not say in time what the address is.
    DiscoveryTimeout,
    /// No route matches.
    NoRoute,
    /// The route that matches leads to nothing that exists.
    NoBackend,
    /// Only callers that prove who they are may go there, and this one did not.
    Unauthenticated,
    /// The caller may not go there.
    Denied,
    /// Control has not said yet who may go there.
    NoPolicy,
    /// It was asked for more often than a policy allows.
    RateLimited,
    /// A policy has it answered with an error, for a trial.
    Fault,
    /// The service has no endpoint that is ready.
    NoEndpoint,
    /// As much is under way as the service's limits allow.
    Overflow,
    /// The endpoint refused the connection.
    ConnectRefused,
    /// The endpoint did not answer the connection attempt in time.
    ConnectTimeout,
    /// The network could not carry the connection.
    ConnectFailed,
    /// The endpoint proved another identity than discovery promised.
    ServerIdentity,
    /// The endpoint's certificate or handshake was not acceptable.
    ServerCertificate,
    /// The peer proxy would not open the tunnel.
    TunnelRefused,
    /// The client sent something its protocol forbids.
    BadRequest,
    /// What the client sent is larger than this proxy takes.
    TooLarge,
    /// The client sent more of what costs us and not itself than anybody means well with.
    ClientFlood,
    /// The client went away in the middle.
    ClientAborted,
    /// The app cannot be asked for the protocol that the client would switch to.
    NotSwitchable,
    /// The server sent something its protocol forbids.
    BadResponse,
    /// The server went away in the middle.
    ServerAborted,
    /// No answer began within the time that the route allows.
    RequestTimeout,
    /// Nothing moved in either direction for as long as the route allows.
    IdleTimeout,
}

impl Reason {
    /// Every reason there is, for tables and for metrics that start at zero.
    pub const ALL: [Reason; 33] = [
        Reason::NotRedirected,
        Reason::RedirectLoop,
        Reason::TooManyConnections,
        Reason::ClientSilent,
        Reason::ClientSlow,
        Reason::MalformedTls,
        Reason::ClientCertificate,
        Reason::NoIdentity,
        Reason::DiscoveryTimeout,
        Reason::NoRoute,
        Reason::NoBackend,
        Reason::Unauthenticated,
        Reason::Denied,
        Reason::NoPolicy,
        Reason::RateLimited,
        Reason::Fault,
        Reason::NoEndpoint,
        Reason::Overflow,
        Reason::ConnectRefused,
        Reason::ConnectTimeout,
        Reason::ConnectFailed,
        Reason::ServerIdentity,
        Reason::ServerCertificate,
        Reason::TunnelRefused,
        Reason::BadRequest,
        Reason::TooLarge,
        Reason::ClientFlood,
        Reason::ClientAborted,
        Reason::NotSwitchable,
        Reason::BadResponse,
        Reason::ServerAborted,
        Reason::RequestTimeout,
        Reason::IdleTimeout,
    ];

    /// The room this reason belongs to.
    pub fn room(self) -> Room {
        match self {
            Self::NotRedirected | Self::RedirectLoop | Self::TooManyConnections => Room::Accept,
            Self::ClientSilent | Self::MalformedTls | Self::ClientCertificate => Room::Detect,
            Self::DiscoveryTimeout
            | Self::NoRoute
            | Self::NoBackend
            | Self::Unauthenticated
            | Self::Denied
            | Self::NoPolicy
            | Self::RateLimited
            | Self::Fault => Room::Route,
            Self::NoEndpoint | Self::Overflow => Room::Balance,
            Self::NoIdentity
            | Self::ConnectRefused
            | Self::ConnectTimeout
            | Self::ConnectFailed
            | Self::ServerIdentity
            | Self::ServerCertificate
            | Self::TunnelRefused => Room::Connect,
            Self::ClientSlow
            | Self::BadRequest
            | Self::TooLarge
            | Self::ClientFlood
            | Self::ClientAborted
            | Self::NotSwitchable
            | Self::BadResponse
            | Self::ServerAborted
            | Self::RequestTimeout
            | Self::IdleTimeout => Room::Relay,
        }
    }

    /// Who has to mend it.
    pub fn fault(self) -> Fault {
        match self {
            Self::ClientSilent
            | Self::ClientSlow
            | Self::MalformedTls
            | Self::ClientCertificate
            | Self::BadRequest
            | Self::TooLarge
            | Self::ClientFlood
            | Self::ClientAborted
            | Self::NoRoute
            | Self::Unauthenticated
            | Self::Denied
            | Self::RateLimited => Fault::Client,
            Self::NoEndpoint
            | Self::ConnectRefused
            | Self::ConnectTimeout
            | Self::ConnectFailed
            | Self::ServerIdentity
            | Self::ServerCertificate
            | Self::TunnelRefused
            | Self::NotSwitchable
            | Self::BadResponse
            | Self::ServerAborted
            | Self::RequestTimeout
            | Self::IdleTimeout => Fault::Server,
            Self::NotRedirected
            | Self::RedirectLoop
            | Self::TooManyConnections
            | Self::NoIdentity
            | Self::DiscoveryTimeout
            | Self::NoBackend
            | Self::NoPolicy
            | Self::Fault
            | Self::Overflow => Fault::Mesh,
        }
    }

    /// What an HTTP client is told (RFC 9110).
    pub fn status(self) -> StatusCode {
        match self {
            Self::BadRequest | Self::MalformedTls | Self::ClientSilent | Self::ClientAborted => StatusCode::BAD_REQUEST,
            Self::ClientSlow => StatusCode::REQUEST_TIMEOUT,
            Self::TooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::ClientFlood | Self::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Self::NotSwitchable => StatusCode::NOT_IMPLEMENTED,
            Self::ClientCertificate | Self::Unauthenticated | Self::Denied => StatusCode::FORBIDDEN,
            Self::NoRoute => StatusCode::NOT_FOUND,
            Self::NoBackend => StatusCode::INTERNAL_SERVER_ERROR,
            Self::ServerIdentity | Self::ServerCertificate | Self::BadResponse | Self::ServerAborted => StatusCode::BAD_GATEWAY,
            Self::ConnectTimeout | Self::RequestTimeout | Self::IdleTimeout => StatusCode::GATEWAY_TIMEOUT,
            Self::NotRedirected
            | Self::RedirectLoop
            | Self::TooManyConnections
            | Self::NoIdentity
            | Self::DiscoveryTimeout
            | Self::NoPolicy
            | Self::Fault
            | Self::NoEndpoint
            | Self::Overflow
            | Self::ConnectRefused
            | Self::ConnectFailed
            | Self::TunnelRefused => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// What a gRPC client is told (`grpc-status`, as the gRPC status code document maps HTTP's).
    pub fn grpc_status(self) -> u16 {
        match self.status() {
            StatusCode::BAD_REQUEST => 13,
            StatusCode::FORBIDDEN => 7,
            StatusCode::NOT_FOUND | StatusCode::NOT_IMPLEMENTED => 12,
            StatusCode::REQUEST_TIMEOUT => 4,
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE | StatusCode::TOO_MANY_REQUESTS => 8,
            StatusCode::GATEWAY_TIMEOUT => 4,
            _ => 14,
        }
    }

    /// The word in metrics, logs and the `weft-reason` header.
    pub fn word(self) -> &'static str {
        match self {
            Self::NotRedirected => "not_redirected",
            Self::RedirectLoop => "redirect_loop",
            Self::TooManyConnections => "too_many_connections",
            Self::ClientSilent => "client_silent",
            Self::ClientSlow => "client_slow",
            Self::MalformedTls => "malformed_tls",
            Self::ClientCertificate => "client_certificate",
            Self::NoIdentity => "no_identity",
            Self::DiscoveryTimeout => "discovery_timeout",
            Self::NoRoute => "no_route",
            Self::NoBackend => "no_backend",
            Self::Unauthenticated => "unauthenticated",
            Self::Denied => "denied",
            Self::NoPolicy => "no_policy",
            Self::RateLimited => "rate_limited",
            Self::Fault => "fault",
            Self::NoEndpoint => "no_endpoint",
            Self::Overflow => "overflow",
            Self::ConnectRefused => "connect_refused",
            Self::ConnectTimeout => "connect_timeout",
            Self::ConnectFailed => "connect_failed",
            Self::ServerIdentity => "server_identity",
            Self::ServerCertificate => "server_certificate",
            Self::TunnelRefused => "tunnel_refused",
            Self::BadRequest => "bad_request",
            Self::TooLarge => "too_large",
            Self::ClientFlood => "client_flood",
            Self::ClientAborted => "client_aborted",
            Self::NotSwitchable => "not_switchable",
            Self::BadResponse => "bad_response",
            Self::ServerAborted => "server_aborted",
            Self::RequestTimeout => "request_timeout",
            Self::IdleTimeout => "idle_timeout",
        }
    }
}

impl Room {
    /// The word in metrics and logs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Detect => "detect",
            Self::Route => "route",
            Self::Balance => "balance",
            Self::Connect => "connect",
            Self::Relay => "relay",
        }
    }
}

impl Fault {
    /// The word in metrics and logs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
            Self::Mesh => "mesh",
        }
    }
}

/// A walk that ended early: why, and the facts of this one.
///
/// Cheap to clone, since everyone who waited for the same line is told the same.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// Why.
    pub reason: Reason,
    /// Whether another endpoint may be tried.
    pub retry: Retry,
    /// How long to wait before it is worth asking again, where that is known.
    pub wait: Option<Duration>,
    /// What this proxy's operator is told of a policy's decision, and nobody else; `None` where none decided.
    pub ruled: Option<Arc<Ruled>>,
    detail: Arc<str>,
}

/// A policy's decision against a caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruled {
    /// By which a caller's complaint and a line of the log are brought together.
    pub decision: String,
    /// The rule that keeps him out; `None` if none lets him in.
    pub rule: Option<Arc<str>>,
}

impl Refusal {
    /// A refusal of work that cannot have begun anywhere.
    pub fn new<'a>(reason: Reason, detail: impl Into<Cow<'a, str>>) -> Self {
        Self { reason, retry: Retry::Safe, wait: None, ruled: None, detail: detail.into().into_owned().into() }
    }

    /// A refusal of work that may be asked for again after `wait`.
    pub fn later<'a>(reason: Reason, detail: impl Into<Cow<'a, str>>, wait: Duration) -> Self {
        Self { wait: Some(wait), ..Self::new(reason, detail) }
    }

    /// A refusal of work that the server may have begun.
    pub fn midway<'a>(reason: Reason, detail: impl Into<Cow<'a, str>>) -> Self {
        Self { retry: Retry::Unsafe, ..Self::new(reason, detail) }
    }

    /// The same, decided by a policy's `rule`, or by there being none.
    pub fn by_rule(self, decision: String, rule: Option<Arc<str>>) -> Self {
        Self { ruled: Some(Arc::new(Ruled { decision, rule })), ..self }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { reason, detail, .. } = self;
        write!(f, "{detail} (reason {}, fault of the {})", reason.word(), reason.fault().word())
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_listed_once_and_has_a_word_of_its_own() {
        let mut words: Vec<_> = Reason::ALL.iter().map(|reason| reason.word()).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), Reason::ALL.len());
    }

    #[test]
    fn a_refusal_says_whose_fault_it_is() {
        let refusal = Refusal::new(Reason::ConnectRefused, "10.77.0.5:80 refused the connection");
        assert_eq!(refusal.to_string(), "10.77.0.5:80 refused the connection (reason connect_refused, fault of the server)");
    }
}
