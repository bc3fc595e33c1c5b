//! An app that speaks a protocol nobody knows: a question of fixed size says how many bytes it wants back.

use std::{io, net::Ipv4Addr};

use anyhow::Context as _;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    task::JoinSet,
};

/// Bytes of a question.
const ASK: usize = 64;

/// The most that is written at once.
const PIECE: usize = 256 * 1024;

const BACKLOG: u32 = 4096;

static ANSWER: [u8; PIECE] = [b'w'; PIECE];

/// A question: how many bytes are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ask(pub(crate) u64);

impl Ask {
    /// As it is sent. The first bytes are of no protocol a proxy might recognise.
    pub(crate) fn bytes(self) -> [u8; ASK] {
        let mut bytes = [0xee; ASK];
        bytes[ASK - 8..].copy_from_slice(&self.0.to_be_bytes());
        bytes
    }

    fn read(bytes: &[u8; ASK]) -> Self {
        let mut number = [0; 8];
        number.copy_from_slice(&bytes[ASK - 8..]);
        Self(u64::from_be_bytes(number))
    }
}

/// Serves on each of `ports`.
pub(super) async fn serve(ports: &[u16]) -> anyhow::Result<()> {
    let mut doors = JoinSet::new();
    for port in ports {
        doors.spawn(accept(listen(*port)?));
    }
    doors.join_next().await.context("no port")??
}

async fn accept(listener: TcpListener) -> anyhow::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        // A client that goes away has ended the conversation.
        tokio::spawn(async move { answer(stream).await.unwrap_or_default() });
    }
}

fn listen(port: u16) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind((Ipv4Addr::UNSPECIFIED, port).into())?;
    socket.listen(BACKLOG)
}

async fn answer(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut question = [0; ASK];
    loop {
        stream.read_exact(&mut question).await?;
        let Ask(mut wanted) = Ask::read(&question);
        while wanted > 0 {
            let piece = usize::try_from(wanted).map_or(PIECE, |wanted| wanted.min(PIECE));
            let written = stream.write(&ANSWER[..piece]).await?;
            wanted = wanted.saturating_sub(written.try_into().unwrap_or(u64::MAX));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_read_as_it_was_asked() {
        assert_eq!(Ask::read(&Ask(1 << 30).bytes()), Ask(1 << 30));
    }
}
