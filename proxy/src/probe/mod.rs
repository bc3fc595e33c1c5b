//! The kubelet's questions to the app, asked in its place (see `inject`'s `probes`).
//!
//! In: the questions, from the environment, and the path under which one of them is asked for. Out: what the app has answered, each time
//! anew. The app is asked as a kubelet asks: at the pod's address, without proof of anything, certificates unseen. Never: an
//! answer for an app that gave none.

mod grpc;
mod http;
mod tls;

use std::{
    collections::BTreeMap,
    fmt,
    net::{IpAddr, Ipv4Addr},
    str::FromStr,
    time::Duration,
};

use serde::Deserialize;
use tokio::net::TcpStream;

/// What can be asked, by the path at which it is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Probes(BTreeMap<String, Probe>);

/// One question.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Probe {
    http_get: Option<http::Get>,
    tcp_socket: Option<Socket>,
    grpc: Option<grpc::Check>,
    timeout_seconds: u64,
}

/// A connection that must be taken.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Socket {
    port: u16,
    host: Option<String>,
}

/// Why the app has not passed.
#[derive(Debug, PartialEq, Eq)]
pub struct Failed(String);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Probes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|error| format!("these are no probes: {error}"))
    }
}

impl Probes {
    /// Whether there is a question at `path`.
    pub fn knows(&self, path: &str) -> bool {
        self.0.contains_key(path)
    }

    /// Asks what is to be asked at `path` of the app at `address`, or wherever the question says.
    ///
    /// # Errors
    /// Why it has not passed.
    pub async fn ask(&self, path: &str, address: Option<IpAddr>) -> Result<(), Failed> {
        let probe = self.0.get(path).ok_or_else(|| Failed(String::from("nobody has declared this probe")))?;
        let patience = Duration::from_secs(probe.timeout_seconds.max(1));
        let address = address.unwrap_or(Ipv4Addr::LOCALHOST.into());
        let asked = tokio::time::timeout(patience, probe.ask(address)).await;
        asked.unwrap_or_else(|_| Err(Failed(format!("the app did not answer within {} s", patience.as_secs()))))
    }
}

impl Probe {
    async fn ask(&self, address: IpAddr) -> Result<(), Failed> {
        if let Some(get) = &self.http_get {
            return get.ask(address).await;
        }
        if let Some(check) = &self.grpc {
            return check.ask(address).await;
        }
        match &self.tcp_socket {
            Some(Socket { port, host }) => connect(host.as_deref(), address, *port).await.map(drop),
            None => Err(Failed(String::from("this probe asks for nothing that is known"))),
        }
    }
}

/// Connects to `host`, if one is named, or to the pod.
async fn connect(host: Option<&str>, address: IpAddr, port: u16) -> Result<TcpStream, Failed> {
    let connected = match host.filter(|host| !host.is_empty()) {
        Some(host) => TcpStream::connect((host, port)).await,
        None => TcpStream::connect((address, port)).await,
    };
    connected.map_err(|error| Failed(format!("the app takes no connection at port {port}: {error}")))
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::*;

    /// An app that answers one request with `answer`. Returns its port, and what it was asked.
    async fn app(answer: &'static str) -> (u16, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = vec![0; 1024];
            let length = stream.read(&mut asked).await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8(asked[..length].to_vec()).unwrap()
        });
        (port, asked)
    }

    async fn ask(probe: &str) -> Result<(), String> {
        let probes: Probes = format!("{{\"/probe/app/liveness\": {probe}}}").parse().unwrap();
        probes.ask("/probe/app/liveness", None).await.map_err(|failed| failed.to_string())
    }

    fn get(port: u16) -> String {
        format!(
            "{{\"httpGet\": {{\"path\": \"/alive?x=1\", \"port\": {port}, \"httpHeaders\": [{{\"name\": \"X-Probe\", \"value\": \"yes\"}}]}}, \
             \"timeoutSeconds\": 1, \"original\": {{}}}}"
        )
    }

    #[tokio::test]
    async fn the_app_is_asked_as_a_kubelet_asks() {
        let (port, asked) = app("HTTP/1.1 302 Found\r\nlocation: /\r\n\r\n").await;
        assert_eq!(ask(&get(port)).await, Ok(()));
        let asked = asked.await.unwrap();
        assert!(asked.starts_with("GET /alive?x=1 HTTP/1.1\r\n"), "{asked}");
        assert!(asked.contains("X-Probe: yes\r\n") && asked.contains(&format!("Host: 127.0.0.1:{port}\r\n")), "{asked}");
    }

    #[tokio::test]
    async fn a_failing_a_silent_and_a_dead_app_do_not_pass() {
        let (port, _asked) = app("HTTP/1.1 500 Oh no\r\n\r\n").await;
        assert!(ask(&get(port)).await.unwrap_err().contains("500"));
        let (port, _asked) = app("nonsense\r\n\r\n").await;
        assert!(ask(&get(port)).await.unwrap_err().contains("HTTP"));
        let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = silent.local_addr().unwrap().port();
        assert!(ask(&get(port)).await.unwrap_err().contains("within 1 s"));
        let socket = format!("{{\"tcpSocket\": {{\"port\": {port}}}, \"timeoutSeconds\": 1}}");
        assert_eq!(ask(&socket).await, Ok(()), "it takes connections");
        drop(silent);
        assert!(ask(&get(port)).await.unwrap_err().contains("no connection"));
        assert!(ask(&socket).await.is_err());
    }

    #[tokio::test]
    async fn what_nobody_declared_is_not_asked() {
        let probes: Probes = "{}".parse().unwrap();
        assert!(!probes.knows("/probe/app/liveness"));
        assert!(probes.ask("/probe/app/liveness", None).await.is_err());
        assert!("{\"/probe/a/b\": {}}".parse::<Probes>().is_err());
    }
}
