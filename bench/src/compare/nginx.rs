//! What every nginx of ours is told: one process in the foreground, which needs no other user and leaves nothing behind.

use std::{fs, path::Path, process::Command};

use super::place::Place;

/// Directives of the `http` block that send its scratch files where they can be written, and no connection away.
pub(crate) fn http(folder: &Path) -> String {
    let folder = folder.display();
    let scratch = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let scratch: String = scratch.iter().map(|kind| format!("  {kind}_temp_path {folder}/nginx-{kind};\n")).collect();
    format!("{scratch}  access_log off;\n  keepalive_requests 1000000000;\n  keepalive_timeout 1h;\n")
}

/// The command that runs nginx with `modules` loaded, and `body` behind what all have in common.
///
/// # Errors
/// nginx is missing, or its configuration cannot be written.
pub(crate) fn command(name: &str, modules: &[&Path], body: &str, place: &Place) -> anyhow::Result<Command> {
    let config = place.scratch.join(format!("{name}.conf"));
    // Whoever starts it is root in here, and of a user namespace there may be no other.
    let common = "user root;\ndaemon off;\nmaster_process off;\nworker_processes 1;\nevents { worker_connections 16384; }\n";
    let modules: String = modules.iter().map(|module| format!("load_module {};\n", module.display())).collect();
    fs::write(&config, format!("{modules}pid {}.pid;\n{common}{body}", config.display()))?;
    let mut command = Command::new(place.programs.path("nginx")?);
    command.arg("-e").arg("/dev/stderr").arg("-c").arg(&config);
    Ok(command)
}
