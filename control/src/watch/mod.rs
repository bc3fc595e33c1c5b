//! Where objects come from. For now: a directory.
//!
//! ```text
//! files      told by the kernel that something changed, waits for the edit to settle
//! folder     which files changed, what they say, what is wrong with them: changes of objects
//! translate  from manifests to the index's nouns
//! ```

mod files;
mod folder;
mod opaque;
mod translate;

pub(crate) use files::watch;
