//! Work that has only so much time, or has to wait for it.

use std::{pin::Pin, time::Duration};

use tokio::time::{Sleep, Timeout, sleep, timeout};

/// Does `work` for no longer than `limit`. In a box: few have a limit, and the others must not hold the room for one.
pub fn within<F: Future>(limit: Duration, work: F) -> Pin<Box<Timeout<F>>> {
    Box::pin(timeout(limit, work))
}

/// Waits for `time`. In a box for the same reason.
pub fn pause(time: Duration) -> Pin<Box<Sleep>> {
    Box::pin(sleep(time))
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn work_ends_with_its_time_and_not_before() {
        let limit = Duration::from_secs(1);
        assert_eq!(within(limit, ready(1)).await, Ok(1));
        assert_eq!(within(limit, tokio::time::sleep(limit / 2)).await, Ok(()));
        assert!(within(limit, pending::<()>()).await.is_err());
    }
}
