//! Chance, for decisions that are even only on average.

use std::cell::Cell;

/// A small pseudo-random generator (xorshift64*). Seeded, so that a simulation can be replayed.
#[derive(Debug)]
pub struct Dice(Cell<u64>);

impl Dice {
    /// The same seed gives the same numbers.
    pub fn new(seed: u64) -> Self {
        // Zero is the one state xorshift never leaves.
        Self(Cell::new(seed | 1))
    }

    /// A number in `0..sides`; `sides` must not be zero.
    pub fn roll(&self, sides: usize) -> usize {
        let mut state = self.0.get();
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        self.0.set(state);
        let wide = u128::from(state.wrapping_mul(0x2545_F491_4F6C_DD1D)) * sides as u128;
        // The high half of a 64 by 64 bit product is below `sides`.
        usize::try_from(wide >> 64).unwrap_or(0)
    }

    /// A number from 0 to 1.
    pub fn fraction(&self) -> f64 {
        const SIDES: u32 = 1 << 30;
        self.roll(SIDES as usize) as f64 / f64::from(SIDES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_side_of_the_dice_comes_up_about_equally_often() {
        let dice = Dice::new(42);
        let mut seen = [0_u32; 7];
        for _ in 0..70_000 {
            seen[dice.roll(7)] += 1;
        }
        assert!(seen.iter().all(|count| (9_000..11_000).contains(count)), "{seen:?}");
    }
}
