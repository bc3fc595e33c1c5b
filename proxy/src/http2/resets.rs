//! Streams that we reset while the peer may have had more to say on them: what it had sent by then is nobody's fault.

use std::collections::VecDeque;

use foldhash::HashSet;

/// How many are remembered. What the peer sent before it heard of a reset arrives within a round trip.
const REMEMBERED: usize = 1024;

/// The last of them.
#[derive(Debug, Default)]
pub(super) struct Resets {
    order: VecDeque<u32>,
    known: HashSet<u32>,
}

impl Resets {
    pub(super) fn remember(&mut self, id: u32) {
        if !self.known.insert(id) {
            return;
        }
        self.order.push_back(id);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    pub(super) fn knows(&self, id: u32) -> bool {
        self.known.contains(&id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_forgotten_first() {
        let mut resets = Resets::default();
        (0..=1024).for_each(|id| resets.remember(id));
        assert!(!resets.knows(0));
        assert!(resets.knows(1) && resets.knows(1024));
        assert_eq!(resets.order.len(), resets.known.len());
    }
}
