//! nghttpd as an app that speaks HTTP/2 without TLS.

use std::process::Command;

use super::{super::place::Place, APP, write_bodies};

pub(super) fn command(place: &Place) -> anyhow::Result<Command> {
    let root = place.scratch.join("bodies");
    write_bodies(&root)?;
    let mut command = Command::new(place.programs.path("nghttpd")?);
    command.arg("--no-tls").arg("-d").arg(root).args(["--max-concurrent-streams=1000", &APP.to_string()]);
    Ok(command)
}
