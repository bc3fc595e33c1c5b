//! One end of an opaque connection: a TCP stream, or a tunnel through the mesh.

use std::{future::poll_fn, time::Duration};

use bytes::{Bytes, BytesMut};
use socket2::SockRef;
use tokio::net::TcpStream;

use super::dials::Dial;
use crate::{
    detect::{FRAME_HEAD, MaySpeakFirst, Opening, Peeked},
    http2::{Code, Receiver, Sender},
};

/// One end of an opaque connection.
pub enum Pipe {
    /// A TCP connection.
    Tcp {
        /// What was already read of it.
        seen: Bytes,
        /// The rest.
        stream: TcpStream,
        /// Whether it was found broken while it was looked at: the kernel tells an error once.
        broken: bool,
        /// Our own dial, when we dialled it: remembered for as long as this lives.
        _dial: Option<Dial>,
    },
    /// A CONNECT stream of a mesh connection.
    Tunnel {
        /// What was already read of it. Its flow control is not released yet.
        seen: Option<Bytes>,
        /// Whether it was found broken while it was looked at.
        broken: bool,
        /// What comes.
        receive: Receiver,
        /// What goes.
        send: Sender,
    },
}

impl Pipe {
    /// A connection we dialled.
    pub fn server(stream: TcpStream, dial: Dial) -> Self {
        Self::Tcp { seen: Bytes::new(), stream, broken: false, _dial: Some(dial) }
    }

    /// A connection of a client, of which `seen` was read already.
    pub fn client(stream: TcpStream, seen: Bytes) -> Self {
        Self::Tcp { seen, stream, broken: false, _dial: None }
    }

    /// A connection we dialled that has switched to another protocol.
    pub fn switched(stream: TcpStream, seen: Bytes, dial: Dial) -> Self {
        Self::Tcp { seen, stream, broken: false, _dial: Some(dial) }
    }

    /// A tunnel.
    pub fn tunnel(receive: Receiver, send: Sender) -> Self {
        Self::Tunnel { seen: None, broken: false, receive, send }
    }
}

impl Pipe {
    /// Whether it was found broken while it was looked at.
    pub fn is_broken(&self) -> bool {
        match self {
            Self::Tcp { broken, .. } | Self::Tunnel { broken, .. } => *broken,
        }
    }

    /// Takes what was already read.
    pub fn take_seen(&mut self) -> Bytes {
        match self {
            Self::Tcp { seen, .. } => std::mem::take(seen),
            Self::Tunnel { seen, .. } => seen.take().unwrap_or_default(),
        }
    }

    /// Tells the other side that this did not end well: RST on TCP, RST_STREAM in a tunnel.
    pub fn break_off(self) {
        match self {
            // It is sent when the socket is closed.
            Self::Tcp { stream, .. } => drop(SockRef::from(&stream).set_linger(Some(Duration::ZERO))),
            Self::Tunnel { send, .. } => send.reset(Code::CANCEL),
        }
    }
}

impl From<Peeked> for Pipe {
    fn from(peeked: Peeked) -> Self {
        let (seen, stream): (BytesMut, TcpStream) = peeked.into_parts();
        Self::client(stream, seen.freeze())
    }
}

impl MaySpeakFirst for Pipe {
    async fn spoke(&mut self) -> Opening {
        match self {
            Self::Tcp { stream, broken, .. } => {
                let mut opening = [0; FRAME_HEAD];
                let length = stream.peek(&mut opening).await.unwrap_or_else(|_| {
                    *broken = true;
                    0
                });
                Opening::from_slice(&opening[..length])
            }
            Self::Tunnel { seen, receive, broken, .. } => {
                if seen.is_none() && !*broken {
                    let piece = poll_fn(|cx| receive.poll_data(cx)).await;
                    *broken = matches!(piece, Some(Err(_)));
                    *seen = piece.and_then(Result::ok);
                }
                seen.iter().flat_map(|seen| seen.iter().take(FRAME_HEAD)).copied().collect()
            }
        }
    }

    fn break_off(self) {
        Pipe::break_off(self);
    }
}
