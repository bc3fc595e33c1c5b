//! When to renew. Pure: two times and a jitter in, a time out.

use std::time::{Duration, SystemTime};

/// Renewal begins at the earliest after this part of a certificate's life, in thousandths.
const EARLIEST: u32 = 600;

/// And at the latest after this part.
const LATEST: u32 = 730;

/// When a certificate that is in force since `since` and ends at `not_after` should be renewed: at about two thirds of its life,
/// spread by `jitter` (0 to 1, clamped) so that a mesh that started together does not renew together. What is left of its
/// life is the time control may be away without anybody noticing.
pub fn renew_at(since: SystemTime, not_after: SystemTime, jitter: f64) -> SystemTime {
    let life = not_after.duration_since(since).unwrap_or(Duration::ZERO);
    let earliest = life / 1000 * EARLIEST;
    let spread = life / 1000 * (LATEST - EARLIEST);
    let jitter = if jitter.is_finite() { jitter.clamp(0.0, 1.0) } else { 0.0 };
    since + earliest + spread.mul_f64(jitter)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn renewal_falls_within_the_last_two_fifths_of_a_life(
            start in 0..4_000_000_000_u64,
            life in 1..100_000_000_u64,
            jitter in any::<f64>(),
        ) {
            let not_before = SystemTime::UNIX_EPOCH + Duration::from_secs(start);
            let life = Duration::from_secs(life);
            let at = renew_at(not_before, not_before + life, jitter).duration_since(not_before).unwrap();
            prop_assert!(at >= life.mul_f64(0.59) && at <= life.mul_f64(0.74), "{at:?} of {life:?}");
        }
    }

    #[test]
    fn a_certificate_that_ends_before_it_begins_is_renewed_at_once() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(100);
        assert_eq!(renew_at(now, SystemTime::UNIX_EPOCH, 0.5), now);
    }
}
