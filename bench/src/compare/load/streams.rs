//! gRPC streams: on each, a message is sent when the one before it was answered.

use std::{cell::Cell, net::SocketAddr, rc::Rc, time::Instant};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use h2::client::SendRequest;
use http::Request;
use tokio::{
    net::TcpStream,
    task::{JoinSet, LocalSet, spawn_local},
};

use super::{
    super::grpc::{ASKED, CONTENT_TYPE, Messages, STREAM, is_good, message},
    order::Order,
    tally::Tally,
};
use crate::clock;

/// What the app may send ahead, on a stream and on a connection.
const WINDOW: u32 = 1 << 20;

/// Runs `streams` on each of `connections` for the time of the order.
///
/// # Errors
/// Nothing can be dialled.
pub(super) fn run(order: &Order, connections: u32, streams: u32) -> anyhow::Result<Tally> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, all(order, connections, streams))
}

async fn all(order: &Order, connections: u32, streams: u32) -> anyhow::Result<Tally> {
    let began = clock::now();
    let end = began + order.time;
    let answered = Rc::new(Cell::new(0));
    let mut calls = JoinSet::new();
    for _ in 0..connections {
        let client = connect(order.target).await?;
        for _ in 0..streams {
            calls.spawn_local(call(client.clone(), order.target, end, answered.clone()));
        }
    }
    let mut errors = 0;
    while let Some(ended) = calls.join_next().await {
        if let Err(error) = ended? {
            eprintln!("a stream failed: {error:#}");
            errors += 1;
        }
    }
    Ok(Tally { requests: answered.get(), errors, seconds: began.elapsed().as_secs_f64(), ..Tally::default() })
}

async fn connect(target: SocketAddr) -> anyhow::Result<SendRequest<Bytes>> {
    let stream = TcpStream::connect(target).await.with_context(|| format!("cannot connect to {target}"))?;
    stream.set_nodelay(true)?;
    let mut client = h2::client::Builder::new();
    client.initial_window_size(WINDOW).initial_connection_window_size(WINDOW * 8);
    let (client, connection) = client.handshake(stream).await?;
    // Its end is the end of its calls, which tell.
    spawn_local(async move { connection.await.unwrap_or_default() });
    Ok(client)
}

async fn call(client: SendRequest<Bytes>, target: SocketAddr, end: Instant, answered: Rc<Cell<u64>>) -> anyhow::Result<()> {
    let request = Request::post(format!("http://{target}{STREAM}"))
        .header("content-type", CONTENT_TYPE)
        .header("te", "trailers")
        .body(())?;
    let (response, mut asking) = client.ready().await?.send_request(request, false)?;
    asking.send_data(message(ASKED), false)?;
    let response = response.await?;
    ensure!(response.status() == 200, "the status is {}", response.status());
    let (mut body, mut messages) = (response.into_body(), Messages::default());
    while let Some(data) = body.data().await {
        let data = data?;
        body.flow_control().release_capacity(data.len())?;
        for _ in 0..messages.take(&data) {
            answered.set(answered.get() + 1);
            let over = clock::now() >= end;
            asking.send_data(if over { Bytes::new() } else { message(ASKED) }, over)?;
        }
    }
    let trailers = body.trailers().await?.context("no trailers")?;
    ensure!(is_good(&trailers), "the trailers are {trailers:?}");
    Ok(())
}
