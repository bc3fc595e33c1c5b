//! Settings of a proxy, parsed and within their ranges.

use std::{fmt, net::IpAddr, path::PathBuf, str::FromStr, time::Duration};

use certs::name::TrustDomain;

use super::Limits;
use crate::probe::Probes;

/// Everything that can be set, fixed for the life of the process.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whom this proxy stands for.
    pub me: Me,
    /// Where it listens.
    pub ports: Ports,
    /// Where control is; `None` when a file takes its place.
    pub control: Option<Control>,
    /// Threads that carry traffic. 1 to 256.
    pub workers: usize,
    /// Mark on our own sockets, so that redirect rules let them pass; `None` where the uid does it.
    pub mark: Option<u32>,
    /// Connections one worker may hold. 1 to 1,000,000.
    pub connections_max: usize,
    /// Series of telemetry. 10 to 100,000.
    pub series_max: usize,
    /// How long an endpoint may take to accept a connection, mesh handshake included. 10 ms to 5 min.
    pub connect_timeout: Duration,
    /// How long control may take to say what an address is. 10 ms to 5 min.
    pub discovery_timeout: Duration,
    /// How long open work may take to end when we are told to leave. 0 to 1 h.
    pub drain_timeout: Duration,
    /// How long a client may take from the first byte of a request's head to its last, and from the first byte of a
    /// connection to showing what it speaks. 10 ms to 1 h.
    pub head_timeout: Duration,
    /// How long a peer may take for its side of a mesh handshake. 10 ms to 5 min.
    pub handshake_timeout: Duration,
    /// Attempts at one request or connection, as long as nothing of it was sent. 1 to 10.
    pub attempts_max: u32,
    /// How long bytes may stay unacknowledged before whoever they are for is taken for gone. 1 s to 1 h.
    pub silence_max: Duration,
    /// What a connection of HTTP may cost.
    pub limits: Limits,
    /// What an app is told of where a call to it comes from.
    pub forwarded: Forwarded,
    /// Write a line for every request and connection.
    pub access_log: bool,
    /// What is logged, in the syntax of `tracing_subscriber::EnvFilter`.
    pub log: String,
    /// What a kubelet asks the app through us.
    pub probes: Probes,
}

/// What becomes of `X-Forwarded-For` and `Forwarded` in calls to the app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forwarded {
    /// The caller's address is added to what they say.
    Append,
    /// They say the caller's address alone: where nobody in front is to be believed.
    Replace,
    /// They are left as they are.
    Keep,
}

impl FromStr for Forwarded {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "append" => Ok(Self::Append),
            "replace" => Ok(Self::Replace),
            "keep" => Ok(Self::Keep),
            other => Err(format!("`{other}` is none of append, replace, keep")),
        }
    }
}

/// Whom a proxy stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Me {
    /// Pod name.
    pub pod: String,
    /// Namespace.
    pub namespace: String,
    /// Workload, as telemetry names it.
    pub workload: String,
    /// Service account: with the namespace, what the certificate is issued for.
    pub service_account: String,
    /// Trust domain of the mesh.
    pub trust_domain: TrustDomain,
    /// Addresses of the pod; may be empty.
    pub addresses: Vec<IpAddr>,
}

/// Ports a proxy listens on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// The app's captured calls.
    pub outbound: u16,
    /// Captured calls to the app.
    pub inbound: u16,
    /// Metrics, `/ready`, `/live`, `/config`.
    pub admin: u16,
    /// Where nobody listens, and a kubelet asks whether its question is redirected; `None` where none asks.
    pub redirect_check: Option<u16>,
}

/// Where control is and how to prove oneself to it.
#[derive(Clone, Debug)]
pub struct Control {
    /// Discovery (xDS).
    pub xds: HostPort,
    /// Certificates.
    pub certificates: HostPort,
    /// File with the roots that control's certificate must chain to.
    pub bundle: PathBuf,
    /// File with the token that proves which pod this is.
    pub token: PathBuf,
    /// Mark on sockets to control, as in [`Settings::mark`].
    pub mark: Option<u32>,
}

/// A host, by name or address, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    /// Name or address, without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl FromStr for HostPort {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (host, port) = text.rsplit_once(':').ok_or_else(|| format!("`{text}` is not HOST:PORT"))?;
        let port = port.parse().map_err(|_| format!("`{port}` is not a port (1 to 65535)"))?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        if host.is_empty() {
            return Err(format!("`{text}` names no host"));
        }
        Ok(Self { host: host.to_owned(), port })
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}
