//! What an operator may set: strings in (`env`), types out. Nothing else reads the environment.

mod env;
mod limits;
mod settings;

pub use env::read;
pub use limits::{Limits, keepalive};
pub use settings::{Control, Forwarded, HostPort, Me, Ports, Settings};
