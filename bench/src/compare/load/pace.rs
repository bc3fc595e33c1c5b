//! When requests are due, whatever became of the earlier ones.

use std::time::{Duration, Instant};

use aws_lc_rs::rand;

use super::order::Pace;

/// The times at which requests are due.
#[derive(Debug)]
pub(super) struct Arrivals {
    pace: Pace,
    next: Instant,
    end: Instant,
}

impl Arrivals {
    /// Those from `begin` until `end`; none in a closed loop.
    pub(super) fn new(pace: Pace, begin: Instant, end: Instant) -> Self {
        Self { pace, next: if pace == Pace::Closed { end } else { begin }, end }
    }

    /// When the next one is due, if there is one.
    pub(super) fn next(&self) -> Option<Instant> {
        (self.next < self.end).then_some(self.next)
    }

    /// Takes the next one if it is due.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Instant> {
        let due = self.next().filter(|next| *next <= now)?;
        self.next += match self.pace {
            Pace::Closed => return None,
            Pace::Steady(rate) => Duration::from_secs(1) / rate.max(1),
            Pace::Random(rate) => (Duration::from_secs(1) / rate.max(1)).mul_f64(exponential(random())),
        };
        Some(due)
    }
}

/// A sample of the exponential distribution with mean 1, made of one of the uniform distribution between 0 and 1.
fn exponential(uniform: f64) -> f64 {
    -(1.0 - uniform).ln()
}

/// At least 0 and below 1.
fn random() -> f64 {
    let mut bytes = [0; 4];
    // Without random numbers the pace is steady.
    rand::fill(&mut bytes).map_or(0.632, |()| f64::from(u32::from_ne_bytes(bytes)) / (f64::from(u32::MAX) + 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    fn count(pace: Pace, seconds: u64) -> usize {
        let begin = clock::now();
        let end = begin + Duration::from_secs(seconds);
        let mut arrivals = Arrivals::new(pace, begin, end);
        std::iter::from_fn(|| arrivals.take_due(end)).count()
    }

    #[test]
    fn as_many_are_due_as_the_rate_says() {
        assert_eq!(count(Pace::Steady(2000), 3), 6000);
        let random = count(Pace::Random(2000), 30);
        assert!((58_000..62_000).contains(&random), "{random}");
        assert_eq!(count(Pace::Closed, 3), 0);
    }

    #[test]
    fn none_is_due_before_its_time() {
        let begin = clock::now();
        let mut arrivals = Arrivals::new(Pace::Steady(10), begin, begin + Duration::from_secs(1));
        assert_eq!(arrivals.take_due(begin), Some(begin));
        assert_eq!(arrivals.take_due(begin + Duration::from_millis(99)), None);
        assert_eq!(arrivals.next(), Some(begin + Duration::from_millis(100)));
    }

    #[test]
    fn distances_of_independent_clients_have_the_mean_one() {
        let middles = (0..1000).map(|number| exponential((f64::from(number) + 0.5) / 1000.0));
        assert!((middles.sum::<f64>() / 1000.0 - 1.0).abs() < 0.01);
    }
}
