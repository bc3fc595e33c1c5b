//! How long one try may take.

use std::time::{Duration, Instant};

use crate::snapshot::Timeouts;

/// The time of a try. When it is over and no answer has begun, none will.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Allotted {
    /// When it is over.
    pub(super) until: Instant,
    /// The time that the route allows, of which this is the end.
    pub(super) limit: Duration,
    /// Whose it is.
    pub(super) of: Of,
}

/// Whose time it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    /// The try's own: there may be another.
    Try,
    /// The whole request's.
    Request {
        /// Whether so much of it was left when the try began that its endpoint could have answered: at least half.
        ample: bool,
    },
}

impl Allotted {
    /// The time of a try that begins `now`, of a request that must be answered `until` then; `None` where nobody minds.
    pub(super) fn of(timeouts: Timeouts, until: Option<Instant>, now: Instant) -> Option<Self> {
        let own = timeouts.attempt.map(|limit| Self { until: now + limit, limit, of: Of::Try });
        let all = until.zip(timeouts.request).map(|(until, limit)| {
            let ample = until.saturating_duration_since(now) >= limit / 2;
            Self { until, limit, of: Of::Request { ample } }
        });
        match (own, all) {
            (Some(own), Some(all)) if own.until < all.until => Some(own),
            (own, all) => all.or(own),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_try_has_its_own_time_and_what_is_left_of_the_requests() {
        let seconds = Duration::from_secs;
        let began = crate::clock::now();
        let of = |attempt, request, spent| {
            let timeouts = Timeouts { attempt, request, idle: None };
            let allotted = Allotted::of(timeouts, request.map(|limit| began + limit), began + spent);
            allotted.map(|allotted| (allotted.until - began, allotted.limit, allotted.of))
        };
        assert_eq!(of(None, None, seconds(0)), None);
        assert_eq!(of(Some(seconds(2)), None, seconds(9)), Some((seconds(11), seconds(2), Of::Try)));
        for (spent, ample) in [(0, true), (5, true), (6, false)] {
            let expected = (seconds(10), seconds(10), Of::Request { ample });
            assert_eq!(of(None, Some(seconds(10)), seconds(spent)), Some(expected), "{spent}");
        }
        assert_eq!(of(Some(seconds(2)), Some(seconds(10)), seconds(7)), Some((seconds(9), seconds(2), Of::Try)));
        let expected = (seconds(10), seconds(10), Of::Request { ample: false });
        assert_eq!(of(Some(seconds(2)), Some(seconds(10)), seconds(8)), Some(expected));
    }
}
