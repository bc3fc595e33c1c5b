//! Netlink: messages out, answers in. Sources: netlink(7), rtnetlink(7), `linux/netfilter/nf_tables.h`.
//!
//! | file | what |
//! |---|---|
//! | `message` | writing one message |
//! | `attribute` | reading the attributes of an answer |
//! | `answer` | reading what came back: pure, and believing no length it is told |
//! | `socket` | sending, receiving |

mod answer;
mod attribute;
mod message;
mod socket;

pub(crate) use answer::{Refusal, Reply};
pub(crate) use attribute::{attributes, find, number_be, text};
pub(crate) use message::Message;
pub(crate) use socket::Socket;

/// Request flags (netlink(7)).
pub(crate) const REQUEST: u16 = 0x001;
pub(crate) const ACK: u16 = 0x004;
pub(crate) const EXCLUSIVE: u16 = 0x200;
pub(crate) const DUMP: u16 = 0x300;
pub(crate) const CREATE: u16 = 0x400;
pub(crate) const APPEND: u16 = 0x800;
