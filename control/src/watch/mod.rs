//! Where objects come from. For now: a directory.

mod files;
mod translate;

pub(crate) use files::follow;
