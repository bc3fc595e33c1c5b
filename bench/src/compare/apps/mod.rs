//! The apps that answer: Debian's nginx and nghttpd, and ours (`__app`) where those cannot.

mod grpc;
mod nghttpd;
mod nginx;
mod opaque;

use std::{fs, io, path::Path, process::Command};

use super::{
    network::{APP, APP_UNDECLARED},
    place::Place,
    traffic::Traffic,
};

pub(crate) use opaque::Ask;

/// Bodies that HTTP apps answer with: path and size in bytes.
pub(crate) const BODIES: [(&str, usize); 3] = [("/0", 0), ("/1k", 1024), ("/64k", 64 * 1024)];

/// Which app of ours, and where.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// What it speaks
    kind: Kind,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Kind {
    Grpc,
    Opaque,
}

/// The command that runs the app for `traffic`.
///
/// # Errors
/// Its files cannot be written.
pub(crate) fn command(traffic: Traffic, place: &Place) -> anyhow::Result<Command> {
    match traffic {
        Traffic::Http1 => nginx::command(place),
        Traffic::Http2 => nghttpd::command(place),
        Traffic::Grpc => Ok(ours("grpc", place)),
        Traffic::Opaque => Ok(ours("opaque", place)),
    }
}

fn ours(kind: &str, place: &Place) -> Command {
    let mut command = place.ourselves();
    command.args(["__app", kind]);
    command
}

/// Runs an app of ours until it is killed.
///
/// # Errors
/// It cannot listen.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match arguments.kind {
        Kind::Grpc => runtime.block_on(grpc::serve(APP)),
        Kind::Opaque => runtime.block_on(opaque::serve(&[APP, APP_UNDECLARED])),
    }
}

/// Writes the bodies as files below `folder`.
fn write_bodies(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    BODIES.iter().try_for_each(|(path, size)| fs::write(folder.join(&path[1..]), vec![b'w'; *size]))
}
