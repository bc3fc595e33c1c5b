//! What an operator may set: strings in (`env`), types out. Nothing else reads the environment.

mod env;
mod settings;

pub use env::read;
pub use settings::{Control, Forwarded, HostPort, Me, Ports, Settings};
