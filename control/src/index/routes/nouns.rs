//! What routes and grants say, free of how it was written. Source: the routes and `ReferenceGrant` of the Gateway API.

use std::time::Duration;

use super::super::{Edition, Key, Protocol, Service, ServicePort};

/// What a route is about. Of several kinds at one port the first counts. Source: "Route types" of GEP-1294.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum RouteKind {
    Grpc,
    Http,
    Tls,
    Tcp,
}

/// What tells a route from all others.
pub(crate) type RouteId = (RouteKind, Key);

/// What becomes of what some services are asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) kind: RouteKind,
    pub(crate) key: Key,
    /// When it was made, in Unix seconds.
    pub(crate) made: i64,
    pub(crate) edition: Edition,
    /// Whose requests it is about. Those that are no services are not ours.
    pub(crate) parents: Vec<Parent>,
    /// For which servers connections must be that it is about.
    pub(crate) servers: Servers,
    pub(crate) rules: Vec<Rule>,
}

/// Servers, by the names by which TLS asks for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Servers {
    /// All, and connections that name none.
    All,
    /// These, in small letters; a name under another is written `*.` and the other. None when one of them means nothing.
    Named(Vec<String>),
}

/// A service whose requests a route is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parent {
    pub(crate) service: Key,
    /// Any when absent.
    pub(crate) port: Option<u16>,
    /// Name of the port; any when absent.
    pub(crate) port_name: Option<String>,
}

/// What becomes of some of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    /// Empty when it has none.
    pub(crate) name: String,
    /// Requests that it is for: those that any of these is for. None when one of them means nothing.
    pub(crate) matches: Vec<Match>,
    pub(crate) request: HeaderChanges,
    pub(crate) response: HeaderChanges,
    pub(crate) cors: Option<Cors>,
    pub(crate) action: Action,
    /// What in it means nothing, or nothing to us.
    pub(crate) mistakes: Vec<String>,
}

/// Requests, by all of what is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Match {
    pub(crate) path: PathMatch,
    /// Header fields by their names in small letters, each once.
    pub(crate) headers: Vec<(String, ValueMatch)>,
    /// Parameters by their names, each once.
    pub(crate) query: Vec<(String, ValueMatch)>,
    pub(crate) method: Option<String>,
}

/// Paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PathMatch {
    Exact(String),
    /// By whole elements, without a slash at its end; empty for all paths.
    Prefix(String),
    /// All of the path.
    Regex(String),
    /// That of a gRPC call.
    Call(CallMatch),
}

/// Calls of gRPC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CallMatch {
    /// With its package; any when absent.
    pub(crate) service: Option<ValueMatch>,
    /// Any when absent.
    pub(crate) method: Option<ValueMatch>,
}

/// Values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ValueMatch {
    Exact(String),
    /// All of the value.
    Regex(String),
}

/// Changes of header fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct HeaderChanges {
    pub(crate) set: Vec<(String, String)>,
    pub(crate) add: Vec<(String, String)>,
    pub(crate) remove: Vec<String>,
}

/// Pages of which other origins may ask, and for what. An asterisk stands for all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cors {
    pub(crate) origins: Vec<ValueMatch>,
    pub(crate) credentials: bool,
    pub(crate) methods: Vec<String>,
    /// Header fields of requests.
    pub(crate) headers: Vec<String>,
    /// Header fields of answers that they may see.
    pub(crate) exposed: Vec<String>,
    /// Seconds for which a browser need not ask about that again.
    pub(crate) max_age: u32,
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Forward(Forward),
    Redirect(Redirect),
    /// Something that means nothing would have been done to it: nobody may be let past that.
    Fail,
}

/// It goes to somebody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Forward {
    pub(crate) backends: Vec<Backend>,
    pub(crate) rewrite: Rewrite,
    pub(crate) mirrors: Vec<Mirror>,
    /// For all of it; zero is no limit.
    pub(crate) timeout: Option<Duration>,
    /// For one try; zero is no limit.
    pub(crate) try_timeout: Option<Duration>,
    /// When it is tried again.
    pub(crate) retry: Option<Retry>,
    /// How clients stay with the endpoint that answered them first; they do not when absent.
    pub(crate) session: Option<Session>,
}

/// When requests are tried again: when nobody answers, or with one of these codes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Retry {
    pub(crate) codes: Vec<u16>,
    /// Tries beyond the first.
    pub(crate) attempts: Option<u32>,
    /// How long is waited before another, at least.
    pub(crate) backoff: Option<Duration>,
}

