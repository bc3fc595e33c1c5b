//! Whomever a key belongs to.

use std::rc::Rc;

use super::{Candidate, Standing, left};
use crate::hashing::Table;

/// How many places of a table to look at when its owners are not fit, before all candidates are looked at.
const PLACES: usize = 64;

/// Picks the owner of `key`, or when that is out whoever owns the next place: the same for everybody who knows the same of them.
pub(in super::super) fn pick<'a>(
    candidates: &'a [Rc<Candidate>],
    table: &Table,
    key: u64,
    judge: impl Fn(&Candidate) -> Standing,
) -> Option<&'a Rc<Candidate>> {
    let mut owners = table.order(key).take(PLACES).filter_map(|number| candidates.get(number));
    owners.find(|owner| judge(owner) == Standing::In).or_else(|| {
        let left = left(candidates, &judge);
        let position = usize::try_from(key % left.len().max(1) as u64).ok()?;
        left.get(position).copied()
    })
}
