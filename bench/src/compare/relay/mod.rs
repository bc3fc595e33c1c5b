//! `__relay`: the floor. A relay that does nothing but relay: one thread, one buffer, no parsing, no TLS.
//!
//! A sidecar that reads and writes each message once cannot be cheaper than this; one that carries several connections in one can.

mod direction;

use std::{
    collections::VecDeque,
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    os::fd::OwnedFd,
};

use anyhow::Context as _;
use rustix::{
    buffer::spare_capacity,
    event::epoll::{self, CreateFlags, Event, EventData, EventFlags},
    io::Errno,
};
use socket2::{Domain, SockRef, Socket, Type};

use direction::Direction;

/// What one read may bring.
const BUFFER: usize = 64 * 1024;

/// Events taken at once.
const EVENTS: usize = 256;

const BACKLOG: i32 = 4096;

/// Number of the listener. Connections have the double of their pair's place, the far one 1 more.
const LISTENER: u64 = u64::MAX;

/// Where it listens and where it dials.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The port that connections are redirected to
    #[arg(long)]
    listen: u16,
    /// The address to dial, at the port the connection was going to
    #[arg(long)]
    next: Ipv4Addr,
}

/// Relays until it is killed.
///
/// # Errors
/// It cannot listen, or the kernel refuses what never should fail.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let mut relay = Relay::open(arguments).context("cannot listen")?;
    loop {
        relay.turn()?;
    }
}

struct Relay {
    epoll: OwnedFd,
    listener: TcpListener,
    next: Ipv4Addr,
    pairs: Vec<Option<Pair>>,
    /// Places in `pairs` that are empty. The one that was emptied first is filled first, so that late events meet nobody.
    free: VecDeque<usize>,
    buffer: Vec<u8>,
    events: Vec<Event>,
}

/// Two connections that are one.
struct Pair {
    near: TcpStream,
    far: TcpStream,
    there: Direction,
    back: Direction,
}

impl Relay {
    fn open(arguments: &Arguments) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, arguments.listen)).into())?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        let listener = TcpListener::from(socket);
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
        Ok(Self {
            epoll,
            listener,
            next: arguments.next,
            pairs: Vec::new(),
            free: VecDeque::new(),
            buffer: vec![0; BUFFER],
            events: Vec::with_capacity(EVENTS),
        })
    }

    fn turn(&mut self) -> io::Result<()> {
        match epoll::wait(&self.epoll, spare_capacity(&mut self.events), None) {
            Err(Errno::INTR) => return Ok(()),
            other => other?,
        };
        let mut events = std::mem::take(&mut self.events);
        for event in events.drain(..) {
            match event.data.u64() {
                LISTENER => self.accept(),
                number => self.carry(number, event.flags),
            }
        }
        self.events = events;
        Ok(())
    }

    fn accept(&mut self) {
        while let Ok((near, _)) = self.listener.accept() {
            // Who cannot be served is hung up on; the load counts it as an error.
            let _ = self.begin(near);
        }
    }

    fn begin(&mut self, near: TcpStream) -> io::Result<()> {
        let original = SockRef::from(&near).original_dst_v4()?.as_socket();
        let original = original.ok_or(io::ErrorKind::AddrNotAvailable)?;
        let far = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        far.set_nonblocking(true)?;
        near.set_nonblocking(true)?;
        near.set_nodelay(true)?;
        far.set_tcp_nodelay(true)?;
        match far.connect(&SocketAddr::from((self.next, original.port())).into()) {
            Err(error) if error.raw_os_error() != Some(Errno::INPROGRESS.raw_os_error()) => return Err(error),
            _ => {}
        }
        let place = self.free.pop_front().unwrap_or_else(|| {
            self.pairs.push(None);
            self.pairs.len() - 1
        });
        let pair = Pair { near, far: far.into(), there: Direction::default(), back: Direction::default() };
        let number = u64::try_from(place).map_err(io::Error::other)? * 2;
        let flags = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
        for (stream, number) in [(&pair.near, number), (&pair.far, number + 1)] {
            epoll::add(&self.epoll, stream, EventData::new_u64(number), flags)?;
        }
        self.pairs[place] = Some(pair);
        Ok(())
    }

    /// Moves what can be moved after `happened` to the connection with this number.
    fn carry(&mut self, number: u64, happened: EventFlags) {
        let place = usize::try_from(number / 2).unwrap_or(usize::MAX);
        let Some(pair) = self.pairs.get_mut(place).and_then(Option::as_mut) else { return };
        let Pair { near, far, there, back } = pair;
        let (from, to, onward, toward) =
            if number.is_multiple_of(2) { (near, far, there, back) } else { (far, near, back, there) };
        let closing = EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR;
        if happened.intersects(EventFlags::IN | closing) {
            onward.carry(from, to, &mut self.buffer, happened.intersects(closing));
        }
        if happened.contains(EventFlags::OUT) && toward.waits() {
            toward.carry(to, from, &mut self.buffer, true);
        }
        if pair.there.is_over() && pair.back.is_over() {
            self.pairs[place] = None;
            self.free.push_back(place);
        }
    }
}
