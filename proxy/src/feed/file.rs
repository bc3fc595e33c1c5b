//! A proxy without control: everything it needs to know in one file.
//!
//! For virtual machines, and for benchmarks. The file becomes the same snapshot that control's answers become.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context as _;
use certs::{bundle::Bundle, name::SpiffeId, store::Identity};
use serde::Deserialize;
use tokio::sync::mpsc;

use crate::{
    clock,
    events::Direction,
    snapshot::{
        Admits, Answer, Ask, Cluster, ConnectionTable, Destination, Endpoint, Inbound, Port, Protocol, Publisher, Reader, Route,
        RouteTable, ServiceName, Snapshot,
    },
};

/// What a file says.
#[derive(Debug)]
pub struct Standalone {
    /// Our certificate, if the file names one.
    pub identity: Option<Identity>,
    /// Addresses to listen on beside the redirected ports.
    pub listeners: Vec<Listener>,
    /// What the addresses are.
    pub snapshot: Snapshot,
}

/// An address to listen on, all of whose connections go one way.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Listener {
    /// Where to listen.
    pub address: SocketAddr,
    /// Which way its connections go.
    pub direction: Way,
    /// Where they go: an address of `services`, or the local app's.
    pub destination: SocketAddr,
}

/// Which way connections go.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// Peers dial us.
    Inbound,
    /// The app dials out.
    Outbound,
}

impl From<Way> for Direction {
    fn from(way: Way) -> Self {
        match way {
            Way::Inbound => Self::Inbound,
            Way::Outbound => Self::Outbound,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct File {
    identity: Option<IdentityFiles>,
    #[serde(default)]
    listeners: Vec<Listener>,
    #[serde(default)]
    services: Vec<Service>,
    /// Declared protocols of our own ports.
    #[serde(default)]
    ports: BTreeMap<u16, Declared>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct IdentityFiles {
    certificate: PathBuf,
    key: PathBuf,
    bundle: PathBuf,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Service {
    name: String,
    #[serde(default = "default_namespace")]
    namespace: String,
    /// The address that clients dial.
    address: SocketAddr,
    #[serde(default)]
    protocol: Declared,
    endpoints: Vec<Member>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Member {
    address: SocketAddr,
    /// SPIFFE ID it must prove; without one it is dialled in plaintext.
    identity: Option<String>,
    #[serde(default)]
    workload: String,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Declared {
    #[default]
    Auto,
    Http,
    Http2,
    Grpc,
    Tcp,
    Tls,
}

impl From<Declared> for Protocol {
    fn from(declared: Declared) -> Self {
        match declared {
            Declared::Auto => Self::Undeclared,
            Declared::Http | Declared::Http2 | Declared::Grpc => Self::Http,
            Declared::Tcp | Declared::Tls => Self::Opaque,
        }
    }
}

fn default_namespace() -> String {
    String::from("default")
}

/// Reads `path` and the identity files it names; relative paths are relative to it.
///
/// # Errors
/// What is wrong, with line and column where the file itself is.
pub fn load(path: &Path) -> anyhow::Result<Standalone> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let file: File = serde_saphyr::from_str(&text).map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let identity = file.identity.as_ref().map(|files| read_identity(files, folder)).transpose()?;
    let destinations: anyhow::Result<Vec<_>> = file.services.iter().map(destination).collect();
    let snapshot = Snapshot {
        addresses: destinations?.into_iter().map(|known| (known.address, Answer::Known(Arc::new(known)))).collect(),
        inbound: Some(Arc::new(inbound(file.ports))),
        ..Snapshot::default()
    };
    Ok(Standalone { identity, listeners: file.listeners, snapshot })
}

/// Nobody has said who may call: everybody.
fn inbound(ports: BTreeMap<u16, Declared>) -> Inbound {
    let open = |protocol| Port { protocol, admits: Admits::Everybody, ..Port::default() };
    let ports = ports.into_iter().map(|(port, declared)| (port, open(declared.into())));
    Inbound { ports: ports.collect(), others: open(Protocol::Undeclared) }
}

/// Answers every question with "unknown": beside what the file names there is nothing.
pub async fn answer_unknown(publisher: Publisher, reader: Reader, mut asked: mpsc::Receiver<Ask>) {
    while let Some(address) = asked.recv().await {
        let current = reader.current().clone();
        let mut addresses = current.addresses.clone();
        addresses.entry(address).or_insert(Answer::Unknown);
        publisher.publish(Snapshot { addresses, inbound: current.inbound.clone(), ..Snapshot::default() });
    }
}

fn read_identity(files: &IdentityFiles, folder: &Path) -> anyhow::Result<Identity> {
    let read = |path: &Path| {
        let path = folder.join(path);
        std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
    };
    let bundle = Bundle::from_pem(&read(&files.bundle)?).context("the trust bundle cannot be used")?;
    let identity = Identity::from_pem(&read(&files.certificate)?, &read(&files.key)?, &bundle, clock::wall());
    identity.context("the certificate cannot be used")
}

fn destination(service: &Service) -> anyhow::Result<Destination> {
    let endpoints: anyhow::Result<Vec<_>> = service.endpoints.iter().map(|member| endpoint(member, service)).collect();
    let name = format!("{}.{}:{}", service.name, service.namespace, service.address.port());
    let cluster = Arc::new(Cluster { name: name.as_str().into(), endpoints: endpoints?, discovered: true, ..Default::default() });
    let protocol = Protocol::from(service.protocol);
    let table = || RouteTable { routes: vec![Route::everything(cluster.clone())] };
    Ok(Destination {
        address: service.address,
        service: Some(ServiceName { name: service.name.as_str().into(), namespace: service.namespace.as_str().into() }),
        protocol,
        requests: (protocol != Protocol::Opaque).then(|| Arc::new(table())),
        bytes: (protocol != Protocol::Http).then(|| ConnectionTable::to(cluster.clone())),
        admits: Admits::Everybody,
        authorization: None,
    })
}

fn endpoint(member: &Member, service: &Service) -> anyhow::Result<Arc<Endpoint>> {
    let identity = member.identity.as_deref().map(str::parse::<SpiffeId>).transpose();
    let identity = identity.with_context(|| format!("endpoint {} of {}", member.address, service.name))?;
    Ok(Arc::new(Endpoint {
        address: member.address,
        identity,
        workload: member.workload.as_str().into(),
        namespace: service.namespace.as_str().into(),
        draining: false,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loaded(text: &str) -> anyhow::Result<Standalone> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("proxy.yaml");
        std::fs::write(&path, text).unwrap();
        load(&path)
    }

    #[test]
    fn a_file_becomes_a_snapshot() {
        let text =
            "services:\n- name: cart\n  address: 127.0.0.1:9000\n  protocol: http\n  endpoints:\n  - address: 127.0.0.1:8080\n";
        let standalone = loaded(text).unwrap();
        let Some(Answer::Known(cart)) = standalone.snapshot.addresses.get(&SocketAddr::from(([127, 0, 0, 1], 9000))) else {
            panic!("cart is not known")
        };
        assert_eq!(cart.protocol, Protocol::Http);
        let mut clusters = cart.requests.as_ref().unwrap().clusters();
        assert_eq!(clusters.next().unwrap().endpoints.len(), 1);
    }

    #[test]
    fn a_field_that_does_not_exist_is_an_error_with_its_line() {
        let error = loaded("services:\n- name: cart\n  adress: 127.0.0.1:9000\n  endpoints: []\n").unwrap_err().to_string();
        assert!(error.contains("adress") && error.contains('3'), "{error}");
    }
}
