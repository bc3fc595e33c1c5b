//! The power of two choices: look at two at random, take the better one.
//!
//! Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing" (2001): nearly as even as looking at all of them, at
//! a cost that does not grow, and without the herds that chase one global minimum.

use std::rc::Rc;

use smallvec::SmallVec;

use super::Candidate;
use crate::dice::Dice;

/// How often to draw again when a draw is not eligible, before all are looked at.
const DRAWS: usize = 4;

/// Whether a candidate is out, and what it costs; `None` when it must not be chosen at all.
type Judgement = Option<(bool, f64)>;

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
