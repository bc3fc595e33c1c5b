//! Directories of YAML, read so that every mistake has a file, a line and a hint.
//!
//! ```text
//! directory ─▶ document ─▶ kinds          what is there: files, the documents in them, the objects those are
//!                 └─▶ mistakes ─▶ place   what is wrong with one, all of it, and where
//! ```

pub mod authorization;
mod directory;
mod document;
pub mod kinds;
mod mistakes;
mod place;
pub mod policies;
mod problem;
pub mod routes;
pub mod traffic;

pub use directory::{Loaded, load_directory};
pub(crate) use directory::{defined_already, files, load_file};
pub use document::Document;
pub use problem::Problem;
