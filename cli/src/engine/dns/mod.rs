//! The mesh's DNS: `names` knows what a name means, `server` answers on the wire.

mod names;
mod server;

pub(crate) use names::Names;
pub(crate) use server::{Shared, serve};
