//! Links, addresses and routes of the calling thread's network namespace. All of it needs CAP_NET_ADMIN there.

use std::{io, net::IpAddr, os::fd::AsRawFd};

use rustix::net::{AddressFamily, SocketType, netdevice, socket};

use crate::{
    namespace::Namespace,
    netlink::{ACK, CREATE, EXCLUSIVE, Message, REQUEST, Socket},
};

/// Message types of rtnetlink(7).
const NEW_LINK: u16 = 16;
const DELETE_LINK: u16 = 17;
const NEW_ADDRESS: u16 = 20;
const NEW_ROUTE: u16 = 24;

/// A bridge without an address of its own takes the lowest of its ports', which changes as those come and go. Neighbours
/// would go on sending to the old one. This one is ours: locally administered, and "weft" in it.
const BRIDGE_HARDWARE: [u8; 6] = [0x02, 0x77, 0x65, 0x66, 0x74, 0x00];

/// Link attributes.
const HARDWARE: u16 = 1;
const NAME: u16 = 3;
const MASTER: u16 = 10;
const INFO: u16 = 18;
const INFO_KIND: u16 = 1;
const INFO_DATA: u16 = 2;
const NAMESPACE: u16 = 28;
const VETH_PEER: u16 = 1;
const UP: u32 = 1;

/// Address attributes.
const ADDRESS: u16 = 1;
const LOCAL: u16 = 2;
const ADDRESS_FLAGS: u16 = 8;
/// The address is used at once, without asking the link whether somebody has it.
const NO_DUPLICATE_CHECK: u32 = 2;

/// Route attributes and values.
const GATEWAY: u16 = 5;
const TABLE_MAIN: u8 = 254;
const PROTOCOL_STATIC: u8 = 4;
const SCOPE_UNIVERSE: u8 = 0;
const UNICAST: u8 = 1;

/// Makes a bridge, whose hardware address stays the same whatever is connected to it.
///
/// # Errors
/// The name is taken, or the kernel has no bridges.
pub fn create_bridge(name: &str) -> io::Result<()> {
    let mut message = Message::new(NEW_LINK, REQUEST | ACK | CREATE | EXCLUSIVE, &link_header(0, 0, 0));
    message.put_text(NAME, name).put(HARDWARE, &BRIDGE_HARDWARE).nest(INFO, |info| info.put_text(INFO_KIND, "bridge"));
    send(message, || format!("cannot make the bridge {name}"))
}

/// Makes a pair of links: `name` here, `peer` in another network namespace.
///
/// # Errors
/// A name is taken, or the kernel has no veth links.
pub fn create_veth(name: &str, peer: &str, namespace: &Namespace) -> io::Result<()> {
    let mut message = Message::new(NEW_LINK, REQUEST | ACK | CREATE | EXCLUSIVE, &link_header(0, 0, 0));
    let fd = u32::try_from(namespace.fd().as_raw_fd()).map_err(io::Error::other)?;
    message.put_text(NAME, name).nest(INFO, |info| {
        info.put_text(INFO_KIND, "veth").nest(INFO_DATA, |data| {
            data.nest(VETH_PEER, |other| other.raw(&link_header(0, 0, 0)).put_text(NAME, peer).put_u32(NAMESPACE, fd))
        })
    });
    send(message, || format!("cannot make the links {name} and {peer}"))
}

/// Switches a link on.
///
/// # Errors
/// There is no such link.
pub fn set_up(name: &str) -> io::Result<()> {
    let message = Message::new(NEW_LINK, REQUEST | ACK, &link_header(index(name)?, UP, UP));
    send(message, || format!("cannot switch {name} on"))
}

/// Connects a link to a bridge.
///
/// # Errors
/// One of them does not exist.
pub fn set_master(name: &str, bridge: &str) -> io::Result<()> {
    let mut message = Message::new(NEW_LINK, REQUEST | ACK, &link_header(index(name)?, 0, 0));
    message.put_u32(MASTER, index(bridge)?);
    send(message, || format!("cannot connect {name} to {bridge}"))
}

/// Removes a link; its peer, if it is one of a pair, goes with it.
///
/// # Errors
/// There is no such link.
pub fn delete(name: &str) -> io::Result<()> {
    let message = Message::new(DELETE_LINK, REQUEST | ACK, &link_header(index(name)?, 0, 0));
    send(message, || format!("cannot remove {name}"))
}

/// Gives a link an address with a prefix of `prefix` bits. IPv6 addresses are usable at once.
///
/// # Errors
/// There is no such link, or it has that address.
pub fn add_address(name: &str, address: IpAddr, prefix: u8) -> io::Result<()> {
    let mut header = vec![family(address), prefix, 0, SCOPE_UNIVERSE];
    header.extend(index(name)?.to_ne_bytes());
    let mut message = Message::new(NEW_ADDRESS, REQUEST | ACK | CREATE | EXCLUSIVE, &header);
    let octets = octets(address);
    message.put(LOCAL, &octets).put(ADDRESS, &octets);
    if address.is_ipv6() {
        message.put_u32(ADDRESS_FLAGS, NO_DUPLICATE_CHECK);
    }
    send(message, || format!("cannot give {name} the address {address}/{prefix}"))
}

/// Sends everything that no other route takes to `gateway`.
///
/// # Errors
/// There is such a route already, or the gateway is on no link of ours.
pub fn add_default_route(gateway: IpAddr) -> io::Result<()> {
    let mut header = vec![family(gateway), 0, 0, 0, TABLE_MAIN, PROTOCOL_STATIC, SCOPE_UNIVERSE, UNICAST];
    header.extend([0; 4]);
    let mut message = Message::new(NEW_ROUTE, REQUEST | ACK | CREATE | EXCLUSIVE, &header);
    message.put(GATEWAY, &octets(gateway));
    send(message, || format!("cannot route through {gateway}"))
}

/// Whether there is such a link.
pub fn exists(name: &str) -> bool {
    index(name).is_ok()
}

fn send(message: Message, what: impl FnOnce() -> String) -> io::Result<()> {
    let sent = Socket::route().and_then(|socket| socket.exchange(&[message]));
    sent.map(drop).map_err(|refusal| {
        let error = io::Error::from(refusal);
        io::Error::new(error.kind(), format!("{}: {error}", what()))
    })
}

fn index(name: &str) -> io::Result<u32> {
    let any = socket(AddressFamily::INET, SocketType::DGRAM, None)?;
    netdevice::name_to_index(any, name)
        .map_err(|error| io::Error::new(io::Error::from(error).kind(), format!("there is no link {name}: {error}")))
}

/// `struct ifinfomsg`.
fn link_header(index: u32, flags: u32, change: u32) -> Vec<u8> {
    [[0; 4], index.to_ne_bytes(), flags.to_ne_bytes(), change.to_ne_bytes()].concat()
}

fn family(address: IpAddr) -> u8 {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    // Both are small numbers: 2 and 10.
    u8::try_from(family.as_raw()).unwrap_or(0)
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}
