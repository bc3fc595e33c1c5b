//! Any of them, each as likely as the other.

use std::rc::Rc;

use super::{Candidate, Standing, left};
use crate::dice::Dice;

/// How often to draw again when a draw is not fit, before all are looked at.
const DRAWS: usize = 16;

/// Picks one of `candidates`, preferring those that are not out.
pub(in super::super) fn pick<'a>(
    candidates: &'a [Rc<Candidate>],
    dice: &Dice,
    judge: impl Fn(&Candidate) -> Standing,
) -> Option<&'a Rc<Candidate>> {
    if candidates.is_empty() {
        return None;
    }
    let mut draws = (0..DRAWS).map(|_| &candidates[dice.roll(candidates.len())]);
    draws.find(|drawn| judge(drawn) == Standing::In).or_else(|| {
        let left = left(candidates, &judge);
        (!left.is_empty()).then(|| left[dice.roll(left.len())])
    })
}
