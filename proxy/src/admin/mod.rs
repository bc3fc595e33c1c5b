//! What an operator or a kubelet asks this proxy: `/metrics`, `/live`, `/ready`, `/config`.
//!
//! Runs beside the traffic, on a runtime of its own. Never: a secret in an answer.

mod status;

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::{encoding::text, registry::Registry};
use tokio::net::{TcpListener, TcpStream};

pub use status::Status;

/// Somebody who asks must ask within this time.
const HEAD_MAX: Duration = Duration::from_secs(10);

const METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

/// Everything that can be asked for.
#[derive(Debug)]
pub struct Admin {
    /// What a scrape reads.
    pub metrics: Registry,
    /// What the other pages read.
    pub status: Status,
}

/// Answers on `listener` for ever.
pub async fn serve(listener: TcpListener, admin: Arc<Admin>) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => drop(tokio::spawn(answer(stream, peer, admin.clone()))),
            Err(error) => {
                tracing::warn!(%error, "the admin port cannot take a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn answer(stream: TcpStream, peer: SocketAddr, admin: Arc<Admin>) {
    let service = service_fn(|request: Request<Incoming>| {
        let response = admin.page(request.method(), request.uri().path(), peer);
        async { Ok::<_, Infallible>(response) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%peer, %error, "somebody spoke strangely to the admin port");
    }
}

impl Admin {
    fn page(&self, method: &Method, path: &str, peer: SocketAddr) -> Response<Full<Bytes>> {
        if method != Method::GET && method != Method::HEAD {
            return page(StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET is answered here\n");
        }
        match path {
            "/metrics" => self.scrape(),
            "/live" => page(StatusCode::OK, TEXT, "live\n"),
            "/ready" => match self.status.waits_for() {
                None => page(StatusCode::OK, TEXT, "ready\n"),
                Some(what) => page(StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("not ready: {what}\n")),
            },
            "/config" if peer.ip().to_canonical().is_loopback() => page(StatusCode::OK, JSON, self.status.dump()),
            "/config" => {
                page(StatusCode::FORBIDDEN, TEXT, "the configuration is shown on loopback alone: ask from inside the pod\n")
            }
            _ => page(StatusCode::NOT_FOUND, TEXT, "there are /metrics, /live, /ready and /config\n"),
        }
    }

    fn scrape(&self) -> Response<Full<Bytes>> {
        let mut out = String::new();
        match text::encode(&mut out, &self.metrics) {
            Ok(()) => page(StatusCode::OK, METRICS, out),
            Err(error) => page(StatusCode::INTERNAL_SERVER_ERROR, TEXT, format!("the metrics cannot be written: {error}\n")),
        }
    }
}

fn page(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static(kind));
    response
}
