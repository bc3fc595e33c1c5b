//! The floor: see `relay`.

use std::process::Command;

use super::{Place, Post};

pub(super) fn command(post: &Post, place: &Place) -> Command {
    let mut command = place.ourselves();
    // The port is the one that the connection was going to.
    let (next, _) = post.dials();
    command.args(["__relay", "--listen", &post.listens().to_string(), "--next", &next.to_string()]);
    command
}
