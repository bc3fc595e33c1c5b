//! What tests of the whole mesh need: a mesh to talk to, and patience.
//!
//! Each test brings up a mesh of its own with `weft up`, in namespaces of its own, so tests share nothing but the machine. They
//! run as root and as an ordinary user alike.

mod cluster;
mod echo;
mod installed;
mod manifest;
mod mesh;
mod node;
mod pods;
mod wait;
mod worlds;

pub use cluster::{Cluster, Control, free_port, get, helm, secret_file};
pub use echo::{ECHO_FILE, echo, echo_as};
pub use installed::{INSTALL_FLAGS, client, install, namespace, printed, ready, settled};
pub use manifest::{App, manifests, service};
pub use mesh::{Mesh, Running, go_program, program, python, script};
pub use node::{APPS_IMAGE, WEFT_IMAGE, node_of, with_node};
pub use pods::Process;
pub use wait::{PATIENCE, eventually};
pub use worlds::{WORLDS, World, both, outside, ways};
