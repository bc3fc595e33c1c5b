//! The rules that send a pod's connections through its proxy.
//!
//! `rules` decides, purely, what they are; `expression` speaks nf_tables; `table` installs, reads back and removes them;
//! `print` writes them for people, and for kernels without nf_tables as `iptables-restore` input.
//!
//! Only TCP is redirected, so DNS over UDP is never touched.

mod expression;
mod print;
mod rules;
mod table;

pub use rules::{PortRange, RangeError, Rules, Subnet, SubnetError};
pub use table::{Change, RedirectError, install, remove, verify};
