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

mod admin;
mod clock;
mod index;
pub mod manifest;
mod metrics;
mod plan;
mod serve;
mod start;
mod state;
mod watch;

pub use start::run;
