//! What was seen lately.

use std::hash::{BuildHasher, Hash};

use foldhash::fast::RandomState;

/// How many things are remembered: those that a few requests bring.
const REMEMBERED: usize = 64;

/// A short memory: it forgets the oldest first, and takes one thing for another once in millions.
#[derive(Debug)]
pub struct Sightings {
    hasher: RandomState,
    /// Their hashes.
    seen: [u32; REMEMBERED],
    next: usize,
}

impl Sightings {
    pub fn new() -> Self {
        Self { hasher: RandomState::default(), seen: [0; REMEMBERED], next: 0 }
    }

    /// Whether `thing` was seen lately. From now on it was.
    pub fn again(&mut self, thing: impl Hash) -> bool {
        let hash = (self.hasher.hash_one(thing) >> 32) as u32;
        let is_known = self.seen.iter().fold(false, |is_known, seen| is_known | (*seen == hash));
        if !is_known {
            self.seen[self.next] = hash;
            self.next = (self.next + 1) % REMEMBERED;
        }
        is_known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_time_is_known_and_long_ago_forgotten() {
        let mut sightings = Sightings::new();
        assert_eq!([1, 2, 1, 2].map(|thing| sightings.again(thing)), [false, false, true, true]);
        for other in 3..3 + REMEMBERED {
            sightings.again(other);
        }
        assert!(!sightings.again(1));
    }
}
