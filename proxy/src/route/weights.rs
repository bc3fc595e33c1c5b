//! Who gets the next of the requests that several share.

use crate::{dice::Dice, snapshot::Backend};

/// Draws one of `backends`, each as often as its weight says; `None` when none has any.
pub(super) fn draw<'a, C>(backends: &'a [Backend<C>], dice: &Dice) -> Option<&'a Backend<C>> {
    if let [only] = backends {
        return Some(only).filter(|only| only.weight > 0);
    }
    let sum = backends.iter().fold(0_usize, |sum, backend| sum.saturating_add(backend.weight));
    if sum == 0 {
        return None;
    }
    let mut ticket = dice.roll(sum);
    backends.iter().find(|backend| match ticket.checked_sub(backend.weight) {
        Some(rest) => {
            ticket = rest;
            false
        }
        None => true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often each of those with `weights` is drawn of 100,000 times.
    fn drawn(weights: &[usize]) -> Vec<usize> {
        let backends: Vec<_> =
            weights.iter().enumerate().map(|(number, weight)| Backend { weight: *weight, ..Backend::only(number) }).collect();
        let dice = Dice::new(7);
        let mut counts = vec![0; weights.len()];
        for _ in 0..100_000 {
            if let Some(backend) = draw(&backends, &dice) {
                counts[backend.cluster.unwrap()] += 1;
            }
        }
        counts
    }

    #[test]
    fn each_gets_the_part_that_its_weight_is_of_the_sum() {
        let counts = drawn(&[1, 0, 7, 2]);
        let expected = [10_000_usize, 0, 70_000, 20_000];
        assert!(counts.iter().zip(expected).all(|(count, expected)| count.abs_diff(expected) < 1_000), "{counts:?}");
        assert_eq!(counts[1], 0);
    }

    #[test]
    fn whoever_weighs_nothing_gets_nothing() {
        assert_eq!(drawn(&[0, 0]), [0, 0]);
        assert_eq!(drawn(&[0]), [0]);
        assert!(drawn(&[]).is_empty());
        assert_eq!(drawn(&[0, 3, 0]), [0, 100_000, 0]);
    }
}
