//! Ways to pick one of many. Each looks at a few, however many there are, as long as most of them are fit.

pub(super) mod keyed;
pub(super) mod p2c;
pub(super) mod random;
pub(super) mod rotation;

use std::rc::Rc;

use smallvec::SmallVec;

use super::Candidate;

/// How a candidate stands to one piece of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It may be picked.
    In,
    /// It may be picked when nobody else can.
    Out,
    /// It must not be picked.
    No,
}

/// Those who can be picked when it takes a look at all: who is in, or else who is out.
fn left<'a>(candidates: &'a [Rc<Candidate>], judge: &impl Fn(&Candidate) -> Standing) -> SmallVec<[&'a Rc<Candidate>; 16]> {
    let (mut inside, mut outside) = (SmallVec::new(), SmallVec::new());
    for candidate in candidates {
        match judge(candidate) {
            Standing::In => inside.push(candidate),
            Standing::Out => outside.push(candidate),
            Standing::No => {}
        }
    }
    if inside.is_empty() { outside } else { inside }
}
