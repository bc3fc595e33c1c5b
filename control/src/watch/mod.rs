//! Where objects come from: a directory, or a cluster's API server.
//!
//! ```text
//! cluster    the API server's watches, and what they have not mentioned any more
//! files      told by the kernel that something changed, waits for the edit to settle
//! folder     which files changed, what they say, what is wrong with them: changes of objects
//! translate  from manifests to the index's nouns
//! authorization, policies, routes, traffic   what both sources read alike, and the mistakes in it
//! ```

mod authorization;
mod cluster;
mod files;
mod folder;
mod mistake;
mod opaque;
mod policies;
mod routes;
mod traffic;
mod translate;

use tokio::sync::oneshot;

pub(crate) use authorization::policy as authorization_policy;
pub(crate) use cluster::watch as cluster;
pub(crate) use files::watch as folder;
pub(crate) use routes::{grant, grpc_route, http_route};
pub use translate::mistakes;
pub(crate) use translate::read;

/// Ends when the source is not followed any more, which only a defect of ours can bring about.
pub(crate) type Watched = oneshot::Receiver<()>;
