//! Work that has only so much time, or has to wait for it.

use std::{
    pin::Pin,
    time::{Duration, Instant},
};

use tokio::time::{Sleep, Timeout, sleep, timeout, timeout_at};

/// Does `work` for no longer than `limit`. In a box: few have a limit, and the others must not hold the room for one.
pub fn within<F: Future>(limit: Duration, work: F) -> Pin<Box<Timeout<F>>> {
    Box::pin(timeout(limit, work))
}

/// Does `work` up to a moment, in a box for the same reason. Of two that end at the same
/// moment, one a part of the other's work, the part is told first.
pub fn by<F: Future>(moment: Instant, work: F) -> Pin<Box<Timeout<F>>> {
    Box::pin(timeout_at(moment.into(), work))
}

/// Waits for `time`. In a box, too.
pub fn pause(time: Duration) -> Pin<Box<Sleep>> {
    Box::pin(sleep(time))
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn work_ends_with_its_time_and_not_before() {
        let second = Duration::from_secs(1);
        assert_eq!(within(second, ready(1)).await, Ok(1));
        assert_eq!(within(second, sleep(second / 2)).await, Ok(()));
        assert!(within(second, pending::<()>()).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn of_two_that_end_together_the_inner_is_told_first() {
        let second = Duration::from_secs(1);
        let soon = || tokio::time::Instant::now().into_std() + second;
        assert_eq!(by(soon(), ready(1)).await, Ok(1));
        assert_eq!(by(soon(), sleep(second / 2)).await, Ok(()));
        assert!(by(soon(), pending::<()>()).await.is_err());
        let moment = soon();
        assert!(by(moment, by(moment, pending::<()>())).await.expect("the part is told first").is_err());
    }
}
