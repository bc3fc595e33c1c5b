//! `weft inject` and `weft uninject`: manifests in, manifests out.

use std::{
    fs,
    io::{self, Read as _, Write as _},
    path::Path,
    process::ExitCode,
};

use inject::{ManifestError, Settings, inject_manifest, uninject_manifest};

use crate::args::{InjectArgs, ManifestArgs};

/// What is given cannot be used.
const MISTAKE: u8 = 2;

pub(crate) fn inject(args: InjectArgs) -> ExitCode {
    let InjectArgs { manifest, image, control_namespace, trust_domain } = args;
    let defaults = Settings::default();
    let image = image.unwrap_or(defaults.image);
    let control = format!("weft-control.{control_namespace}.svc");
    let settings = Settings { image, control, trust_domain, ..Settings::default() };
    rewrite(&manifest.filename, |yaml| inject_manifest(yaml, &settings))
}

pub(crate) fn uninject(args: &ManifestArgs) -> ExitCode {
    rewrite(&args.filename, uninject_manifest)
}

fn rewrite(file: &Path, change: impl FnOnce(&str) -> Result<String, Vec<ManifestError>>) -> ExitCode {
    let name = file.display();
    let yaml = match read(file) {
        Ok(yaml) => yaml,
        Err(error) => {
            eprintln!("weft: {name} cannot be read: {error}");
            return ExitCode::from(MISTAKE);
        }
    };
    match change(&yaml) {
        // Who reads it may have gone: there is nobody to be told.
        Ok(written) => drop(io::stdout().write_all(written.as_bytes())),
        Err(wrong) => {
            wrong.iter().for_each(|wrong| eprintln!("weft: {name}, {wrong}"));
            return ExitCode::from(MISTAKE);
        }
    }
    ExitCode::SUCCESS
}

fn read(file: &Path) -> io::Result<String> {
    if file == Path::new("-") {
        let mut yaml = String::new();
        io::stdin().read_to_string(&mut yaml)?;
        return Ok(yaml);
    }
    fs::read_to_string(file)
}
