//! HTTP/1.1 connections to endpoints without a sidecar, above all to the app itself.

use std::{cell::RefCell, net::SocketAddr, rc::Rc};

use foldhash::HashMap;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;

use super::tcp;
use crate::{
    payload::Payload,
    refusal::{Reason, Refusal},
    world::World,
};

/// Idle connections kept per endpoint; the oldest are closed first.
const IDLE_MAX: usize = 256;

/// A connection that carries one request at a time.
#[derive(Debug)]
pub struct Http1Line {
    /// Takes the next request.
    pub sender: http1::SendRequest<Payload>,
    endpoint: SocketAddr,
}

/// Idle connections by endpoint; the last one used is the first to be used again.
#[derive(Debug, Default)]
pub(super) struct Pool(RefCell<HashMap<SocketAddr, Vec<Http1Line>>>);

impl Pool {
    /// An idle connection, or a new one.
    pub(super) async fn line(&self, endpoint: SocketAddr, world: &Rc<World>) -> Result<Http1Line, Refusal> {
        while let Some(mut line) = self.idle(endpoint) {
            if line.sender.ready().await.is_ok() {
                return Ok(line);
            }
        }
        open(endpoint, world).await
    }

    /// Keeps a connection for the next request.
    pub(super) fn give_back(&self, line: Http1Line) {
        if line.sender.is_closed() {
            return;
        }
        let mut idle = self.0.borrow_mut();
        let lines = idle.entry(line.endpoint).or_default();
        if lines.len() >= IDLE_MAX {
            lines.remove(0);
        }
        lines.push(line);
    }

    /// Closes what is idle.
    pub(super) fn retire(&self, endpoint: SocketAddr) {
        self.0.borrow_mut().remove(&endpoint);
    }

    fn idle(&self, endpoint: SocketAddr) -> Option<Http1Line> {
        self.0.borrow_mut().get_mut(&endpoint)?.pop()
    }
}

async fn open(endpoint: SocketAddr, world: &World) -> Result<Http1Line, Refusal> {
    let (stream, dial) = tcp::dial(endpoint, world).await?;
    let (sender, connection) = http1::Builder::new()
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| Refusal::new(Reason::ConnectFailed, format!("{endpoint}: {error}")))?;
    tokio::task::spawn_local(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%endpoint, %error, "a connection ended badly");
        }
        drop(dial);
    });
    Ok(Http1Line { sender, endpoint })
}
