//! One end of an opaque connection: a TCP stream, or a tunnel through the mesh.

use std::future::poll_fn;

use bytes::{Bytes, BytesMut};
use h2::{RecvStream, SendStream};
use tokio::net::TcpStream;

use super::dials::Dial;
use crate::detect::{FRAME_HEAD, MaySpeakFirst, Opening, Peeked};

/// One end of an opaque connection.
pub enum Pipe {
    /// A TCP connection.
    Tcp {
        /// What was already read of it.
        seen: Bytes,
        /// The rest.
        stream: TcpStream,
        /// Our own dial, when we dialled it: remembered for as long as this lives.
        _dial: Option<Dial>,
    },
    /// A CONNECT stream of a mesh connection.
    Tunnel {
        /// What was already read of it. Its flow control is not released yet.
        seen: Option<Bytes>,
        /// What comes.
        receive: RecvStream,
        /// What goes.
        send: SendStream<Bytes>,
    },
}

impl Pipe {
    /// A connection we dialled.
    pub fn server(stream: TcpStream, dial: Dial) -> Self {
        Self::Tcp { seen: Bytes::new(), stream, _dial: Some(dial) }
    }

    /// A connection of a client, of which `seen` was read already.
    pub fn client(stream: TcpStream, seen: Bytes) -> Self {
        Self::Tcp { seen, stream, _dial: None }
    }

    /// A connection we dialled that has switched to another protocol.
    pub fn switched(stream: TcpStream, seen: Bytes, dial: Dial) -> Self {
        Self::Tcp { seen, stream, _dial: Some(dial) }
    }

    /// A tunnel.
    pub fn tunnel(receive: RecvStream, send: SendStream<Bytes>) -> Self {
        Self::Tunnel { seen: None, receive, send }
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
            Self::Tcp { stream, .. } => {
                let mut opening = [0; FRAME_HEAD];
                // An error is an opening of nothing; whoever relays will meet it again.
                let length = stream.peek(&mut opening).await.unwrap_or(0);
                Opening::from_slice(&opening[..length])
            }
            Self::Tunnel { seen, receive, .. } => {
                if seen.is_none() {
                    *seen = poll_fn(|cx| receive.poll_data(cx)).await.and_then(Result::ok);
                }
                seen.iter().flat_map(|seen| seen.iter().take(FRAME_HEAD)).copied().collect()
            }
        }
    }
}
