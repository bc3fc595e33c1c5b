//! Dialling an endpoint over TCP.

use std::{io, net::SocketAddr, rc::Rc};

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::TcpStream;

use super::{dials::Dial, multiplex};
use crate::{
    config::{Settings, keepalive},
    refusal::{Reason, Refusal},
    world::World,
};

/// Dials `endpoint`. The socket carries our mark, so that the redirect rules let it pass.
pub(super) async fn dial(endpoint: SocketAddr, world: &World) -> Result<(TcpStream, Dial), Refusal> {
    let patience = world.settings.connect_timeout;
    let failed = |error: io::Error| refuse(endpoint, &error);
    let socket = begin(endpoint, &world.settings).map_err(failed)?;
    let stream = TcpStream::from_std(socket.into()).map_err(failed)?;
    let dial = world.dials.remember(stream.local_addr().map_err(failed)?, endpoint);
    tokio::time::timeout(patience, stream.writable())
        .await
        .map_err(|_| {
            let seconds = patience.as_secs_f32();
            Refusal::new(Reason::ConnectTimeout, format!("{endpoint} did not answer within {seconds} s"))
        })?
        .map_err(failed)?;
    match stream.take_error().map_err(failed)? {
        Some(error) => Err(failed(error)),
        None => Ok((stream, dial)),
    }
}

/// A plaintext HTTP/2 connection to an endpoint without a sidecar.
pub(super) async fn multiplexed(endpoint: SocketAddr, world: Rc<World>) -> Result<multiplex::Opened, Refusal> {
    let (stream, dial) = dial(endpoint, &world).await?;
    Ok(multiplex::open(endpoint, stream, dial, &world.settings.limits))
}

fn begin(endpoint: SocketAddr, settings: &Settings) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(endpoint), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    if let Some(mark) = settings.mark {
        socket.set_mark(mark)?;
    }
    let options = SockRef::from(&socket);
    options.set_tcp_keepalive(&keepalive(settings.silence_max))?;
    options.set_tcp_user_timeout(Some(settings.silence_max))?;
    match socket.connect(&endpoint.into()) {
        Ok(()) => Ok(socket),
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => Ok(socket),
        Err(error) => Err(error),
    }
}

fn refuse(endpoint: SocketAddr, error: &io::Error) -> Refusal {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            Refusal::new(Reason::ConnectRefused, format!("{endpoint} refused the connection: nothing listens there"))
        }
        io::ErrorKind::TimedOut => Refusal::new(Reason::ConnectTimeout, format!("{endpoint} did not answer")),
        _ => Refusal::new(Reason::ConnectFailed, format!("{endpoint} could not be reached: {error}")),
    }
}
