//! What tests of the whole mesh need: a mesh to talk to, and patience.
//!
//! Each test brings up a mesh of its own with `weft up`, in namespaces of its own, so tests share nothing but the machine. They
//! run as root and as an ordinary user alike.

mod mesh;
mod wait;

pub use mesh::{Mesh, Running, python, script};
pub use wait::{PATIENCE, eventually};
