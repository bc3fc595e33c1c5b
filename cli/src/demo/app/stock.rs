//! The stock room: a line with an article comes in, a line with its number goes out. No HTTP.

use anyhow::{Context as _, ensure};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    signal::unix::{SignalKind, signal},
};

/// Longer lines name no article.
const LINE_MAX: usize = 256;

/// How many there are of `article`.
pub(super) async fn ask(address: &str, article: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(address).await.context("cannot connect to stock")?;
    stream.set_nodelay(true)?;
    stream.write_all(format!("{article}\n").as_bytes()).await.context("stock does not listen")?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).await.context("stock does not answer")?;
    ensure!(line.ends_with('\n'), "stock broke off its answer");
    Ok(line.trim().to_owned())
}

/// Answers until SIGTERM.
pub(super) async fn serve(port: u16) -> anyhow::Result<()> {
    let listener = TcpListener::bind(("0.0.0.0", port)).await.with_context(|| format!("cannot listen on {port}"))?;
    let mut terminate = signal(SignalKind::terminate())?;
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    tokio::task::spawn_local(attend(stream));
                }
            }
            _ = terminate.recv() => return Ok(()),
        }
    }
}

async fn attend(stream: TcpStream) {
    let mut stream = BufReader::new(stream);
    let mut article = String::new();
    while let Ok(length) = stream.read_line(&mut article).await {
        if length == 0 || length > LINE_MAX {
            return;
        }
        let number: u32 = article.bytes().map(u32::from).sum::<u32>() % 100;
        if stream.write_all(format!("{number} {article}").as_bytes()).await.is_err() {
            return;
        }
        article.clear();
    }
}
