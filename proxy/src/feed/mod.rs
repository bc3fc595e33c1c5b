//! The only writer of snapshots: from control, or from a file.
//!
//! In: what workers ask, and what control answers. Out: whole snapshots. Never: a half-known destination; one edit in the
//! cluster becomes one new snapshot.

mod authorization;
mod balancing;
mod changes;
mod connections;
mod delta;
mod file;
mod gates;
mod limits;
mod regexes;
mod resources;
mod retries;
mod routes;
mod sessions;
mod stream;
mod translate;
mod whole;

pub use file::{Listener, answer_unknown, load};
pub use stream::{Given, follow};
pub use whole::{own_ports, snapshot};
