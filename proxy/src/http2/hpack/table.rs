//! The dynamic table (RFC 7541, section 2.3.2 and 4): what the newest fields were, as far as they have room.

use std::collections::VecDeque;

/// Octets that a table may hold before anyone has set it otherwise (RFC 9113, section 6.5.2).
pub const DEFAULT: usize = 4096;

/// What an entry counts beside its octets (RFC 7541, section 4.1); a field in a list too (RFC 9113, section 6.5.2).
pub const OVERHEAD: usize = 32;

/// A first-in, first-out store of bounded size. What an entry is, each end decides for itself.
#[derive(Debug)]
pub struct Table<T> {
    /// The newest first, each with its size.
    entries: VecDeque<(T, usize)>,
    /// The sum of their sizes.
    size: usize,
    max: usize,
    /// How many there ever were.
    inserted: u64,
}

impl<T> Table<T> {
    /// One that is empty and has room for [`DEFAULT`] octets.
    pub fn new() -> Self {
        Self { entries: VecDeque::new(), size: 0, max: DEFAULT, inserted: 0 }
    }

    /// The entry that `newer` others were inserted after, with its size.
    #[inline]
    pub fn get(&self, newer: usize) -> Option<(&T, usize)> {
        self.entries.get(newer).map(|(entry, size)| (entry, *size))
    }

    /// How many entries there ever were.
    pub fn inserted(&self) -> u64 {
        self.inserted
    }

    /// Octets that it has room for.
    pub fn max(&self) -> usize {
        self.max
    }

    /// Inserts an entry, at the cost of the oldest. One that is too large on its own empties the table (section 4.4).
    pub fn insert(&mut self, entry: T, size: usize) {
        if size > self.max {
            self.shrink_to(0);
            return;
        }
        self.shrink_to(self.max - size);
        self.entries.push_front((entry, size));
        self.size += size;
        self.inserted += 1;
    }

    /// Sets the room it has (section 4.3).
    pub fn resize(&mut self, max: usize) {
        self.max = max;
        self.shrink_to(max);
    }

    fn shrink_to(&mut self, size: usize) {
        while self.size > size {
            let Some((_, oldest)) = self.entries.pop_back() else { return };
            self.size -= oldest;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(table: &Table<char>) -> String {
        (0..).map_while(|newer| table.get(newer)).map(|(entry, _)| *entry).collect()
    }

    #[test]
    fn the_oldest_make_room_for_the_newest() {
        let mut table = Table::new();
        for entry in ['a', 'b', 'c'] {
            table.insert(entry, 2000);
        }
        assert_eq!(entries(&table), "cb");
        table.insert('d', 4096);
        assert_eq!(entries(&table), "d");
        assert_eq!(table.inserted(), 4);
    }

    #[test]
    fn an_entry_too_large_leaves_it_empty() {
        let mut table = Table::new();
        table.insert('a', 40);
        table.insert('b', 4097);
        assert_eq!(entries(&table), "");
    }

    #[test]
    fn less_room_costs_the_oldest() {
        let mut table = Table::new();
        for entry in ['a', 'b', 'c'] {
            table.insert(entry, 40);
        }
        table.resize(80);
        assert_eq!(entries(&table), "cb");
        table.resize(0);
        table.insert('d', 32);
        assert_eq!(entries(&table), "");
    }
}
