//! Waiting for what a cluster does in its own time.

use std::{thread, time::Duration};

use anyhow::ensure;

use crate::clock;

/// What has not happened by then will not.
const PATIENCE: Duration = Duration::from_secs(120);

/// Asks until `question` has an answer, with pauses so long.
///
/// # Errors
/// That of the question, or there was no answer in time.
pub(super) fn until<T>(
    what: &str,
    pause: Duration,
    mut question: impl FnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let begun = clock::now();
    loop {
        if let Some(answer) = question()? {
            return Ok(answer);
        }
        ensure!(begun.elapsed() < PATIENCE, "after {PATIENCE:?} it is not true that {what}");
        thread::sleep(pause);
    }
}
