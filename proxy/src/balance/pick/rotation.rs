//! One after the other.

use std::{cell::Cell, rc::Rc};

use super::{Candidate, Standing};

/// Picks whose turn it is, preferring those that are not out. Whoever is passed over leaves no gap: the next turn begins behind
/// whom it came to.
pub(in super::super) fn pick<'a>(
    candidates: &'a [Rc<Candidate>],
    turn: &Cell<usize>,
    judge: impl Fn(&Candidate) -> Standing,
) -> Option<&'a Rc<Candidate>> {
    let from = turn.get();
    let mut outside = None;
    let inside = (0..candidates.len()).map(|step| (from + step) % candidates.len()).find(|position| {
        let standing = judge(&candidates[*position]);
        if standing == Standing::Out {
            outside.get_or_insert(*position);
        }
        standing == Standing::In
    });
    let position = inside.or(outside)?;
    turn.set(position + 1);
    Some(&candidates[position])
}
