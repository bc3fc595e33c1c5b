//! Frames that cost us and not their sender.
//!
//! Each is allowed, and very many of them are not: a peer that does nothing else has us work for it for free. What they cost
//! runs up a bill, which time and the data that we send it pay off. The clock is read once for every thousand.

use std::time::{Duration, Instant};

use super::{Code, error::Fault};
use crate::clock;

/// What may be run up before one looks at the clock.
const LOOK: u32 = 1000;

/// The largest bill: as many frames, or a tenth as many streams given up, may come at once.
const BILL_MAX: u32 = 20_000;

/// What a second pays off: for an app's connection, and for one that carries the work of many.
const RATE: u32 = 10_000;
const RATE_SHARED: u32 = 100_000;

/// What a stream costs that is given up before it has ended: somebody had begun to work for it.
const RESET: u32 = 10;

/// What was run up.
#[derive(Debug)]
pub(super) struct Floods {
    bill: u32,
    /// Run up since the clock was read last.
    unseen: u32,
    since: Option<Instant>,
    shared: bool,
}

impl Floods {
    pub(super) fn new(shared: bool) -> Self {
        Self { bill: 0, unseen: 0, since: None, shared }
    }

    /// A frame that carries nothing: PING, SETTINGS, empty data, a window's increment.
    pub(super) fn idle_frame(&mut self) -> Result<(), Fault> {
        self.charge(1)
    }

    /// A stream was given up. A connection that carries the work of many passes on what all of them give up.
    pub(super) fn reset(&mut self) -> Result<(), Fault> {
        self.charge(if self.shared { 1 } else { RESET })
    }

    /// We have sent data: it is answered by increments of windows, one for the stream and one for the connection.
    pub(super) fn sent(&mut self) {
        self.bill = self.bill.saturating_sub(2);
    }

    fn charge(&mut self, cost: u32) -> Result<(), Fault> {
        self.bill += cost;
        self.unseen += cost;
        if self.unseen >= LOOK {
            self.unseen = 0;
            self.pay(clock::now());
        }
        if self.bill > BILL_MAX {
            return Err(Fault::Connection(Code::ENHANCE_YOUR_CALM, "a flood of frames that carry nothing"));
        }
        Ok(())
    }

    fn pay(&mut self, now: Instant) {
        let before = self.since.replace(now).unwrap_or(now);
        let passed = now.saturating_duration_since(before).min(Duration::from_secs(10)).as_millis();
        let rate = if self.shared { RATE_SHARED } else { RATE };
        let paid = u32::try_from(passed).unwrap_or(u32::MAX).saturating_mul(rate / 1000);
        self.bill = self.bill.saturating_sub(paid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_frames_at_once_are_a_flood_and_over_time_are_not() {
        let mut floods = Floods::new(false);
        assert!((0..BILL_MAX).all(|_| floods.idle_frame().is_ok()));
        assert!((0..BILL_MAX).any(|_| floods.idle_frame().is_err()));
        floods.pay(clock::now());
        floods.pay(clock::now() + Duration::from_secs(5));
        assert!(floods.idle_frame().is_ok());
    }

    #[test]
    fn what_we_send_pays_for_the_windows_it_takes() {
        let mut floods = Floods::new(false);
        for _ in 0..10 * BILL_MAX {
            floods.sent();
            assert!(floods.idle_frame().is_ok() && floods.idle_frame().is_ok());
        }
    }

    #[test]
    fn a_stream_given_up_costs_more_where_one_app_speaks() {
        let given_up = |shared| {
            let mut floods = Floods::new(shared);
            (0..5000).all(|_| floods.reset().is_ok())
        };
        assert!(given_up(true));
        assert!(!given_up(false));
    }
}
