//! Directories of YAML, read so that every mistake has a file, a line and a hint.

mod document;
pub mod kinds;
mod problem;

pub use document::{Document, Loaded, load_directory};
pub use problem::Problem;
