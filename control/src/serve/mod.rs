//! Handing out what was planned, and certificates, to those who proved who they are.

mod certificates;
mod delta;
mod door;
mod identity;
mod world;
mod xds;

pub(crate) use certificates::Certificates;
pub(crate) use door::{Door, Peer};
pub(crate) use identity::Issuing;
pub(crate) use xds::Discovery;
