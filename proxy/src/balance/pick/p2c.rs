//! The power of two choices: look at two at random, take the better one.
//!
//! Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing" (2001): nearly as even as looking at all of them, at
//! a cost that does not grow, and without the herds that chase one global minimum.

use std::rc::Rc;

use super::{Candidate, Standing, left};
use crate::dice::Dice;

/// How often to draw again when a draw is not fit, before all are looked at.
const DRAWS: usize = 8;

/// Picks the cheaper of two of `candidates`, preferring those that are not out.
pub(in super::super) fn pick<'a>(
    candidates: &'a [Rc<Candidate>],
    dice: &Dice,
    judge: impl Fn(&Candidate) -> Standing,
    cost: impl Fn(&Candidate) -> f64,
) -> Option<&'a Rc<Candidate>> {
    match candidates {
        [] => None,
        [only] => (judge(only) != Standing::No).then_some(only),
        many => quickly(many, dice, &judge, &cost).or_else(|| thoroughly(many, dice, &judge, &cost)),
    }
}

/// The usual case, in constant time: two that are fit turn up within a few draws.
fn quickly<'a>(
    candidates: &'a [Rc<Candidate>],
    dice: &Dice,
    judge: &impl Fn(&Candidate) -> Standing,
    cost: &impl Fn(&Candidate) -> f64,
) -> Option<&'a Rc<Candidate>> {
    for _ in 0..DRAWS {
        let first = dice.roll(candidates.len());
        let second = (first + 1 + dice.roll(candidates.len() - 1)) % candidates.len();
        let (first, second) = (&candidates[first], &candidates[second]);
        if judge(first) == Standing::In && judge(second) == Standing::In {
            return Some(cheaper(first, second, cost));
        }
    }
    None
}

/// When most are out or tried.
fn thoroughly<'a>(
    candidates: &'a [Rc<Candidate>],
    dice: &Dice,
    judge: &impl Fn(&Candidate) -> Standing,
    cost: &impl Fn(&Candidate) -> f64,
) -> Option<&'a Rc<Candidate>> {
    let left = left(candidates, judge);
    if left.is_empty() {
        return None;
    }
    Some(cheaper(left[dice.roll(left.len())], left[dice.roll(left.len())], cost))
}

fn cheaper<'a>(first: &'a Rc<Candidate>, second: &'a Rc<Candidate>, cost: &impl Fn(&Candidate) -> f64) -> &'a Rc<Candidate> {
    if cost(first) <= cost(second) { first } else { second }
}
