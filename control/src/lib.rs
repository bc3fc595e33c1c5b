//! The control component.
//!
//! ```text
//! watch ─▶ index ─▶ plan ─▶ serve
//! sources   memory   pure    xDS and certificates
//! ```
//!
//! `watch` hears of objects and tells `index`; `plan` turns what is in the index into resources, deterministically; `serve`
//! hands them to whoever subscribed. `watch` and `serve` meet only through `state`. `manifest` reads YAML with positions, for
//! `watch` and for those who write manifests. `index` and `plan` know no file, no socket and no Kubernetes client.
//! `admit` adds sidecars to pods as they are created; `cluster` is what else control does in a cluster besides following it; `check`
//! looks at a cluster for `weft check`, and `install` puts the mesh into one and takes it out again. `verdicts` is what is told about
//! routes and policies. `measured` opens the pure rooms
//! to whoever holds them against another opinion.
//!
//! One edit is one small message: a change says which subjects it touched (a service, an address, a pod), every resource's
//! name leads to the one subject it is made of, and a stream looks again only at what it follows of those. What then has
//! another version is sent. Versions are hashes of content, so a restart or another replica has nothing new to say.

mod admin;
mod admit;
pub mod check;
mod clock;
mod cluster;
mod index;
pub mod install;
pub mod manifest;
#[doc(hidden)]
pub mod measured;
mod metrics;
mod plan;
mod serve;
mod settings;
mod start;
mod state;
pub mod verdicts;
mod watch;

pub use start::run;
pub use watch::mistakes;
