//! What all pairs of a run share.

use std::{path::PathBuf, process::Command};

use super::{identities::Identities, programs::Programs};

/// Where things are.
#[derive(Debug)]
pub(crate) struct Place {
    /// Configurations, keys, logs; gone after the run.
    pub(crate) scratch: PathBuf,
    pub(crate) programs: Programs,
    pub(crate) identities: Identities,
    /// This very program.
    pub(crate) own_program: PathBuf,
}

impl Place {
    /// This program again, for a verb of its own.
    pub(crate) fn ourselves(&self) -> Command {
        Command::new(&self.own_program)
    }
}
