//! What a port speaks.

/// What a port speaks, as declared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// Not declared: the first bytes will tell.
    #[default]
    Auto,
    Http,
    Http2,
    Grpc,
    /// Opaque.
    Tcp,
    /// TLS of the app's own, opaque too.
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
