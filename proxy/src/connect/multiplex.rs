//! One HTTP/2 connection per endpoint, shared by everything a worker sends there.

use std::{
    cell::{Cell, RefCell},
    net::SocketAddr,
    rc::Rc,
    time::Duration,
};

use foldhash::HashMap;
use futures_util::{
    FutureExt,
    future::{LocalBoxFuture, Shared},
};

use super::dials::Dial;
use crate::{
    config::Limits,
    http2::{self, Client, Transport},
    refusal::{Reason, Refusal},
};

/// A connection that has just been opened, with the future that drives it.
pub(super) struct Opened {
    client: Client,
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
    Connecting(Shared<LocalBoxFuture<'static, Result<Client, Refusal>>>),
    Open(Client),
}

/// How long a server may take to say what it takes. Its SETTINGS are the first thing it sends.
const SETTINGS_MAX: Duration = Duration::from_millis(100);

/// Whether the server has said that it takes extended CONNECT (RFC 8441, section 3).
pub(super) async fn takes_extended_connect(client: &Client) -> bool {
    let said = tokio::time::timeout(SETTINGS_MAX, client.takes_extended_connect()).await;
    // A server that does not speak HTTP/2 after all says nothing.
    said.is_ok_and(|said| said.unwrap_or(false))
}

/// Speaks the client's side of HTTP/2 on `stream`.
pub(super) fn open<S>(endpoint: SocketAddr, stream: S, dial: Dial, limits: &Limits) -> Opened
where
    S: Transport + 'static,
{
    let (client, driven) = http2::client(stream, limits.http2(true));
    let driver = async move {
        if let Err(error) = driven.await {
            tracing::debug!(%endpoint, %error, "a shared connection ended badly");
        }
        drop(dial);
    };
    Opened { client, driver: driver.boxed_local() }
}

impl Pool {
    /// A client that is ready: of the open connection, or of one that `open` makes.
    pub(super) async fn line<F>(&self, endpoint: SocketAddr, open: impl Fn() -> F) -> Result<Client, Refusal>
    where
        F: Future<Output = Result<Opened, Refusal>> + 'static,
    {
        loop {
            let (generation, reused) = match self.open_line(endpoint) {
                Some((generation, client)) => {
                    if client.ready().await.is_ok() {
                        return Ok(client);
                    }
                    (generation, true)
                }
                None => {
                    let (generation, connecting) = self.connecting(endpoint, &open);
                    let client = connecting.await?;
                    if client.ready().await.is_ok() {
                        return Ok(client);
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

    fn open_line(&self, endpoint: SocketAddr) -> Option<(u64, Client)> {
        match self.0.slots.borrow().get(&endpoint) {
            Some(Slot { generation, state: State::Open(client) }) => Some((*generation, client.clone())),
            _ => None,
        }
    }

    fn connecting<F>(
        &self,
        endpoint: SocketAddr,
        open: &impl Fn() -> F,
    ) -> (u64, Shared<LocalBoxFuture<'static, Result<Client, Refusal>>>)
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
    ) -> Result<Client, Refusal> {
        let opened = open.await.inspect_err(|_| self.0.remove(endpoint, generation))?;
        let Opened { client, driver } = opened;
        let inner = self.0.clone();
        tokio::task::spawn_local(async move {
            driver.await;
            inner.remove(endpoint, generation);
        });
        self.0.open(endpoint, generation, &client);
        Ok(client)
    }
}

impl Inner {
    fn open(&self, endpoint: SocketAddr, generation: u64, client: &Client) {
        if let Some(slot) = self.slots.borrow_mut().get_mut(&endpoint).filter(|slot| slot.generation == generation) {
            slot.state = State::Open(client.clone());
        }
    }

    fn remove(&self, endpoint: SocketAddr, generation: u64) {
        let mut slots = self.slots.borrow_mut();
        if slots.get(&endpoint).is_some_and(|slot| slot.generation == generation) {
            slots.remove(&endpoint);
        }
    }
}
