//! nginx as an app that speaks HTTP/1.1.

use std::process::Command;

use super::{
    super::{nginx, place::Place},
    APP, write_bodies,
};

pub(super) fn command(place: &Place) -> anyhow::Result<Command> {
    let root = place.scratch.join("bodies");
    write_bodies(&root)?;
    let text = format!(
        "http {{
{common}  sendfile on;
  tcp_nopush on;
  open_file_cache max=16;
  server {{
    listen {APP} backlog=4096;
    root {root};
  }}
}}
",
        common = nginx::http(&place.scratch),
        root = root.display(),
    );
    nginx::command("app-nginx", &[], &text, place)
}
