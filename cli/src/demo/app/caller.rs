//! Calls an HTTP service over a few kept connections.

use std::cell::RefCell;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::{
    body::Incoming,
    client::conn::http1::{SendRequest, handshake},
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Somebody who calls one service.
pub(super) struct Caller {
    host: &'static str,
    idle: RefCell<Vec<SendRequest<Empty<Bytes>>>>,
}

impl Caller {
    pub(super) fn new(host: &'static str) -> Self {
        Self { host, idle: RefCell::default() }
    }

    /// The text at `path`.
    pub(super) async fn get(&self, path: &str) -> anyhow::Result<String> {
        let (response, connection) = self.send(path).await?;
        let status = response.status();
        let body = response.into_body().collect().await.context("the answer broke off")?.to_bytes();
        let text = String::from_utf8_lossy(&body).trim().to_owned();
        if connection.is_ready() {
            self.idle.borrow_mut().push(connection);
        }
        if status != StatusCode::OK {
            bail!("{} answered {status}: {text}", self.host);
        }
        Ok(text)
    }

    async fn send(&self, path: &str) -> anyhow::Result<(Response<Incoming>, SendRequest<Empty<Bytes>>)> {
        let mut request = Request::get(path).header("host", self.host).body(Empty::new())?;
        loop {
            let kept = self.idle.borrow_mut().pop();
            let fresh = kept.is_none();
            let mut connection = match kept {
                Some(connection) => connection,
                None => self.connect().await?,
            };
            match connection.try_send_request(request).await {
                Ok(response) => return Ok((response, connection)),
                Err(mut error) => match error.take_message() {
                    // It was closed while it was idle, and nothing was sent on it.
                    Some(unsent) if !fresh => request = unsent,
                    _ => return Err(error.into_error()).with_context(|| format!("{} did not answer", self.host)),
                },
            }
        }
    }

    async fn connect(&self) -> anyhow::Result<SendRequest<Empty<Bytes>>> {
        let stream = TcpStream::connect((self.host, 80)).await.with_context(|| format!("cannot connect to {}", self.host))?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::task::spawn_local(connection);
        Ok(sender)
    }
}
