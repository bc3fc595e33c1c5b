//! An app that speaks gRPC: every message is answered by one.

use std::net::Ipv4Addr;

use bytes::Bytes;
use h2::{RecvStream, server::SendResponse};
use http::{Request, Response};
use tokio::net::{TcpListener, TcpStream};

use super::super::grpc::{ANSWERED, CONTENT_TYPE, Messages, good, message};

/// What a client may send ahead, on a stream and on a connection.
const WINDOW: u32 = 1 << 20;

const STREAMS_MAX: u32 = 1000;

pub(super) async fn serve(port: u16) -> anyhow::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        // A client that goes away has ended the conversation.
        tokio::spawn(async move { connection(stream).await.unwrap_or_default() });
    }
}

async fn connection(stream: TcpStream) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let mut server = h2::server::Builder::new();
    server.initial_window_size(WINDOW).initial_connection_window_size(WINDOW * 8).max_concurrent_streams(STREAMS_MAX);
    let mut connection = server.handshake(stream).await?;
    while let Some(accepted) = connection.accept().await {
        let (request, respond) = accepted?;
        tokio::spawn(async move { call(request, respond).await.unwrap_or_default() });
    }
    Ok(())
}

async fn call(request: Request<RecvStream>, mut respond: SendResponse<Bytes>) -> anyhow::Result<()> {
    let head = Response::builder().header("content-type", CONTENT_TYPE).body(())?;
    let mut answer = respond.send_response(head, false)?;
    let (mut body, mut messages) = (request.into_body(), Messages::default());
    while let Some(data) = body.data().await {
        let data = data?;
        body.flow_control().release_capacity(data.len())?;
        for _ in 0..messages.take(&data) {
            answer.send_data(message(ANSWERED), false)?;
        }
    }
    answer.send_trailers(good())?;
    Ok(())
}
