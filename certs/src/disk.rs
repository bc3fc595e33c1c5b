//! Files that are there in whole or not at all, and private keys that nobody else may read.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use crate::issue::AuthorityError;

/// Permission bits that let others read a key or put another in its place.
const OTHERS: u32 = 0o077;

/// Whether there is something at `path`. What may not be looked at is an error: to take it for nothing would replace it.
pub(crate) fn exists(path: &Path) -> Result<bool, AuthorityError> {
    path.try_exists().map_err(about(path))
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>, AuthorityError> {
    fs::read(path).map_err(about(path))
}

/// Reads a private key, if it is its owner's alone.
pub(crate) fn read_private(path: &Path) -> Result<Zeroizing<Vec<u8>>, AuthorityError> {
    let mut file = File::open(path).map_err(about(path))?;
    let metadata = file.metadata().map_err(about(path))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & OTHERS != 0 {
        return Err(AuthorityError::KeyIsOpen { path: path.to_owned(), mode });
    }
    // Room for all of it at once: a buffer that grows leaves copies behind that nobody wipes.
    let room = usize::try_from(metadata.len()).unwrap_or(0).saturating_add(1);
    let mut contents = Zeroizing::new(Vec::with_capacity(room));
    file.read_to_end(&mut contents).map_err(about(path))?;
    Ok(contents)
}

/// Writes a file that is either there in whole or not at all, even after a power failure.
pub(crate) fn write(path: &Path, contents: &[u8], mode: u32) -> Result<(), AuthorityError> {
    let written = || -> io::Result<()> {
        let half = path.with_extension("new");
        // What a crash left there may have another mode; a mode is given only to what is made anew.
        match fs::remove_file(&half) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&half)?;
        file.write_all(contents)?;
        file.sync_all()?;
        fs::rename(&half, path)?;
        File::open(folder_of(path))?.sync_all()
    };
    written().map_err(about(path))
}

/// Makes `folder` and those above it, unless they are there.
pub(crate) fn make_folder(folder: &Path) -> Result<(), AuthorityError> {
    fs::create_dir_all(folder).map_err(about(folder))
}

fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn about(path: &Path) -> impl Fn(io::Error) -> AuthorityError {
    move |error| AuthorityError::File { path: path.to_owned(), error }
}
