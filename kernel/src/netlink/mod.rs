//! Netlink: messages out, messages in. Sources: netlink(7), rtnetlink(7), `linux/netfilter/nf_tables.h`.

mod attribute;
mod message;
mod socket;

pub(crate) use attribute::{attributes, find, number_be};
pub(crate) use message::Message;
pub(crate) use socket::{Reply, Socket};

/// Request flags (netlink(7)).
pub(crate) const REQUEST: u16 = 0x001;
pub(crate) const ACK: u16 = 0x004;
pub(crate) const EXCLUSIVE: u16 = 0x200;
pub(crate) const DUMP: u16 = 0x300;
pub(crate) const CREATE: u16 = 0x400;
pub(crate) const APPEND: u16 = 0x800;
