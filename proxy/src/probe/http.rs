//! A question over HTTP, or HTTPS.

use std::net::IpAddr;

use http::{HeaderName, HeaderValue};
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::{Failed, connect, tls};

/// A head longer than this is no answer.
const HEAD_MAX: usize = 16 << 10;

/// What a kubelet calls itself.
const AGENT: &str = "kube-probe/weft";

/// `HTTPGetAction` of a container's probe.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Get {
    path: Option<String>,
    port: u16,
    host: Option<String>,
    scheme: Option<String>,
    #[serde(default)]
    http_headers: Vec<Header>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Header {
    name: String,
    value: String,
}

impl Get {
    /// Passes with a status from 200 to 399, as for a kubelet.
    pub(super) async fn ask(&self, address: IpAddr) -> Result<(), Failed> {
        let stream = connect(self.host.as_deref(), address, self.port).await?;
        let request = self.request(address)?;
        let status = match self.scheme.as_deref() {
            Some("HTTPS") => exchange(tls::connect(stream, address).await?, &request).await?,
            _ => exchange(stream, &request).await?,
        };
        if (200..400).contains(&status) { Ok(()) } else { Err(Failed(format!("the app answers {status}"))) }
    }

    fn request(&self, address: IpAddr) -> Result<String, Failed> {
        let path = match self.path.as_deref().unwrap_or("/") {
            path if path.starts_with('/') => path.to_owned(),
            path => format!("/{path}"),
        };
        if path.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
            return Err(Failed(format!("`{path}` is no path")));
        }
        let mut host = match &self.host {
            Some(host) if !host.is_empty() => format!("{host}:{}", self.port),
            _ => std::net::SocketAddr::new(address, self.port).to_string(),
        };
        let mut fields = String::new();
        for Header { name, value } in &self.http_headers {
            let is_name = name.parse::<HeaderName>().is_ok();
            if !is_name || HeaderValue::from_str(value).is_err() {
                return Err(Failed(format!("`{name}: {value}` is no header field")));
            }
            if name.eq_ignore_ascii_case("host") {
                value.clone_into(&mut host);
            } else {
                fields.push_str(&format!("{name}: {value}\r\n"));
            }
        }
        Ok(format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {AGENT}\r\nAccept: */*\r\nConnection: close\r\n{fields}\r\n"
        ))
    }
}

/// Sends `request`. Returns the status of the answer.
async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &str) -> Result<u16, Failed> {
    let failed = |error: std::io::Error| Failed(format!("the app broke the connection off: {error}"));
    stream.write_all(request.as_bytes()).await.map_err(failed)?;
    let mut head = Vec::new();
    loop {
        if stream.read_buf(&mut head).await.map_err(failed)? == 0 || head.len() > HEAD_MAX {
            return Err(Failed(String::from("the app does not answer in HTTP")));
        }
        let mut fields = [httparse::EMPTY_HEADER; 64];
        let mut response = httparse::Response::new(&mut fields);
        let parsed = response.parse(&head);
        match (parsed, response.code) {
            // Fields beyond those there is room for say nothing about the status.
            (Ok(httparse::Status::Complete(_)) | Err(httparse::Error::TooManyHeaders), Some(status)) => return Ok(status),
            (Ok(_), _) => {}
            (Err(error), _) => return Err(Failed(format!("the app does not answer in HTTP: {error}"))),
        }
    }
}
