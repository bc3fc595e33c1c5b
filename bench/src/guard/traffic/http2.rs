//! HTTP/2 and gRPC, one connection at each end.

use std::{
    io,
    net::{SocketAddr, TcpStream},
};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use h2::{
    RecvStream, SendStream,
    client::SendRequest,
    server::{self, SendResponse},
};
use http::{HeaderMap, HeaderValue, Request, Response, Version};
use tokio::{
    runtime::{Builder, Runtime},
    time::timeout,
};

use super::{Load, PATIENCE, dial};

/// What an exchange looks like.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    /// Requests at once. The app answers none of them before all have arrived, so that they stay together.
    pub(super) streams: usize,
    /// Bytes of a gRPC request; `None` for a plain GET.
    pub(super) request: Option<usize>,
    /// Bytes of the answer.
    pub(super) answer: usize,
}

impl Shape {
    /// One unary call with messages of so many bytes.
    pub(super) fn grpc(message: usize) -> Self {
        Self { streams: 1, request: Some(message), answer: message }
    }

    fn is_grpc(self) -> bool {
        self.request.is_some()
    }
}

/// Answers requests of `shape`, to the end of the connection.
pub(super) fn answer(stream: TcpStream, shape: Shape) -> io::Result<()> {
    runtime()?.block_on(async {
        let mut connection = server::handshake(tokio_stream(stream)?).await.map_err(io::Error::other)?;
        let mut waiting = Vec::with_capacity(shape.streams);
        while let Some(arrived) = connection.accept().await {
            let (request, respond) = arrived.map_err(io::Error::other)?;
            if shape.is_grpc() {
                // The body arrives only while somebody drives the connection, so it is read beside this loop.
                tokio::spawn(async move {
                    read(request.into_body()).await?;
                    reply(respond, shape)
                });
                continue;
            }
            waiting.push(respond);
            if waiting.len() == shape.streams {
                waiting.drain(..).try_for_each(|respond| reply(respond, shape)).map_err(io::Error::other)?;
            }
        }
        Ok(())
    })
}

fn reply(mut respond: SendResponse<Bytes>, shape: Shape) -> anyhow::Result<()> {
    let content = if shape.is_grpc() { "application/grpc" } else { "application/json" };
    let head = Response::builder().header("content-type", content).header("date", "Fri, 20 Nov 2026 10:00:00 GMT").body(())?;
    let mut body = respond.send_response(head, false)?;
    send(&mut body, shape.answer, !shape.is_grpc())?;
    if shape.is_grpc() {
        body.send_trailers(HeaderMap::from_iter([(
            http::HeaderName::from_static("grpc-status"),
            HeaderValue::from_static("0"),
        )]))?;
    }
    Ok(())
}

/// One connection.
pub(super) struct Client {
    runtime: Runtime,
    requests: SendRequest<Bytes>,
    shape: Shape,
}

impl Client {
    pub(super) fn connect(address: SocketAddr, shape: Shape) -> anyhow::Result<Self> {
        let runtime = runtime()?;
        let requests = runtime.block_on(async {
            let (requests, connection) = h2::client::handshake(tokio_stream(dial(address)?)?).await?;
            tokio::spawn(connection);
            anyhow::Ok(requests)
        });
        Ok(Self { requests: requests.context("no HTTP/2 connection")?, runtime, shape })
    }
}

impl Load for Client {
    fn exchange(&mut self) -> anyhow::Result<()> {
        let round = round(&mut self.requests, self.shape);
        self.runtime.block_on(async { timeout(PATIENCE, round).await.context("no answer in time")? })
    }
}

async fn round(requests: &mut SendRequest<Bytes>, shape: Shape) -> anyhow::Result<()> {
    let mut answers = Vec::with_capacity(shape.streams);
    for _ in 0..shape.streams {
        std::future::poll_fn(|cx| requests.poll_ready(cx)).await?;
        let (answer, mut body) = requests.send_request(request(shape)?, !shape.is_grpc())?;
        if let Some(bytes) = shape.request {
            send(&mut body, bytes, true)?;
        }
        answers.push(answer);
    }
    for answer in answers {
        let answer = answer.await.context("no answer")?;
        ensure!(answer.status().is_success(), "the answer is {}", answer.status());
        let (bytes, trailers) = read(answer.into_body()).await.context("the answer breaks off")?;
        ensure!(bytes == shape.answer, "{bytes} bytes were answered, and {} expected", shape.answer);
        ensure!(trailers.is_some() == shape.is_grpc(), "the trailers are {trailers:?}");
    }
    Ok(())
}

fn request(shape: Shape) -> http::Result<Request<()>> {
    let request = Request::builder()
        .version(Version::HTTP_2)
        .header("user-agent", "storefront/2.14.0")
        .header("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    if shape.is_grpc() {
        let request = request.method("POST").uri("http://catalogue.shop/shop.Catalogue/Item");
        request.header("content-type", "application/grpc").header("te", "trailers").body(())
    } else {
        let request = request.uri("http://catalogue.shop/v1/items/4711?fields=name,price");
        request.header("accept", "application/json").header("accept-encoding", "gzip, br").body(())
    }
}

fn send(body: &mut SendStream<Bytes>, bytes: usize, end: bool) -> Result<(), h2::Error> {
    body.send_data(Bytes::from(vec![b'x'; bytes]), end)
}

/// Reads a body: its bytes, and its trailers.
async fn read(mut body: RecvStream) -> Result<(usize, Option<HeaderMap>), h2::Error> {
    let mut bytes = 0;
    while let Some(data) = body.data().await.transpose()? {
        bytes += data.len();
        body.flow_control().release_capacity(data.len())?;
    }
    Ok((bytes, body.trailers().await?))
}

fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

fn tokio_stream(stream: TcpStream) -> io::Result<tokio::net::TcpStream> {
    stream.set_nonblocking(true)?;
    tokio::net::TcpStream::from_std(stream)
}
