//! Answers HTTP requests, and on SIGTERM finishes those that are being answered.

use std::{convert::Infallible, pin::pin, rc::Rc};

use anyhow::Context as _;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    signal::unix::{SignalKind, signal},
    sync::watch,
    task::JoinSet,
};

/// Answers every request with what `answer` says, until SIGTERM.
pub(super) async fn serve(port: u16, answer: impl AsyncFn() -> anyhow::Result<String> + 'static) -> anyhow::Result<()> {
    let listener = TcpListener::bind(("::", port)).await;
    let listener = match listener {
        Ok(listener) => listener,
        Err(_) => TcpListener::bind(("0.0.0.0", port)).await.with_context(|| format!("cannot listen on {port}"))?,
    };
    let mut terminate = signal(SignalKind::terminate())?;
    let (leave, leaving) = watch::channel(false);
    let answer = Rc::new(answer);
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    open.spawn_local(attend(stream, answer.clone(), leaving.clone()));
                }
            }
            Some(_) = open.join_next() => {}
            _ = terminate.recv() => break,
        }
    }
    leave.send_replace(true);
    open.join_all().await;
    Ok(())
}

async fn attend(stream: TcpStream, answer: Rc<impl AsyncFn() -> anyhow::Result<String>>, mut leaving: watch::Receiver<bool>) {
    let service = service_fn(|_: Request<Incoming>| async {
        let (status, text) = match answer().await {
            Ok(text) => (StatusCode::OK, text),
            Err(error) => (StatusCode::BAD_GATEWAY, format!("{error:#}")),
        };
        let mut response = Response::new(Full::new(Bytes::from(text + "\n")));
        *response.status_mut() = status;
        Ok::<_, Infallible>(response)
    });
    let connection = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    tokio::select! {
        // What a client does wrong is his affair.
        _ = connection.as_mut() => return,
        _ = leaving.wait_for(|leaving| *leaving) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}
