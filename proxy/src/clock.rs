//! The one place that reads the clock, so that every decision elsewhere can be given a time by its test.

use std::time::{Duration, Instant, SystemTime};

/// Now, for measuring. Monotonic; says nothing about the calendar.
#[allow(clippy::disallowed_methods)]
pub fn now() -> Instant {
    Instant::now()
}

/// Now, for comparing with certificates and for printing.
#[allow(clippy::disallowed_methods)]
pub fn wall() -> SystemTime {
    SystemTime::now()
}

/// Seconds since the Unix epoch; zero for a clock set before it.
pub fn unix_seconds(time: SystemTime) -> f64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs_f64()
}
