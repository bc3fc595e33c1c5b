//! Near endpoints first, and how much goes on to the farther ones while the near are short.
//!
//! As Envoy shares among priorities: a level gets all that is left for it as long as 1 / 1.4 of it is available, and less than
//! that in proportion; what it does not get goes on to the next.

use smallvec::SmallVec;

use super::neighbours::Availability;

/// How much more than its part whoever is available can take. Envoy's default, and what control says.
const SPARE: f64 = 1.4;

/// The parts that levels get, from the nearest on.
#[derive(Debug)]
pub(super) struct Parts {
    parts: SmallVec<[f64; 4]>,
    /// Whether they are enough together: nobody has to panic then.
    pub(super) suffice: bool,
}

impl Parts {
    pub(super) fn of(levels: impl Iterator<Item = Availability>) -> Self {
        let healths: SmallVec<[f64; 4]> = levels.map(health).collect();
        let total: f64 = healths.iter().sum();
        let mut left = 1.0;
        let part = |health: f64| {
            // With nobody available anywhere the nearest is as good as any.
            let part = if total > 0.0 { f64::min(left, health / total.min(1.0)) } else { left };
            left -= part;
            part
        };
        Self { parts: healths.into_iter().map(part).collect(), suffice: total >= 1.0 }
    }

    /// The level to which `point` of the whole belongs, from 0 to 1.
    pub(super) fn at(&self, point: f64) -> usize {
        let mut rest = point;
        let found = self.parts.iter().position(|part| {
            rest -= part;
            rest < 0.0
        });
        // A sum of parts may be a little less than the whole.
        found.unwrap_or_else(|| self.parts.iter().rposition(|part| *part > 0.0).unwrap_or(0))
    }
}

fn health(Availability { available, of }: Availability) -> f64 {
    if of == 0 { 0.0 } else { f64::min(1.0, SPARE * available as f64 / of as f64) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(levels: &[(usize, usize)]) -> Vec<f64> {
        let levels = levels.iter().map(|(available, of)| Availability { available: *available, of: *of });
        Parts::of(levels).parts.iter().map(|part| (part * 100.0).round()).collect()
    }

    #[test]
    fn farther_endpoints_get_what_the_near_ones_are_short_of() {
        // The table of "Priority levels" in Envoy's documentation.
        for (available, near) in [(100, 100.0), (72, 100.0), (71, 99.0), (50, 70.0), (25, 35.0), (0, 0.0)] {
            assert_eq!(parts(&[(available, 100), (100, 100)]), [near, 100.0 - near], "{available} % are available");
        }
        assert_eq!(parts(&[(25, 100), (25, 100)]), [50.0, 50.0]);
        assert_eq!(parts(&[(5, 100), (0, 100), (65, 100)]), [7.0, 0.0, 93.0]);
        assert_eq!(parts(&[(0, 100), (0, 100)]), [100.0, 0.0]);
    }

    #[test]
    fn every_point_belongs_to_a_level_that_gets_something() {
        let parts = Parts::of([(0, 3), (1, 2), (4, 4)].map(|(available, of)| Availability { available, of }).into_iter());
        assert_eq!([0.0, 0.69, 0.71, 1.0].map(|point| parts.at(point)), [1, 1, 2, 2]);
        assert!(parts.suffice);
    }
}
