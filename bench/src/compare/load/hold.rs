//! Connections on which one request was answered, and which stay open until we are killed.

use std::net::SocketAddr;

use anyhow::{Context as _, ensure};
use http::Request;
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use super::{
    order::{Exchange, Order, Tls},
    reply::Reply,
    tls,
};

/// What is printed when all of them are open.
pub(crate) const HELD: &str = "held";

const PATH: &str = "/1k";

/// An open connection; for HTTP/2, its driver.
type Held = Box<dyn std::any::Any>;

/// Opens them and holds them.
///
/// # Errors
/// One of them cannot be opened, or its request is not answered well.
pub(super) fn run(order: &Order, connections: u32, tls: Option<&Tls>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let connector = tls.map(|tls| tls::client(tls).map(TlsConnector::from)).transpose()?;
        let mut held: Vec<Held> = Vec::new();
        for number in 0..connections {
            let opened = open(order.target, connector.as_ref()).await;
            held.push(opened.with_context(|| format!("connection {number}"))?);
        }
        println!("{HELD}");
        std::future::pending().await
    })
}

async fn open(target: SocketAddr, connector: Option<&TlsConnector>) -> anyhow::Result<Held> {
    let stream = TcpStream::connect(target).await.with_context(|| format!("cannot connect to {target}"))?;
    stream.set_nodelay(true)?;
    let Some(connector) = connector else { return Ok(Box::new(http1(stream).await?)) };
    let stream = connector.connect(ServerName::from(target.ip()), stream).await?;
    let multiplexed = stream.get_ref().1.alpn_protocol() != Some(b"http/1.1");
    if multiplexed { http2(stream, target).await } else { Ok(Box::new(http1(stream).await?)) }
}

async fn http1<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) -> anyhow::Result<S> {
    let exchange = Exchange::Http(PATH.to_owned());
    stream.write_all(&exchange.question()).await?;
    let (mut reply, mut buffer) = (Reply::to(&exchange), [0; 4096]);
    loop {
        let read = stream.read(&mut buffer).await?;
        ensure!(read > 0, "closed without an answer");
        if reply.take(&buffer[..read])? {
            return Ok(stream);
        }
    }
}

async fn http2<S>(stream: S, target: SocketAddr) -> anyhow::Result<Held>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (client, connection) = h2::client::handshake(stream).await?;
    let driver = tokio::spawn(connection);
    // As Weft's sidecars tell each other that the client spoke HTTP/1.1, which is what the app speaks.
    let request = Request::get(format!("http://{target}{PATH}")).header("weft-http", "1.1").body(())?;
    let (response, _) = client.clone().ready().await?.send_request(request, true)?;
    let response = response.await?;
    ensure!(response.status() == 200, "the status is {}", response.status());
    let mut body = response.into_body();
    while let Some(data) = body.data().await {
        body.flow_control().release_capacity(data?.len())?;
    }
    // Without its client the connection would be closed.
    Ok(Box::new((driver, client)))
}
