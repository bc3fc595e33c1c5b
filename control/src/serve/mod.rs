//! Handing out what was planned, and certificates, to those who proved who they are.
//!
//! ```text
//! door ─▶ xds ─▶ conversation: delta, world     discovery; roster remembers who follows
//!     └─▶ certificates ─▶ tokens, reviews       issuing
//! identity                                      our own certificate, shown at both doors
//! ```

mod certificates;
mod conversation;
mod delta;
mod door;
mod identity;
mod leaving;
mod reviews;
mod roster;
mod tokens;
mod world;
mod xds;

pub(crate) use certificates::{Certificates, LIFE_MIN, Reason as CertificateReason, Tellers};
pub(crate) use door::{Door, Failure, Peer};
pub(crate) use identity::{Held, Issuing};
pub(crate) use leaving::{Leave, Leaving};
pub(crate) use roster::{Client, Roster};
pub(crate) use xds::{Discovery, Reason as StreamReason};
