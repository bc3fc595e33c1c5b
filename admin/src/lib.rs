//! The admin port that both planes have: a few pages over HTTP/1.1, and metrics in whichever text format is asked for.
//!
//! What the pages say is up to their owner. Nothing here knows the mesh.

mod exposition;

use std::{convert::Infallible, net::SocketAddr, pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header::ACCEPT, header::CONTENT_TYPE};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};

pub use exposition::metrics;

/// Somebody who asks must ask within this time.
const HEAD_MAX: Duration = Duration::from_secs(10);

/// How long to leave the kernel alone when it has no file descriptor for us.
const BREATH: Duration = Duration::from_millis(100);

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The path, without query.
    pub path: &'a str,
    /// The formats the asker takes; empty when it does not say.
    pub accept: &'a str,
    /// Who asks.
    pub peer: SocketAddr,
}

/// What is answered.
#[derive(Clone, Debug)]
pub struct Page {
    status: StatusCode,
    kind: &'static str,
    body: Bytes,
}

impl Page {
    /// Plain text.
    pub fn text(status: StatusCode, body: impl Into<Bytes>) -> Self {
        Self { status, kind: "text/plain; charset=utf-8", body: body.into() }
    }

    /// JSON.
    pub fn json(body: impl Into<Bytes>) -> Self {
        Self { status: StatusCode::OK, kind: "application/json", body: body.into() }
    }

    fn response(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(self.body));
        *response.status_mut() = self.status;
        response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static(self.kind));
        response
    }
}

/// A page, or the promise of one that has to be asked for elsewhere.
pub enum Answer {
    /// What is known here.
    Page(Page),
    /// What somebody else has to say.
    Later(Pin<Box<dyn Future<Output = Page> + Send>>),
}

impl From<Page> for Answer {
    fn from(page: Page) -> Self {
        Self::Page(page)
    }
}

/// Answers on `listener` for ever. Only GET and HEAD are questions.
pub async fn serve<A, P>(listener: TcpListener, answer: A)
where
    A: Fn(Question<'_>) -> P + Send + Sync + 'static,
    P: Into<Answer> + 'static,
{
    let answer = Arc::new(answer);
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => drop(tokio::spawn(attend(stream, peer, answer.clone()))),
            Err(error) => {
                tracing::warn!(%error, "the admin port cannot take a connection");
                tokio::time::sleep(BREATH).await;
            }
        }
    }
}

async fn attend<A, P>(stream: TcpStream, peer: SocketAddr, answer: Arc<A>)
where
    A: Fn(Question<'_>) -> P,
    P: Into<Answer> + 'static,
{
    let service = service_fn(|request: Request<Incoming>| {
        let answer = page(&request, peer, &*answer);
        async {
            let page = match answer {
                Answer::Page(page) => page,
                Answer::Later(page) => page.await,
            };
            Ok::<_, Infallible>(page.response())
        }
    });
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEAD_MAX);
    if let Err(error) = server.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%peer, %error, "somebody spoke strangely to the admin port");
    }
}

fn page<P: Into<Answer>>(request: &Request<Incoming>, peer: SocketAddr, answer: &impl Fn(Question<'_>) -> P) -> Answer {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return Page::text(StatusCode::METHOD_NOT_ALLOWED, "only GET is answered here\n").into();
    }
    let accept = request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    answer(Question { path: request.uri().path(), accept, peer }).into()
}
