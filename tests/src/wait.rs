//! Waiting for something to come true.

use std::{
    thread,
    time::{Duration, Instant},
};

/// What has not come true by then will not.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Asks until `question` has an answer.
///
/// # Panics
/// After [`PATIENCE`], saying what was waited for.
#[allow(clippy::disallowed_methods)]
pub fn eventually<T>(what: &str, mut question: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = question() {
            return answer;
        }
        assert!(begun.elapsed() < PATIENCE, "waited in vain: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}
