//! The nouns of a cluster, free of where they came from.

use std::{collections::BTreeMap, fmt, net::IpAddr};

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

/// Something that can be applied.
#[derive(Clone, Debug)]
pub(crate) enum Object {
    Service(Service),
    Slice(Slice),
    Pod(Pod),
}

/// What kind of thing an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Service,
    Slice,
    Pod,
}

impl Object {
    /// What tells it from all others.
    pub(crate) fn identity(&self) -> (Kind, Key) {
        match self {
            Self::Service(service) => (Kind::Service, service.key.clone()),
            Self::Slice(slice) => (Kind::Slice, slice.key.clone()),
            Self::Pod(pod) => (Kind::Pod, pod.key.clone()),
        }
    }
}

/// What a port speaks, as declared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Protocol {
    #[default]
    Auto,
    Http,
    Http2,
    Grpc,
    Tcp,
    Tls,
}

impl Protocol {
    /// Reads `appProtocol` first, then the port's name by its convention: the protocol, or the protocol and a hyphen.
    pub(crate) fn declared(app_protocol: Option<&str>, name: Option<&str>) -> Self {
        let from_name = || Self::from_word(name?.split('-').next()?);
        app_protocol.and_then(Self::from_word).or_else(from_name).unwrap_or_default()
    }

    fn from_word(word: &str) -> Option<Self> {
        Some(match word.to_ascii_lowercase().as_str() {
            "http" | "http1" | "kubernetes.io/ws" => Self::Http,
            "http2" | "h2c" | "kubernetes.io/h2c" => Self::Http2,
            "grpc" => Self::Grpc,
            "https" | "tls" | "kubernetes.io/wss" => Self::Tls,
            "tcp" | "redis" | "mysql" | "postgres" | "postgresql" | "mongo" | "mongodb" | "amqp" | "nats" | "kafka" => Self::Tcp,
            _ => return None,
        })
    }

    /// The word in resources.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Http => "http",
            Self::Http2 => "http2",
            Self::Grpc => "grpc",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        }
    }

    /// Whether requests may be found there.
    pub(crate) fn takes_requests(self) -> bool {
        !matches!(self, Self::Tcp | Self::Tls)
    }

    /// Whether opaque connections may be.
    pub(crate) fn takes_bytes(self) -> bool {
        matches!(self, Self::Auto | Self::Tcp | Self::Tls)
    }
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
    pub(crate) pod: Option<Key>,
    pub(crate) zone: String,
    pub(crate) ready: bool,
    /// It is going, and still answers.
    pub(crate) draining: bool,
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
    /// Whether a proxy of the mesh runs in it.
    pub(crate) meshed: bool,
    /// Hash of the token its proxy may show.
    pub(crate) token: Option<String>,
    /// Ports it declares.
    pub(crate) ports: Vec<(u16, Protocol)>,
}

impl Pod {
    /// Its declared ports, each once.
    pub(crate) fn declared_ports(&self) -> BTreeMap<u16, Protocol> {
        self.ports.iter().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_protocol_is_declared_by_app_protocol_first_and_by_the_name_second() {
        for (app_protocol, name, expected) in [
            (Some("grpc"), Some("http-main"), Protocol::Grpc),
            (None, Some("http-main"), Protocol::Http),
            (None, Some("tcp"), Protocol::Tcp),
            (None, Some("main"), Protocol::Auto),
            (Some("example.com/odd"), Some("http2"), Protocol::Http2),
            (Some("kubernetes.io/h2c"), None, Protocol::Http2),
            (None, None, Protocol::Auto),
        ] {
            assert_eq!(Protocol::declared(app_protocol, name), expected, "{app_protocol:?} {name:?}");
        }
    }
}
