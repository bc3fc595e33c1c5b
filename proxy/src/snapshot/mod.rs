//! What control told us, whole and immutable: a walk decides from exactly one [`Snapshot`].
//!
//! In: nothing but what `feed` writes. Out: answers to "what is this address?". Never: a half-known destination; an
//! address is in the snapshot only when everything behind it (routes, clusters, endpoints) is.

mod authorization;
mod balancing;
mod changes;
mod connections;
mod gate;
mod reader;
mod retries;
mod routes;
mod sessions;

use std::{
    fmt,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use certs::name::SpiffeId;
use hashbrown::HashMap;

pub use authorization::{Authorization, Block, PathText, Piece, Rule, Text, Tree, What, Who};
pub use balancing::{Balancer, Balancing, FailureShare, KeyPart, Limits, Outliers, Queue};
pub use changes::{Changes, HeaderChanges, PathRewrite, Put, Redirect, Rewrite};
pub use connections::{ConnectionRoute, ConnectionTable, ServerName};
pub use gate::{Abort, Cors, Faults, Gate, Listed, Origins, Share};
pub use reader::{Ask, Publisher, Reader, channel};
pub use retries::{Backoff, Conditions, Hedging, Retries, RetryBudget};
pub use routes::{Action, Backend, Forward, Match, Mirror, PathMatch, Route, RouteTable, TextMatch, Timeouts};
pub use sessions::{Session, ToldBy};

/// All that is known at one moment.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// Counts up with every publication; zero before the first.
    pub version: u64,
    /// When it was put together; `None` before the first.
    pub received: Option<SystemTime>,
    /// Answers by original destination.
    pub addresses: HashMap<SocketAddr, Answer>,
    /// What this proxy's own ports are; `None` until control has said.
    pub inbound: Option<Arc<Inbound>>,
}

/// What an original destination is.
#[derive(Clone, Debug)]
pub enum Answer {
    /// A destination of the mesh.
    Known(Arc<Destination>),
    /// Nothing control knows: it is passed through untouched.
    Unknown,
}

/// Where a connection was going, and what may be found there.
#[derive(Debug)]
pub struct Destination {
    /// The address the client dialled.
    pub address: SocketAddr,
    /// The service it belongs to; `None` for bare addresses.
    pub service: Option<ServiceName>,
    /// What was declared about its protocol.
    pub protocol: Protocol,
    /// Where requests go; `None` where only bytes are allowed.
    pub requests: Option<Arc<RouteTable>>,
    /// Where opaque connections go; `None` where only requests are allowed.
    pub bytes: Option<ConnectionTable>,
    /// Who may go there, where no policy says who may.
    pub admits: Admits,
    /// What policies say; `None` where there are none.
    pub authorization: Option<Arc<Authorization>>,
}

/// Who may go to a destination.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Admits {
    /// Everybody. What the app dials is not ours to forbid: the other side decides.
    Everybody,
    /// Whoever has proved an identity by mesh TLS.
    Authenticated,
    /// Nobody.
    Nobody,
    /// Nobody yet: control has not said.
    #[default]
    Untold,
}

/// A service, as people name it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServiceName {
    /// `metadata.name`.
    pub name: Arc<str>,
    /// `metadata.namespace`.
    pub namespace: Arc<str>,
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.name, self.namespace)
    }
}

/// What is declared about a port's protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// Nothing: the first bytes from either side decide.
    #[default]
    Undeclared,
    /// HTTP of either version, told apart by the client's first bytes.
    Http,
    /// Bytes that are nobody's business but the two ends'.
    Opaque,
    /// TLS of the app's own: where it goes depends on the server that the client names.
    Tls,
}

/// Endpoints that can stand in for one another.
#[derive(Debug, Default)]
pub struct Cluster {
    /// Unique among clusters; what balancing state is remembered by.
    pub name: Arc<str>,
    /// All of them, the nearest first, those that are leaving included.
    pub endpoints: Vec<Arc<Endpoint>>,
    /// How long since its last call the app stays with the endpoint that it called; `None` where it need not.
    pub affinity: Option<Duration>,
    /// How many requests to it may be sent once more.
    pub retry_budget: RetryBudget,
    /// Whether discovery described it; if not, it is the one address somebody dialled, and there is nothing to balance.
    pub discovered: bool,
    /// How work is shared among them.
    pub balancing: Balancing,
}

