//! Where this workspace is on the machine that builds and runs the benchmark.

use std::path::{Path, PathBuf};

/// The workspace.
pub(crate) fn workspace() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own).to_owned()
}

/// For what can be made again.
pub(crate) fn target() -> PathBuf {
    workspace().join("target")
}
