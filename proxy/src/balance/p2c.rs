//! The power of two choices: look at two at random, take the better one.
//!
//! Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing" (2001): nearly as even as looking at all of them, at
//! a cost that does not grow, and without the herds that chase one global minimum.

use std::{cell::Cell, rc::Rc};

use smallvec::SmallVec;

use super::Candidate;

/// How often to draw again when a draw is not eligible, before all are looked at.
const DRAWS: usize = 4;

/// Whether a candidate is out, and what it costs; `None` when it must not be chosen at all.
type Judgement = Option<(bool, f64)>;

/// A small pseudo-random generator (xorshift64*). Seeded, so that a simulation can be replayed.
#[derive(Debug)]
pub(super) struct Dice(Cell<u64>);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        // Zero is the one state xorshift never leaves.
        Self(Cell::new(seed | 1))
    }

    /// A number in `0..sides`; `sides` must not be zero.
    fn roll(&self, sides: usize) -> usize {
        let mut state = self.0.get();
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        self.0.set(state);
        let wide = u128::from(state.wrapping_mul(0x2545_F491_4F6C_DD1D)) * sides as u128;
        // The high half of a 64 by 64 bit product is below `sides`.
        usize::try_from(wide >> 64).unwrap_or(0)
    }
}

/// Picks one of `candidates`, preferring those that are not out.
pub(super) fn pick<'a>(
    candidates: &'a [Rc<Candidate>],
    dice: &Dice,
    judge: impl Fn(&Candidate) -> Judgement,
) -> Option<&'a Rc<Candidate>> {
    match candidates {
        [] => None,
        [only] => judge(only).map(|_| only),
        many => quickly(many, dice, &judge).or_else(|| thoroughly(many, dice, &judge)),
    }
}

/// The usual case, in constant time: two that are eligible turn up within a few draws.
fn quickly<'a>(
    candidates: &'a [Rc<Candidate>],
    dice: &Dice,
    judge: &impl Fn(&Candidate) -> Judgement,
) -> Option<&'a Rc<Candidate>> {
    for _ in 0..DRAWS {
        let first = dice.roll(candidates.len());
        let second = (first + 1 + dice.roll(candidates.len() - 1)) % candidates.len();
        let (first, second) = (&candidates[first], &candidates[second]);
        if let (Some((false, cost)), Some((false, other))) = (judge(first), judge(second)) {
            return Some(if cost <= other { first } else { second });
        }
    }
    None
}

/// When most are out or tried: look at all, and take those that are out only if there is nobody else.
fn thoroughly<'a>(
    candidates: &'a [Rc<Candidate>],
    dice: &Dice,
    judge: &impl Fn(&Candidate) -> Judgement,
) -> Option<&'a Rc<Candidate>> {
    let mut inside: SmallVec<[(&Rc<Candidate>, f64); 16]> = SmallVec::new();
    let mut outside: SmallVec<[(&Rc<Candidate>, f64); 16]> = SmallVec::new();
    for candidate in candidates {
        match judge(candidate) {
            Some((false, cost)) => inside.push((candidate, cost)),
            Some((true, cost)) => outside.push((candidate, cost)),
            None => {}
        }
    }
    let left = if inside.is_empty() { outside } else { inside };
    if left.is_empty() {
        return None;
    }
    let (first, second) = (left[dice.roll(left.len())], left[dice.roll(left.len())]);
    Some(if first.1 <= second.1 { first.0 } else { second.0 })
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
