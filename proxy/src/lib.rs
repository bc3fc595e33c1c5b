//! The sidecar.
//!
//! A connection walks a straight corridor (`corridor`), through rooms that each do one thing and hand a typed result on:
//!
//! ```text
//! accept ─▶ detect ─▶ route ─▶ balance ─▶ connect ─▶ relay
//! Accepted  Detected  Routed   Chosen     a line     the end
//! ```
//!
//! | room | question |
//! |---|---|
//! | `accept` | who connects, and where did he want to go? |
//! | `detect` | what does he speak? mesh TLS that is for us ends here |
//! | `route` | where may this go, and may it go at all? |
//! | `balance` | which endpoint now? |
//! | `connect` | a ready line to it |
//! | `relay` | carry it, count it, close it |
//!
//! `http1` and `http2` are those protocols on the wire, which `connect` and `relay` speak at the two ends of a connection;
//! `copy`, `outbox`, `socket` and `tls` move their bytes. `dice` is chance, and `hashing` is where nothing is left to it;
//! `rate_limit` counts how often is asked, and `budget` bounds what is sent once more.
//! `side` furnishes these rooms for calls to the app and calls of the app. `world` is what every walk shares. `feed` is the
//! only writer of `snapshot`; `identity` keeps our certificate; `tide` gives memory back; `redirected` tells whether
//! the redirect rules are there; `events` hears what happened; `admin`
//! answers operators, and `probe` asks the app what a kubelet would.
//! `agent` is what stands in for a sidecar where an app follows xDS itself; nothing of the corridor is in it.
//! `measured` opens the pure rooms for `proxy/benches`, and to whoever holds what they decide against another opinion.
//! Traffic runs on single-threaded workers (`worker`), everything else on a runtime of its own (`start`).

mod accept;
mod admin;
mod agent;
mod attempts;
mod balance;
mod budget;
mod clock;
mod config;
mod connect;
mod copy;
mod corridor;
mod deadline;
mod detect;
mod dice;
mod drain;
mod events;
mod family;
mod feed;
mod forwarded;
mod hashing;
mod hop;
mod http1;
mod http2;
mod identity;
mod init;
mod line;
#[doc(hidden)]
pub mod measured;
mod meter;
mod outbox;
mod payload;
mod probe;
mod rate_limit;
mod redirected;
mod refusal;
mod relay;
mod route;
mod side;
mod snapshot;
mod socket;
mod start;
mod tide;
mod tls;
mod verdict;
mod worker;
mod world;

pub use agent::{ADDRESS as AGENT_ADDRESS, bootstrap};
pub use start::run;
