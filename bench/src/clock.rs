//! The present. The one place of this program that reads a clock.

use std::time::{Instant, SystemTime};

/// Now, to measure with.
#[allow(clippy::disallowed_methods)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Now, for certificates and the report.
#[allow(clippy::disallowed_methods)]
pub(crate) fn wall() -> SystemTime {
    SystemTime::now()
}
