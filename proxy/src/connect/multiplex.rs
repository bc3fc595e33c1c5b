//! One HTTP/2 connection per endpoint, shared by everything a worker sends there.

use std::{
    cell::{Cell, RefCell},
    net::SocketAddr,
    rc::Rc,
    time::Duration,
};

use bytes::Bytes;
use foldhash::HashMap;
use futures_util::{
    FutureExt,
    future::{LocalBoxFuture, Shared},
};
use h2::client::SendRequest;
use tokio::io::{AsyncRead, AsyncWrite};

use super::dials::Dial;
use crate::{
    config::{FRAME_MAX, Limits, SHARED_SMALL_DATA_MAX},
    refusal::{Reason, Refusal},
};

/// Takes the next request of a multiplexed connection.
pub type Multiplexed = SendRequest<Bytes>;

/// A connection that has just been opened, with the future that drives it.
pub(super) struct Opened {
    sender: Multiplexed,
    driver: LocalBoxFuture<'static, ()>,
}

/// Connections by endpoint.
#[derive(Clone, Debug, Default)]
pub(super) struct Pool(Rc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    slots: RefCell<HashMap<SocketAddr, Slot>>,
    /// Tells one connection to an endpoint from the next.
    generation: Cell<u64>,
}

#[derive(Debug)]
struct Slot {
    generation: u64,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Everyone who needs it meanwhile waits for the same attempt.
    Connecting(Shared<LocalBoxFuture<'static, Result<Multiplexed, Refusal>>>),
    Open(Multiplexed),
}

/// How long a server may take to say what it takes. Its SETTINGS are the first thing it sends.
const SETTINGS_MAX: Duration = Duration::from_millis(100);

/// How often one looks whether it has.
const LOOK: Duration = Duration::from_millis(2);

/// Whether the server has said that it takes extended CONNECT (RFC 8441, section 3).
pub(super) async fn takes_extended_connect(sender: &Multiplexed) -> bool {
    let said = async {
        while !sender.is_extended_connect_protocol_enabled() {
            // A server that does not speak HTTP/2 after all shows here.
            if sender.clone().ready().await.is_err() {
                return false;
            }
            tokio::time::sleep(LOOK).await;
        }
        true
    };
    tokio::time::timeout(SETTINGS_MAX, said).await.unwrap_or(false)
}

/// Speaks the client's side of HTTP/2's opening on `stream`.
pub(super) async fn handshake<S>(endpoint: SocketAddr, stream: S, dial: Dial, limits: Limits) -> Result<Opened, Refusal>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let handshake = h2::client::Builder::new()
        .initial_window_size(limits.stream_window)
        .initial_connection_window_size(limits.connection_window)
        .max_frame_size(FRAME_MAX)
        .max_header_list_size(limits.head_bytes)
        .data_frame_budget(SHARED_SMALL_DATA_MAX)
        // What is malformed ends its stream; that there were many such streams says nothing about the others.
        .max_local_error_reset_streams(None)
        .enable_push(false)
        .handshake(stream)
        .await;
    let (sender, connection) =
        handshake.map_err(|error| Refusal::new(Reason::ConnectFailed, format!("{endpoint} would not speak HTTP/2: {error}")))?;
    let driver = async move {
        if let Err(error) = connection.await {
            tracing::debug!(%endpoint, %error, "a shared connection ended badly");
        }
        drop(dial);
    };
    Ok(Opened { sender, driver: driver.boxed_local() })
}

impl Pool {
    /// A sender that is ready: of the open connection, or of one that `open` makes.
    pub(super) async fn line<F>(&self, endpoint: SocketAddr, open: impl Fn() -> F) -> Result<Multiplexed, Refusal>
    where
        F: Future<Output = Result<Opened, Refusal>> + 'static,
    {
        loop {
            let (generation, reused) = match self.open_line(endpoint) {
                Some((generation, sender)) => {
                    if let Ok(ready) = sender.ready().await {
                        return Ok(ready);
                    }
                    (generation, true)
                }
                None => {
                    let (generation, connecting) = self.connecting(endpoint, &open);
                    let sender = connecting.await?;
                    if let Ok(ready) = sender.ready().await {
                        return Ok(ready);
                    }
                    (generation, false)
                }
            };
            // It was closed, or its server said goodbye. Nothing was sent: a fresh connection may be tried, once.
            self.0.remove(endpoint, generation);
            if !reused {
                return Err(Refusal::new(
                    Reason::ConnectFailed,
                    format!("{endpoint} closed the connection as soon as it was open"),
                ));
            }
        }
    }

    /// Begins nothing new on the connection to `endpoint`; it closes when its streams have ended.
    pub(super) fn retire(&self, endpoint: SocketAddr) {
        self.0.slots.borrow_mut().remove(&endpoint);
    }

    fn open_line(&self, endpoint: SocketAddr) -> Option<(u64, Multiplexed)> {
        match self.0.slots.borrow().get(&endpoint) {
            Some(Slot { generation, state: State::Open(sender) }) => Some((*generation, sender.clone())),
            _ => None,
        }
    }

    fn connecting<F>(
        &self,
        endpoint: SocketAddr,
        open: &impl Fn() -> F,
    ) -> (u64, Shared<LocalBoxFuture<'static, Result<Multiplexed, Refusal>>>)
    where
        F: Future<Output = Result<Opened, Refusal>> + 'static,
    {
        let mut slots = self.0.slots.borrow_mut();
        if let Some(Slot { generation, state: State::Connecting(connecting) }) = slots.get(&endpoint) {
            return (*generation, connecting.clone());
        }
        let generation = self.0.generation.get() + 1;
        self.0.generation.set(generation);
        let attempt = self.clone().attempt(endpoint, generation, open());
        let connecting = attempt.boxed_local().shared();
        slots.insert(endpoint, Slot { generation, state: State::Connecting(connecting.clone()) });
        // In a task of its own, so that it goes on when the one who asked first gives up.
        tokio::task::spawn_local(connecting.clone().map(drop));
        (generation, connecting)
    }

    async fn attempt(
        self,
        endpoint: SocketAddr,
        generation: u64,
        open: impl Future<Output = Result<Opened, Refusal>>,
    ) -> Result<Multiplexed, Refusal> {
        let opened = open.await.inspect_err(|_| self.0.remove(endpoint, generation))?;
        let Opened { sender, driver } = opened;
        let inner = self.0.clone();
        tokio::task::spawn_local(async move {
            driver.await;
            inner.remove(endpoint, generation);
        });
        self.0.open(endpoint, generation, &sender);
        Ok(sender)
    }
}

impl Inner {
    fn open(&self, endpoint: SocketAddr, generation: u64, sender: &Multiplexed) {
        if let Some(slot) = self.slots.borrow_mut().get_mut(&endpoint).filter(|slot| slot.generation == generation) {
            slot.state = State::Open(sender.clone());
        }
    }

    fn remove(&self, endpoint: SocketAddr, generation: u64) {
        let mut slots = self.slots.borrow_mut();
        if slots.get(&endpoint).is_some_and(|slot| slot.generation == generation) {
            slots.remove(&endpoint);
        }
    }
}
