//! What an operator asks control: `/metrics`, `/live`, `/ready`.

use std::{convert::Infallible, time::Duration};

use http::{Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::Full;
use hyper::{
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

use crate::{metrics::Metrics, state::State};

/// Somebody who asks must ask within this time.
const HEAD_MAX: Duration = Duration::from_secs(10);

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

/// Answers on `listener` for ever.
pub(crate) async fn serve(listener: TcpListener, state: State, metrics: Metrics) {
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let (state, metrics) = (state.clone(), metrics.clone());
        tokio::spawn(async move {
            let service = service_fn(|request: Request<Incoming>| {
                let response = page(request.uri().path(), &state, &metrics);
                async { Ok::<_, Infallible>(response) }
            });
            let mut server = http1::Builder::new();
            server.timer(TokioTimer::new()).header_read_timeout(HEAD_MAX);
            if let Err(error) = server.serve_connection(TokioIo::new(stream), service).await {
                tracing::debug!(%peer, %error, "somebody spoke strangely to the admin port");
            }
        });
    }
}

fn page(path: &str, state: &State, metrics: &Metrics) -> Response<Full<Bytes>> {
    let (status, kind, body) = match path {
        "/metrics" => (StatusCode::OK, OPENMETRICS, metrics.scrape(state)),
        "/live" => (StatusCode::OK, TEXT, String::from("live\n")),
        "/ready" if state.is_loaded() => (StatusCode::OK, TEXT, String::from("ready\n")),
        "/ready" => (StatusCode::SERVICE_UNAVAILABLE, TEXT, String::from("not ready: the source has not been read yet\n")),
        _ => (StatusCode::NOT_FOUND, TEXT, String::from("there are /metrics, /live and /ready\n")),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static(kind));
    response
}
