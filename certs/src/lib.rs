//! Identity of the mesh: SPIFFE names, and the certificates that prove them.
//!
//! ```text
//! request ──CSR──▶ issue ──chain──▶ request ──▶ store ──▶ TLS configurations
//!   makes the key    control only     checks what came back    `tls`, verified by `verify`
//! ```
//!
//! A private key is made in `request`, wiped by `key`, lives in `store`, and leaves it only inside a ready TLS configuration.
//! Nothing here knows the proxy or control, reads a clock, or opens a socket; files are touched in `disk` alone.

pub mod bundle;
#[cfg(feature = "authority")]
mod disk;
#[cfg(feature = "authority")]
pub mod issue;
mod key;
mod known;
pub mod name;
pub mod request;
pub mod schedule;
pub mod store;
pub mod tls;
pub mod verify;
