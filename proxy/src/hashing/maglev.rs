//! Maglev's table: every member takes the next free place of its own order of places, in turns, until all are taken.
//!
//! Eisenbud and others, "Maglev: A Fast and Reliable Software Network Load Balancer" (2016), section 3.4. Parts are as even as can
//! be, and a look at it is one memory access; when a member leaves, few keys move beside its own.

use super::{MEMBERS_MAX, again, hash};

/// Places: a prime, as every step must lead through all of them. The paper's size for a few hundred members.
const SIZE: usize = 65_537;

/// A place that nobody has taken. No member has this number.
const FREE: u16 = u16::MAX;

/// A table, filled.
#[derive(Debug)]
pub struct Maglev(Box<[u16]>);

/// A member's own order of places.
struct Order {
    next: usize,
    step: usize,
}

impl Maglev {
    /// The table of members with these names.
    pub fn of<'a>(names: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut orders: Vec<Order> = names.into_iter().take(MEMBERS_MAX).map(Order::of).collect();
        if orders.is_empty() {
            return Self(Box::default());
        }
        let mut places = vec![FREE; SIZE];
        let mut free = SIZE;
        while free > 0 {
            for (number, order) in (0_u16..).zip(&mut orders).take(free) {
                let place = order.first_free(&places);
                places[place] = number;
                free -= 1;
            }
        }
        Self(places.into())
    }

    /// Where to look for `key`.
    pub(super) fn start(&self, key: u64) -> usize {
        // What is left is below the size.
        usize::try_from(key % SIZE as u64).unwrap_or(0).min(self.size())
    }

    pub(super) fn size(&self) -> usize {
        self.0.len()
    }

    pub(super) fn at(&self, position: usize) -> usize {
        usize::from(self.0[position])
    }
}

impl Order {
    fn of(name: &[u8]) -> Self {
        let below = |hash: u64, limit: usize| usize::try_from(hash % limit as u64).unwrap_or(0);
        let hash = hash(name);
        Self { next: below(again(hash, 0), SIZE), step: 1 + below(again(hash, 1), SIZE - 1) }
    }

    fn first_free(&mut self, places: &[u16]) -> usize {
        loop {
            let place = self.next;
            self.next = (place + self.step) % SIZE;
            if places[place] == FREE {
                return place;
            }
        }
    }
}
