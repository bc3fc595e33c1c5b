//! Calls and the apps that answer them, both as predictable as can be: every exchange is the same bytes, in as few writes as
//! possible, and nothing is sent before the last answer has arrived. So how many bytes one read of a proxy finds, which
//! decides how much it works, depends little on who is faster.

mod bytes;
mod http1;
mod http2;

use std::{
    io,
    net::{SocketAddr, TcpListener, TcpStream},
    time::Duration,
};

/// A proxy under callgrind is some fifty times slower than it is, and other programs may be running; what takes longer than
/// this hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// A shape of traffic.
#[derive(Clone, Copy, Debug)]
pub enum Traffic {
    /// HTTP/1.1: a request on each of `connections` at once; bodies of so many bytes.
    Http1 { connections: usize, request: usize, answer: usize },
    /// HTTP/2 on one connection: `streams` requests at once; bodies of so many bytes.
    Http2 { streams: usize, answer: usize },
    /// Unary calls of the shape gRPC gives them, one at a time: messages of so many bytes, and trailers.
    Grpc { message: usize },
    /// So many bytes to and fro on one opaque connection.
    PingPong { bytes: usize },
    /// The same on an opaque connection of its own each time.
    Connections { bytes: usize },
    /// So many bytes at once, from the app to its client, on one opaque connection.
    Bulk { bytes: usize },
}

/// The client's side of a traffic, connected.
pub trait Load {
    /// Makes one exchange, to its end.
    ///
    /// # Errors
    /// What went wrong: a socket's error, or an answer that is not the expected one.
    fn exchange(&mut self) -> anyhow::Result<()>;
}

impl Traffic {
    /// Answers this traffic at `listener` until the process ends, on threads of its own.
    pub fn serve(self, listener: TcpListener) {
        match self {
            Self::Http1 { answer, .. } => each_connection(listener, move |stream| http1::answer(stream, answer)),
            Self::Http2 { streams, answer } => {
                each_connection(listener, move |stream| http2::answer(stream, http2::Shape { streams, request: None, answer }))
            }
            Self::Grpc { message } => each_connection(listener, move |stream| http2::answer(stream, http2::Shape::grpc(message))),
            Self::PingPong { bytes } | Self::Connections { bytes } => {
                each_connection(listener, move |stream| bytes::echo(stream, bytes));
            }
            Self::Bulk { bytes } => each_connection(listener, move |stream| bytes::pour(stream, bytes)),
        }
    }

    /// The client's side, towards the proxy at `address`.
    ///
    /// # Errors
    /// Nobody listens there.
    pub fn connect(self, address: SocketAddr) -> anyhow::Result<Box<dyn Load>> {
        Ok(match self {
            Self::Http1 { connections, request, answer } => {
                Box::new(http1::Client::connect(address, connections, request, answer)?)
            }
            Self::Http2 { streams, answer } => {
                Box::new(http2::Client::connect(address, http2::Shape { streams, request: None, answer })?)
            }
            Self::Grpc { message } => Box::new(http2::Client::connect(address, http2::Shape::grpc(message))?),
            Self::PingPong { bytes } => Box::new(bytes::PingPong::connect(address, bytes)?),
            Self::Connections { bytes } => Box::new(bytes::Connections { address, bytes }),
            Self::Bulk { bytes } => Box::new(bytes::Bulk::connect(address, bytes)?),
        })
    }
}

/// A connection that fails instead of hanging.
fn dial(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Has `serve` answer each connection on a thread of its own. An error ends that connection, and its client tells of it.
fn each_connection<F>(listener: TcpListener, serve: F)
where
    F: Fn(TcpStream) -> io::Result<()> + Clone + Send + 'static,
{
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let serve = serve.clone();
            std::thread::spawn(move || stream.set_nodelay(true).and_then(|()| serve(stream)));
        }
    });
}
