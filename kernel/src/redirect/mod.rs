//! The rules that send a pod's connections through its proxy.
//!
//! | file | what |
//! |---|---|
//! | `scope` | ranges of ports, subnets |
//! | `rules` | which connections are redirected where, as rules in chains: pure |
//! | `compile` | a rule as nf_tables expressions: pure |
//! | `expression` | one expression, to the kernel and back |
//! | `print` | the rules for people, and for kernels without nf_tables as `iptables-restore` input: pure |
//! | `table` | installs and removes them |
//! | `force` | reads back what is in force |
//! | `difference` | compares that with what should be: pure |
//! | `error` | what to do when the kernel refuses |
//! | `protocol` | how nf_tables calls things |
//!
//! Only TCP is redirected, so DNS over UDP is never touched. Everything lives in tables named `weft`, and nothing outside of
//! them is ever read closely or changed.

mod compile;
mod difference;
mod error;
mod expression;
mod force;
mod print;
mod protocol;
mod rules;
mod scope;
mod table;

pub use difference::Difference;
pub use error::RedirectError;
pub use rules::{Layout, Rules};
pub use scope::{PortRange, RangeError, Subnet, SubnetError};
pub use table::{Change, install, install_as, remove, verify};
