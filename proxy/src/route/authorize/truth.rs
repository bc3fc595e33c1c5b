//! Whether a condition holds, where that cannot always be known. Source: the strong logic of indeterminacy, Kleene 1938.

use crate::snapshot::Tree;

/// Whether something holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Truth {
    No,
    /// It cannot be known, or it is so in one reading and not in another.
    Unknown,
    Yes,
}

impl From<bool> for Truth {
    fn from(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }
}

impl Truth {
    pub(super) fn not(self) -> Self {
        match self {
            Self::No => Self::Yes,
            Self::Unknown => Self::Unknown,
            Self::Yes => Self::No,
        }
    }

    /// What is true of several readings of one thing.
    pub(super) fn of_readings(mut readings: impl Iterator<Item = Truth>) -> Self {
        let Some(first) = readings.next() else { return Self::Unknown };
        if readings.all(|reading| reading == first) { first } else { Self::Unknown }
    }
}

/// Whether `tree` holds where its leaves hold as `leaf` says. Leaves that change nothing any more are not asked.
pub(super) fn of<T>(tree: &Tree<T>, leaf: &mut impl FnMut(&T) -> Truth) -> Truth {
    match tree {
        Tree::Is(condition) => leaf(condition),
        Tree::Not(other) => of(other, leaf).not(),
        Tree::All(all) => {
            let mut least = Truth::Yes;
            for one in all {
                least = least.min(of(one, leaf));
                if least == Truth::No {
                    break;
                }
            }
            least
        }
        Tree::Any(any) => {
            let mut most = Truth::No;
            for one in any {
                most = most.max(of(one, leaf));
                if most == Truth::Yes {
                    break;
                }
            }
            most
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Truth::*, *};

    #[test]
    fn what_is_not_known_stays_so_unless_the_rest_decides() {
        let is = Tree::Is;
        let of = |tree: Tree<Truth>| of(&tree, &mut |leaf| *leaf);
        assert_eq!(of(Tree::All(vec![])), Yes);
        assert_eq!(of(Tree::Any(vec![])), No);
        assert_eq!(of(Tree::All(vec![is(Yes), is(Unknown)])), Unknown);
        assert_eq!(of(Tree::All(vec![is(Unknown), is(No)])), No);
        assert_eq!(of(Tree::Any(vec![is(No), is(Unknown)])), Unknown);
        assert_eq!(of(Tree::Any(vec![is(Unknown), is(Yes)])), Yes);
        assert_eq!(of(Tree::Not(Box::new(is(Unknown)))), Unknown);
        assert_eq!(of(Tree::Not(Box::new(is(No)))), Yes);
    }

    #[test]
    fn readings_that_differ_make_it_unknown() {
        let of = |readings: &[Truth]| Truth::of_readings(readings.iter().copied());
        assert_eq!((of(&[Yes, Yes]), of(&[No, No]), of(&[Yes, No]), of(&[])), (Yes, No, Unknown, Unknown));
    }
}
