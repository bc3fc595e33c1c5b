//! Where the API server asks: HTTPS, one question a request.

use std::{convert::Infallible, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use http::{Method, Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::{Answer, Asked, Beside, review};

/// A pod may be 1.5 MiB in etcd, and is asked about with its old self.
const QUESTION_MAX: usize = 8 << 20;

/// For a handshake, and for a question to be read.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long to leave the kernel alone when it has no file descriptor for us.
const BREATH: Duration = Duration::from_millis(100);

/// Answers for ever. `beside` does what is to be done beside an answer, before it is given.
pub(crate) async fn serve<B, F>(listener: TcpListener, config: Arc<ArcSwap<ServerConfig>>, settings: inject::Settings, beside: B)
where
    B: Fn(Beside) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = ()> + Send,
{
    let settings = Arc::new(settings);
    loop {
        match listener.accept().await {
            Ok((stream, address)) => {
                let (config, settings, beside) = (config.load_full(), settings.clone(), beside.clone());
                tokio::spawn(async move {
                    if let Err(why) = attend(stream, config, settings, beside).await {
                        tracing::debug!(%address, "the webhook's connection ended: {why}");
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the webhook cannot take a connection");
                tokio::time::sleep(BREATH).await;
            }
        }
    }
}

async fn attend<B, F>(
    stream: TcpStream,
    config: Arc<ServerConfig>,
    settings: Arc<inject::Settings>,
    beside: B,
) -> Result<(), String>
where
    B: Fn(Beside) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = ()> + Send,
{
    let stream = tokio::time::timeout(PATIENCE, TlsAcceptor::from(config).accept(stream)).await;
    let stream = stream.map_err(|_| "no handshake in time")?.map_err(|error| error.to_string())?;
    let service = service_fn(|request: Request<Incoming>| {
        let (settings, beside) = (settings.clone(), beside.clone());
        async move {
            let answered = match answer(request, &settings).await {
                Ok(Answer { review, beside: left }) => {
                    beside(left).await;
                    json(review.to_string())
                }
                Err((status, why)) => text(status, why),
            };
            Ok::<_, Infallible>(answered)
        }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(PATIENCE);
    http.serve_connection(TokioIo::new(stream), service).await.map_err(|error| error.to_string())
}

async fn answer(request: Request<Incoming>, settings: &inject::Settings) -> Result<Answer, (StatusCode, String)> {
    let asked = Asked::from_path(request.uri().path())
        .ok_or_else(|| (StatusCode::NOT_FOUND, String::from("there are /inject/namespace and /inject/pod")))?;
    if request.method() != Method::POST {
        return Err((StatusCode::METHOD_NOT_ALLOWED, String::from("an AdmissionReview is posted")));
    }
    let body = tokio::time::timeout(PATIENCE, Limited::new(request.into_body(), QUESTION_MAX).collect()).await;
    let body = body.map_err(|_| (StatusCode::REQUEST_TIMEOUT, String::from("the question did not come in time")))?;
    let body = body.map_err(|error| (StatusCode::PAYLOAD_TOO_LARGE, error.to_string()))?.to_bytes();
    let wrong = |why: String| (StatusCode::BAD_REQUEST, why);
    let question: Value = serde_json::from_slice(&body).map_err(|error| wrong(format!("it is not JSON: {error}")))?;
    review(&question, asked, settings).map_err(wrong)
}

fn json(body: String) -> Response<Full<Bytes>> {
    respond(StatusCode::OK, "application/json", body)
}

fn text(status: StatusCode, why: String) -> Response<Full<Bytes>> {
    tracing::warn!(%status, "a question to the webhook cannot be answered: {why}");
    respond(status, "text/plain; charset=utf-8", why)
}

fn respond(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static(kind));
    response
}
