//! A ring: every member stands at many points of it, and a key belongs to whoever stands at the next.
//!
//! Karger and others, "Consistent Hashing and Random Trees" (1997), as ketama made it known. When a member leaves, its own keys
//! move and no others. Parts are as even as there are points.

use super::{MEMBERS_MAX, again, hash};

/// Points of a member: parts differ by a tenth or so. The same for all, as long as the ring has room: others would move with every
/// member that comes or goes.
const POINTS: usize = 256;

/// Points of a ring at most, as in Envoy.
const RING_MAX: usize = 8 << 20;

/// The lowest bits of a point say whose it is, the others where.
const WHOSE: u64 = 0xFFFF;

/// A ring's points, in order.
#[derive(Debug)]
pub struct Ring(Box<[u64]>);

impl Ring {
    /// The ring of members with these names.
    pub fn of<'a>(names: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let hashes: Vec<u64> = names.into_iter().take(MEMBERS_MAX).map(hash).collect();
        let each = POINTS.min(RING_MAX / hashes.len().max(1));
        let points = (0_u64..)
            .zip(&hashes)
            .flat_map(|(number, name)| (0..each as u64).map(move |round| (again(*name, round) & !WHOSE) | number));
        let mut points: Vec<u64> = points.collect();
        points.sort_unstable();
        Self(points.into())
    }

    /// Where to look for `key`.
    pub(super) fn start(&self, key: u64) -> usize {
        self.0.partition_point(|point| *point < key & !WHOSE)
    }

    pub(super) fn size(&self) -> usize {
        self.0.len()
    }

    pub(super) fn at(&self, position: usize) -> usize {
        // Two bytes.
        usize::try_from(self.0[position] & WHOSE).unwrap_or(0)
    }
}