/// How a client stays with the endpoint that answered it first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Session {
    pub(crate) told_by: ToldBy,
    /// Empty for one that is made.
    pub(crate) name: String,
    pub(crate) absolute: Option<Duration>,
    pub(crate) idle: Option<Duration>,
}

/// By what a client tells its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ToldBy {
    Header,
    /// That ends with the client.
    Cookie,
    /// That lasts as long as the session may.
    PermanentCookie,
}

/// Who gets a share of the requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Backend {
    pub(crate) to: Reference,
    pub(crate) weight: u32,
    pub(crate) request: HeaderChanges,
    pub(crate) response: HeaderChanges,
}

/// Who is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reference {
    /// A port of a service.
    Service(Key, Option<u16>),
    /// Something of another kind.
    Other(String),
}

/// Who gets a copy of some of the requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mirror {
    pub(crate) to: Reference,
    /// Of how many, in a million.
    pub(crate) millionths: u32,
}

/// What a request is made into.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rewrite {
    pub(crate) host: Option<String>,
    pub(crate) path: Option<PathChange>,
}

/// Another path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PathChange {
    Full(String),
    /// In place of the prefix that was matched, without a slash at its end.
    Prefix(String),
}

/// The caller is sent elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Redirect {
    /// `http` or `https`.
    pub(crate) scheme: Option<String>,
    pub(crate) host: Option<String>,
    pub(crate) port: Option<u16>,
    pub(crate) path: Option<PathChange>,
    pub(crate) status: u16,
}

/// Who may name services of its namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) key: Key,
    /// Kinds and namespaces of the routes that may.
    pub(crate) from: Vec<(RouteKind, String)>,
    /// Names of the services.
    pub(crate) to: Vec<String>,
    /// All services.
    pub(crate) to_all: bool,
}

impl RouteKind {
    pub(crate) const ALL: [RouteKind; 4] = [RouteKind::Grpc, RouteKind::Http, RouteKind::Tls, RouteKind::Tcp];

    /// As the Gateway API calls it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Grpc => "GRPCRoute",
            Self::Http => "HTTPRoute",
            Self::Tls => "TLSRoute",
            Self::Tcp => "TCPRoute",
        }
    }

    /// Whether it is about requests, and not about whole connections.
    pub(crate) fn is_of_requests(self) -> bool {
        matches!(self, Self::Grpc | Self::Http)
    }

    /// Whether what speaks `protocol` can be what it is about.
    pub(crate) fn fits(self, protocol: Protocol) -> bool {
        if self.is_of_requests() { protocol.takes_requests() } else { protocol.takes_bytes() }
    }
}

impl Route {
    pub(crate) fn id(&self) -> RouteId {
        (self.kind, self.key.clone())
    }

    /// Who is named in it.
    pub(crate) fn references(&self) -> impl Iterator<Item = &Reference> {
        let forwards = self.rules.iter().filter_map(|rule| match &rule.action {
            Action::Forward(forward) => Some(forward),
            Action::Redirect(_) | Action::Fail => None,
        });
        forwards.flat_map(|forward| {
            let backends = forward.backends.iter().map(|backend| &backend.to);
            backends.chain(forward.mirrors.iter().map(|mirror| &mirror.to))
        })
    }

    /// Services that are named in it.
    pub(super) fn services(&self) -> impl Iterator<Item = &Key> {
        self.references().filter_map(|to| match to {
            Reference::Service(service, _) => Some(service),
            Reference::Other(_) => None,
        })
    }
}

impl Parent {
    /// Whether it is a port of `service`, whose key is its own.
    pub(crate) fn is(&self, service: &Service, port: &ServicePort) -> bool {
        self.service == service.key
            && self.port.is_none_or(|wanted| wanted == port.port)
            && self.port_name.as_ref().is_none_or(|wanted| *wanted == port.name)
    }
}

impl ValueMatch {
    /// What is written.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Exact(text) | Self::Regex(text) => text,
        }
    }
}

impl Match {
    /// All requests.
    pub(crate) fn all() -> Self {
        Self { path: PathMatch::Prefix(String::new()), headers: Vec::new(), query: Vec::new(), method: None }
    }
}

impl Grant {
    /// Whether by it `route` may name `service`.
    pub(super) fn lets(&self, route: &Route, service: &Key) -> bool {
        self.key.namespace == service.namespace
            && self.from.iter().any(|(kind, namespace)| *kind == route.kind && *namespace == route.key.namespace)
            && (self.to_all || self.to.contains(&service.name))
    }
}
