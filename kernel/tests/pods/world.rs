//! Pods to test in.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream},
    time::Duration,
};

use kernel::{
    link,
    namespace::{self, Kind, Namespace},
    redirect::Rules,
};
use socket2::{Domain, SockRef, Socket, Type};

pub(crate) const OUTBOUND: u16 = 17001;
pub(crate) const INBOUND: u16 = 17002;
/// A port of the app that is reached directly.
pub(crate) const SKIPPED: u16 = 9;
pub(crate) const MARK: u32 = 0x7717;

/// Addresses of no machine: whoever connects to them gets somewhere only by redirection.
pub(crate) const VIRTUAL: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(10, 96, 0, 5)), IpAddr::V6(Ipv6Addr::new(0xfd96, 0, 0, 0, 0, 0, 0, 5))];

pub(crate) fn rules() -> Rules {
    Rules {
        outbound_port: OUTBOUND,
        inbound_port: INBOUND,
        exempt_user: None,
        exempt_mark: Some(MARK),
        skip_inbound: vec![SKIPPED.to_string().parse().unwrap()],
        skip_outbound: Vec::new(),
        skip_subnets: Vec::new(),
    }
}

pub(crate) fn new_network() -> Namespace {
    Namespace::new(Kind::Network).unwrap()
}

pub(crate) fn inside<T: Send>(namespace: &Namespace, work: impl FnOnce() -> T + Send) -> T {
    namespace::within(&[namespace], work).unwrap()
}

/// Does `test` in a pod that has a link to nowhere, so that every address has a route. It has the addresses of number 1.
pub(crate) fn in_pod(test: impl FnOnce() + Send) {
    let (pod, nowhere) = (new_network(), new_network());
    inside(&pod, || {
        link::create_veth("eth0", "eth0", &nowhere).unwrap();
        settle(1);
        link::add_default_route(host(2)).unwrap();
        link::add_default_route(host6(2)).unwrap();
        test();
    });
}

/// Two pods with a link between them; they have the addresses of numbers 1 and 2.
pub(crate) fn two_pods() -> (Namespace, Namespace) {
    let (caller, called) = (new_network(), new_network());
    inside(&caller, || {
        link::create_veth("eth0", "eth0", &called).unwrap();
        settle(1);
    });
    inside(&called, || settle(2));
    (caller, called)
}

/// Switches on what a pod has and gives it addresses.
pub(crate) fn settle(number: u8) {
    link::set_up("lo").unwrap();
    link::add_address("eth0", host(number), 24).unwrap();
    link::add_address("eth0", host6(number), 64).unwrap();
    link::set_up("eth0").unwrap();
}

pub(crate) fn host(number: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 77, 0, number))
}

pub(crate) fn host6(number: u8) -> IpAddr {
    IpAddr::V6(Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, u16::from(number)))
}

/// Listens on every address of the family of `like`.
pub(crate) fn listen(port: u16, like: IpAddr) -> TcpListener {
    let any: IpAddr = if like.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = Socket::new(Domain::for_address((any, port).into()), Type::STREAM, None).unwrap();
    if any.is_ipv6() {
        socket.set_only_v6(true).unwrap();
    }
    socket.set_reuse_address(true).unwrap();
    socket.bind(&SocketAddr::from((any, port)).into()).unwrap();
    socket.listen(16).unwrap();
    socket.into()
}

/// Where the client wanted to go, by the kernel's memory.
pub(crate) fn original(stream: &TcpStream) -> SocketAddr {
    let socket = SockRef::from(stream);
    let original = if stream.local_addr().unwrap().is_ipv4() { socket.original_dst_v4() } else { socket.original_dst_v6() };
    original.unwrap().as_socket().unwrap()
}

/// Whether somebody takes a connection to `to` from a socket that carries `mark`.
pub(crate) fn connects(to: SocketAddr, mark: Option<u32>) -> bool {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, None).unwrap();
    if let Some(mark) = mark {
        socket.set_mark(mark).unwrap();
    }
    socket.connect_timeout(&to.into(), Duration::from_millis(200)).is_ok()
}