/// One process that can be dialled.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// Where it listens.
    pub address: SocketAddr,
    /// Who it must prove to be; `None` when it has no sidecar and is dialled in plaintext.
    pub identity: Option<SpiffeId>,
    /// Its workload, for telemetry; empty when unknown.
    pub workload: Arc<str>,
    /// Its namespace, for telemetry; empty when unknown.
    pub namespace: Arc<str>,
    /// It is leaving: what runs may end there, nothing new begins.
    pub draining: bool,
}

/// What is said of this proxy's own ports.
#[derive(Debug, Default)]
pub struct Inbound {
    /// Those of which something is said.
    pub ports: HashMap<u16, Port>,
    /// All others.
    pub others: Port,
}

/// What is said of one of this proxy's own ports.
#[derive(Clone, Debug, Default)]
pub struct Port {
    /// What it speaks.
    pub protocol: Protocol,
    /// Who may call it, where no policy says who may.
    pub admits: Admits,
    /// What policies say; `None` where there are none.
    pub authorization: Option<Arc<Authorization>>,
    /// What requests must pass there; `None` for nothing.
    pub gate: Option<Arc<Gate>>,
}

impl Inbound {
    /// What is said of a port.
    pub fn at(&self, port: u16) -> &Port {
        self.ports.get(&port).unwrap_or(&self.others)
    }
}

impl Destination {
    /// A destination that is carried untouched to the address it names.
    pub fn pass_through(address: SocketAddr) -> Self {
        Self {
            address,
            service: None,
            protocol: Protocol::Opaque,
            requests: None,
            bytes: Some(ConnectionTable::to(Arc::new(Cluster::single(address, "pass")))),
            admits: Admits::Everybody,
            authorization: None,
        }
    }

    /// The local app behind this sidecar at `address`.
    pub fn local(address: SocketAddr, protocol: Protocol, admits: Admits) -> Self {
        Self::at_port(address, &Port { protocol, admits, ..Port::default() })
    }

    /// The same, as far as something is said of its port.
    pub fn at_port(address: SocketAddr, port: &Port) -> Self {
        let Port { protocol, admits, authorization, gate } = port;
        let (protocol, admits) = (*protocol, *admits);
        let cluster = Arc::new(Cluster::single(address, "local"));
        let table = RouteTable { routes: vec![Route { gate: gate.clone(), ..Route::everything(cluster.clone()) }] };
        Self {
            address,
            service: None,
            protocol,
            requests: (protocol != Protocol::Opaque).then(|| Arc::new(table)),
            bytes: (protocol != Protocol::Http).then(|| ConnectionTable::to(cluster)),
            admits,
            authorization: authorization.clone(),
        }
    }

    /// Whether the same may go there as to `other`, which is behind the same port.
    pub fn admits_as(&self, other: &Self) -> bool {
        let gates = |destination: &Self| destination.requests.as_ref().and_then(|table| table.routes.first()?.gate.clone());
        let is_same_authorization = is_same(self.authorization.as_ref(), other.authorization.as_ref());
        self.admits == other.admits && is_same_authorization && is_same(gates(self).as_ref(), gates(other).as_ref())
    }

    /// Every cluster that something may go to.
    pub fn clusters(&self) -> impl Iterator<Item = &Arc<Cluster>> {
        self.requests.iter().flat_map(|table| table.clusters()).chain(self.bytes.iter().flat_map(ConnectionTable::clusters))
    }

    /// How people would call it: the service and port, or the bare address.
    pub fn label(&self) -> String {
        match &self.service {
            Some(service) => format!("{service}:{}", self.address.port()),
            None => self.address.to_string(),
        }
    }
}

/// Whether both are one, or neither is anything.
fn is_same<T>(one: Option<&Arc<T>>, other: Option<&Arc<T>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        (one, other) => one.is_none() && other.is_none(),
    }
}

impl Cluster {
    fn single(address: SocketAddr, kind: &str) -> Self {
        let endpoint = Endpoint { address, identity: None, workload: "".into(), namespace: "".into(), draining: false };
        Self { name: format!("{kind}/{address}").into(), endpoints: vec![Arc::new(endpoint)], ..Self::default() }
    }

    /// Endpoints that may be sent new work.
    pub fn staying(&self) -> impl Iterator<Item = &Arc<Endpoint>> {
        self.endpoints.iter().filter(|endpoint| !endpoint.draining)
    }
}
