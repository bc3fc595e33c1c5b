//! What the mesh asks of Linux, by system calls and netlink alone: a fresh machine may have no `ip`, no `nft` and no
//! `mount`.
//!
//! | room | what for |
//! |---|---|
//! | `namespace` | network, mount, process and user namespaces: making, entering, working inside |
//! | `mount` | files and file systems that only one namespace sees |
//! | `link` | bridges, veth pairs, addresses, routes (rtnetlink) |
//! | `redirect` | the rules that send a pod's connections through its proxy (nftables) |
//! | `memory` | memory that is given back (feature `memory`) |
//! | `netlink` | messages and sockets under both |
//! | `sys` | the only place in the project that is `unsafe` |
//!
//! Everything is synchronous. Calls act on the namespaces of the thread that makes them; [`namespace::within`] provides a
//! thread inside others.

pub mod link;
#[cfg(feature = "memory")]
pub mod memory;
pub mod mount;
pub mod namespace;
mod netlink;
pub mod redirect;
mod sys;
