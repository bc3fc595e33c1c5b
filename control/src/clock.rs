//! The one place that reads the clock.

use std::time::SystemTime;

/// Now, for certificates.
#[allow(clippy::disallowed_methods)]
pub(crate) fn wall() -> SystemTime {
    SystemTime::now()
}
