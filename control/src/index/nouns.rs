//! The nouns of a cluster, free of where they came from.

use std::{collections::BTreeMap, fmt, net::IpAddr, time::Duration};

use super::{
    DefaultPolicy, PeerAuthentication, Protocol,
    authorizations::AuthorizationPolicy,
    routes::{Grant, Route, RouteKind},
    traffic::{PolicyKind, TrafficPolicy},
};

/// Namespace and name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// Which version of an object is meant, so that what is told of it names what was read. Nothing, where a directory is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Edition {
    /// Version of the API in which it was read.
    pub(crate) version: String,
    /// Another object of the same name has another.
    pub(crate) uid: String,
    /// Grows with each edit.
    pub(crate) generation: i64,
}

/// Something that can be applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Object {
    Service(Service),
    Slice(Slice),
    Pod(Pod),
    Node(Node),
    Namespace(Namespace),
    PeerAuthentication(PeerAuthentication),
    AuthorizationPolicy(AuthorizationPolicy),
    Route(Route),
    ReferenceGrant(Grant),
    TrafficPolicy(Box<TrafficPolicy>),
}

/// What kind of thing an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Service,
    Slice,
    Pod,
    Node,
    Namespace,
    PeerAuthentication,
    AuthorizationPolicy,
    Route(RouteKind),
    ReferenceGrant,
    TrafficPolicy(PolicyKind),
}

/// What tells an object from all others.
pub(crate) type Identity = (Kind, Key);

impl Object {
    pub(crate) fn identity(&self) -> Identity {
        match self {
            Self::Service(service) => (Kind::Service, service.key.clone()),
            Self::Slice(slice) => (Kind::Slice, slice.key.clone()),
            Self::Pod(pod) => (Kind::Pod, pod.key.clone()),
            Self::Node(node) => (Kind::Node, node.key.clone()),
            Self::Namespace(namespace) => (Kind::Namespace, namespace.key.clone()),
            Self::PeerAuthentication(found) => (Kind::PeerAuthentication, found.key.clone()),
            Self::AuthorizationPolicy(found) => (Kind::AuthorizationPolicy, found.key.clone()),
            Self::Route(route) => (Kind::Route(route.kind), route.key.clone()),
            Self::ReferenceGrant(grant) => (Kind::ReferenceGrant, grant.key.clone()),
            Self::TrafficPolicy(policy) => (Kind::TrafficPolicy(policy.kind), policy.key.clone()),
        }
    }
}

/// What became of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// It is there, new or changed.
    Apply(Object),
    /// It is gone.
    Delete(Identity),
}

/// A service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Service {
    pub(crate) key: Key,
    /// Virtual addresses; none for a headless service.
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) ports: Vec<ServicePort>,
    /// Endpoints count before they are ready.
    pub(crate) publish_not_ready: bool,
    /// Only endpoints on the caller's own node count.
    pub(crate) stays_on_node: bool,
    /// Whoever called an endpoint goes on calling the same, as long as his last call is no further back.
    pub(crate) affinity: Option<Duration>,
}

impl Service {
    /// Whether its name leads to the addresses of its pods.
    pub(crate) fn is_headless(&self) -> bool {
        self.addresses.is_empty()
    }
}

/// A port of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServicePort {
    /// Empty when the service has one port without a name.
    pub(crate) name: String,
    pub(crate) port: u16,
    pub(crate) protocol: Protocol,
}

/// Some of the endpoints behind a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Slice {
    pub(crate) key: Key,
    pub(crate) service: Key,
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) ports: Vec<SlicePort>,
}

/// One endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) address: IpAddr,
    /// The pod it is; `None` for one that somebody entered by hand.
    pub(crate) pod: Option<Key>,
    pub(crate) zone: String,
    /// Empty when nobody said.
    pub(crate) node: String,
    /// Whom it is meant for; for all, when nobody is named.
    pub(crate) meant_for: Hints,
    pub(crate) ready: bool,
    /// It is going, and still answers.
    pub(crate) draining: bool,
}

/// From where an endpoint should be called. Source: `EndpointHints` of Kubernetes' EndpointSlice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hints {
    pub(crate) zones: Vec<String>,
    pub(crate) nodes: Vec<String>,
}

/// A port that the endpoints of a slice share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SlicePort {
    pub(crate) name: String,
    pub(crate) port: u16,
}

/// A pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pod {
    pub(crate) key: Key,
    pub(crate) uid: String,
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) service_account: String,
    pub(crate) workload: String,
    /// Policies select it by these.
    pub(crate) labels: BTreeMap<String, String>,
    /// The node it runs on; empty before it has one.
    pub(crate) node: String,
    /// Whether a proxy of the mesh runs in it.
    pub(crate) meshed: bool,
    /// Hash of the token its proxy may show.
    pub(crate) token: Option<String>,
    /// Ports it declares.
    pub(crate) ports: BTreeMap<u16, Protocol>,
    /// Who may call it, if it says so itself.
    pub(crate) default_policy: Option<DefaultPolicy>,
}

/// A machine that pods run on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    /// Without a namespace.
    pub(crate) key: Key,
    /// Empty when it is in none.
    pub(crate) zone: String,
}

/// A namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Namespace {
    /// Without a namespace.
    pub(crate) key: Key,
    /// Who may call its pods that do not say so themselves, if it says so.
    pub(crate) default_policy: Option<DefaultPolicy>,
}

/// What of `all` is in `namespace`.
pub(crate) fn in_namespace<'a, 'n, T>(
    all: &'a BTreeMap<Key, T>,
    namespace: &'n str,
) -> impl Iterator<Item = (&'a Key, &'a T)> + use<'a, 'n, T> {
    let first = Key { namespace: namespace.to_owned(), name: String::new() };
    all.range(first..).take_while(move |(key, _)| key.namespace == namespace)
}

impl Key {
    /// The key of something that is in no namespace.
    pub(crate) fn of_cluster(name: &str) -> Self {
        Self { namespace: String::new(), name: name.to_owned() }
    }
}

impl Pod {
    /// Whether this is whom a certificate proves; its trust domain was checked with its chain.
    pub(crate) fn has_names(&self, namespace: &str, service_account: &str) -> bool {
        self.key.namespace == namespace && self.service_account == service_account
    }

    /// Whether it has all of `labels`.
    pub(crate) fn has_labels(&self, labels: &BTreeMap<String, String>) -> bool {
        labels.iter().all(|(name, value)| self.labels.get(name) == Some(value))
    }

    /// Whether it can be reached at an address. A pod is heard of before its addresses are.
    pub(crate) fn may_be_at(&self, address: IpAddr) -> bool {
        self.addresses.is_empty() || self.addresses.contains(&address)
    }
}
