//! A backend of hyper's that writes down how it read every request, as `scripts/smuggling/recorder.py` does.
//!
//! `hyper_recorder PORT LOG`

use std::{
    convert::Infallible,
    fs::{File, OpenOptions},
    io::{self, Write as _},
    rc::Rc,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Incoming, header::HOST, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::LocalSet};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let port: u16 = arguments.next().ok_or("which port?")?.parse()?;
    let log = Rc::new(OpenOptions::new().create(true).append(true).open(arguments.next().ok_or("which log?")?)?);
    let listener = TcpListener::bind(("0.0.0.0", port)).await?;
    LocalSet::new()
        .run_until(async move {
            loop {
                let (stream, _) = listener.accept().await?;
                let log = log.clone();
                tokio::task::spawn_local(async move {
                    let service = service_fn(|request| record(request, &log));
                    if let Err(error) = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await
                        && error.is_parse()
                    {
                        write(&log, &json!({"event": "malformed", "why": error.to_string()}));
                    }
                });
            }
        })
        .await
}

async fn record(request: Request<Incoming>, log: &File) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let hosts: Vec<String> = head.headers.get_all(HOST).iter().map(|host| text(host.as_bytes())).collect();
    let case = head.headers.get("x-case").map(|case| text(case.as_bytes())).unwrap_or_default();
    let mut told = json!({
        "event": "begun", "case": case,
        "method": head.method.as_str(), "target": head.uri.to_string(), "host": hosts.join(", "),
    });
    write(log, &told);
    match body.collect().await {
        Ok(collected) => {
            told["event"] = Value::from("read");
            told["body"] = Value::from(text(&collected.to_bytes()));
            write(log, &told);
        }
        Err(error) if broke_off(&error) => {}
        Err(error) => write(log, &json!({"event": "malformed", "why": format!("{error:?}")})),
    }
    Ok(Response::new(Full::from(format!("answer to {} {}\n", head.method, head.uri))))
}

/// Whether the connection ended in the middle, which is no mistake of the proxy's. Anything else is.
fn broke_off(error: &hyper::Error) -> bool {
    let io = std::error::Error::source(error).and_then(|source| source.downcast_ref::<io::Error>());
    error.is_incomplete_message() || error.is_closed() || io.is_some_and(|io| ENDS.contains(&io.kind()))
}

const ENDS: [io::ErrorKind; 3] = [io::ErrorKind::UnexpectedEof, io::ErrorKind::ConnectionReset, io::ErrorKind::BrokenPipe];

fn write(log: &File, entry: &Value) {
    let mut line = entry.to_string();
    line.push('\n');
    let mut log = log;
    log.write_all(line.as_bytes()).expect("the log can be written");
}

/// Bytes as the code points of the same numbers.
fn text(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}
