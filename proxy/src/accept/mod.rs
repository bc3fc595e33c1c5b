//! Taking connections and learning where they were going.
//!
//! In: a listening socket. Out: [`Accepted`], one task each. Never: a look at the bytes.

mod original;

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    rc::Rc,
    time::Duration,
};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};

use crate::{
    config::keepalive,
    events::{Direction, Event},
    family::Family,
    refusal::{Reason, Refusal},
    world::World,
};

/// Connections the kernel may hold for us before they are accepted.
const BACKLOG: i32 = 4096;

/// How long to leave the kernel alone when it has no file descriptor for us.
const BREATH: Duration = Duration::from_millis(20);

/// A connection of somebody who wanted to reach `destination`.
#[derive(Debug)]
pub struct Accepted {
    /// The connection.
    pub stream: TcpStream,
    /// Who connected.
    pub client: SocketAddr,
    /// Where to, before the connection was redirected to us.
    pub destination: SocketAddr,
}

/// A socket that takes connections for one direction.
#[derive(Debug)]
pub struct Door {
    /// Which way its connections go.
    pub direction: Direction,
    socket: TcpListener,
    /// Where all of them go; `None` when the kernel knows.
    destination: Option<SocketAddr>,
}

impl Door {
    /// Opens the door for redirected connections: `port` on every address of one family. Workers may each open the same
    /// one; the kernel spreads connections over them. It gives a client up that has not answered for `silence_max`.
    ///
    /// # Errors
    /// The port is taken by another program, or the family is not there.
    pub fn redirected(direction: Direction, port: u16, family: Family, silence_max: Duration) -> io::Result<Self> {
        let any = match family {
            Family::V4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            Family::V6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        let socket = listen(SocketAddr::new(any, port), silence_max)?;
        Ok(Self { direction, socket, destination: None })
    }

    /// Opens a door at `address` whose connections all go to `destination`.
    ///
    /// # Errors
    /// The address is taken or not ours.
    pub fn fixed(direction: Direction, address: SocketAddr, destination: SocketAddr, silence_max: Duration) -> io::Result<Self> {
        Ok(Self { direction, socket: listen(address, silence_max)?, destination: Some(destination) })
    }
}

fn listen(address: SocketAddr, silence_max: Duration) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    // Connections have from their listener what need not be asked of the kernel for each.
    socket.set_tcp_nodelay(true)?;
    // A client that vanished without a word must not hold its connection, and its server, for ever.
    socket.set_tcp_keepalive(&keepalive(silence_max))?;
    socket.set_tcp_user_timeout(Some(silence_max))?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Takes connections for ever, each walked in a task of its own.
pub async fn serve<W, F>(door: Door, world: Rc<World>, walk: W)
where
    W: Fn(Accepted) -> F + Clone + 'static,
    F: Future<Output = Result<(), Refusal>> + 'static,
{
    loop {
        let (stream, client) = match door.socket.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(direction = door.direction.word(), %error, "cannot take a connection");
                tokio::time::sleep(BREATH).await;
                continue;
            }
        };
        let direction = door.direction;
        match admit(stream, client, &door, &world) {
            Ok(accepted) => {
                let guest = world.occupancy.enter();
                world.tide.stir();
                let (walk, world) = (walk.clone(), world.clone());
                tokio::task::spawn_local(async move {
                    if let Err(refusal) = walk(accepted).await {
                        report(direction, &refusal, &world);
                    }
                    drop(guest);
                    world.tide.stir();
                });
            }
            Err(refusal) => report(direction, &refusal, &world),
        }
    }
}

fn admit(stream: TcpStream, client: SocketAddr, door: &Door, world: &World) -> Result<Accepted, Refusal> {
    let most = world.settings.connections_max;
    if world.occupancy.count() >= most {
        return Err(Refusal::new(Reason::TooManyConnections, format!("{most} connections are open on this worker")));
    }
    let gone = |error: io::Error| Refusal::new(Reason::ClientAborted, format!("the client left at once: {error}"));
    // Where it was dialled to, and where it goes: the same only where it was redirected. Two connections may come from one port,
    // if they were dialled to different places.
    let (dialled, destination) = match door.destination {
        Some(destination) => (stream.local_addr().map_err(gone)?, destination),
        None => original::destination(&stream).map(|original| (original, original))?,
    };
    if world.dials.contains(client, dialled) {
        let detail = format!(
            "our own connection to {dialled} came back to us: the redirect rules do not exempt this proxy (see `weft-proxy init`)"
        );
        return Err(Refusal::new(Reason::RedirectLoop, detail));
    }
    Ok(Accepted { stream, client, destination })
}

fn report(direction: Direction, refusal: &Refusal, world: &World) {
    tracing::debug!(direction = direction.word(), room = refusal.reason.room().word(), %refusal, "connection refused");
    world.recorder.on(Event::Refused { direction, refusal });
}
