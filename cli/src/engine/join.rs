//! The engine's end of `weft run`: takes requests to join, and hands out a pod's namespaces.

use std::{
    os::fd::{AsFd, BorrowedFd},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, bail};
use tokio::{
    io::{AsyncReadExt, Interest},
    net::{UnixListener, UnixStream},
    sync::{mpsc::UnboundedSender, oneshot},
    time::timeout,
};

use super::{Event, Place, manifest::Key, network::Home};
use crate::rendezvous::{self, JoinAnswer, JoinRequest, REQUEST_MAX};

/// Who connects says what he wants within this time.
const PATIENCE: Duration = Duration::from_secs(5);

/// A wish to join, as the engine hears it.
#[derive(Debug)]
pub(crate) struct Joining {
    pub(crate) request: JoinRequest,
    /// Told whether it may, and its pod's number.
    pub(crate) admitted: oneshot::Sender<Result<(Key, u64), String>>,
    /// Given the pod's namespaces once its sidecar is ready.
    pub(crate) home: oneshot::Sender<Arc<Home>>,
}

/// Takes requests for ever.
pub(crate) async fn serve(listener: UnixListener, place: Rc<Place>, events: UnboundedSender<Event>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let (place, events) = (place.clone(), events.clone());
                tokio::task::spawn_local(async move {
                    if let Err(error) = attend(stream, &place, &events).await {
                        tracing::debug!("somebody could not join: {error:#}");
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot take a request to join");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn attend(mut stream: UnixStream, place: &Place, events: &UnboundedSender<Event>) -> anyhow::Result<()> {
    // As our user namespace sees it: only the user who started the mesh has a number there that is ours.
    if stream.peer_cred()?.uid() != rustix::process::geteuid().as_raw() {
        bail!("another user");
    }
    let request = timeout(PATIENCE, hear(&mut stream)).await.context("said nothing")??;
    let (admitted, admission) = oneshot::channel();
    let (home, namespaces) = oneshot::channel();
    let _ = events.send(Event::Join(Joining { request, admitted, home }));
    let (key, number) = match admission.await.context("the mesh is ending")? {
        Ok(admitted) => admitted,
        Err(why) => return answer(&stream, &JoinAnswer::Refused(why), &[]).await,
    };
    let stayed = stay(&mut stream, place, namespaces).await;
    let _ = events.send(Event::Left(key, number));
    stayed
}

/// Hands over the namespaces and waits until the command has ended.
async fn stay(stream: &mut UnixStream, place: &Place, namespaces: oneshot::Receiver<Arc<Home>>) -> anyhow::Result<()> {
    let mut rest = [0; 64];
    let home = tokio::select! {
        home = namespaces => home.context("the mesh is ending")?,
        // He did not want to wait.
        _ = stream.read(&mut rest) => return Ok(()),
    };
    let mut descriptors = vec![home.network.fd(), home.mounts.fd(), place.processes.fd()];
    descriptors.extend(place.users.iter().map(kernel::namespace::Namespace::fd));
    answer(stream, &JoinAnswer::Welcome { ordinary: place.ordinary }, &descriptors).await?;
    while stream.read(&mut rest).await? > 0 {}
    Ok(())
}

async fn hear(stream: &mut UnixStream) -> anyhow::Result<JoinRequest> {
    let mut line = Vec::new();
    while line.last() != Some(&b'\n') {
        if line.len() > REQUEST_MAX || stream.read_buf(&mut line).await? == 0 {
            bail!("no request");
        }
    }
    serde_json::from_slice(&line).context("not a request")
}

async fn answer(stream: &UnixStream, answer: &JoinAnswer, descriptors: &[BorrowedFd<'_>]) -> anyhow::Result<()> {
    let bytes = serde_json::to_vec(answer)?;
    let send = || rendezvous::send(stream.as_fd(), &bytes, descriptors);
    Ok(stream.async_io(Interest::WRITABLE, send).await?)
}
