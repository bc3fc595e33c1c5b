//! Where a field stands in the encoder's table.

use super::{
    habit::mixed,
    table::{OVERHEAD, Table},
};

/// The encoder's dynamic table, and the way to a field in it.
#[derive(Debug)]
pub struct Lookup {
    table: Table<Entry>,
    /// Entries by name and value.
    pairs: Chains,
    /// Entries by name.
    names: Chains,
}

/// A field, with short looks ([`super::habit::digest`]) at its name and value.
#[derive(Clone, Copy, Debug)]
pub struct Digested<'a> {
    pub name: &'a [u8],
    pub value: &'a [u8],
    /// Of the name.
    pub name_digest: u64,
    /// Of both.
    pub pair_digest: u64,
}

#[derive(Debug)]
struct Entry {
    /// Name and value.
    octets: Box<[u8]>,
    name_length: usize,
    /// The next older entry of the same chain of pairs, and of names.
    older_pair: u64,
    older_name: u64,
}

impl Lookup {
    pub fn new() -> Self {
        Self { table: Table::new(), pairs: Chains::new(), names: Chains::new() }
    }

    /// Octets that the table has room for.
    pub fn max(&self) -> usize {
        self.table.max()
    }

    /// Sets that room.
    pub fn resize(&mut self, max: usize) {
        self.table.resize(max);
    }

    /// How many entries were inserted after `field`.
    #[inline]
    pub fn pair(&self, field: &Digested<'_>) -> Option<usize> {
        let mut number = self.pairs.newest(field.pair_digest);
        loop {
            let (newer, entry) = self.entry(number)?;
            if entry.name() == field.name && entry.value() == field.value {
                return Some(newer);
            }
            number = entry.older_pair;
        }
    }

    /// How many entries were inserted after the newest one with the name of `field`.
    pub fn name(&self, field: &Digested<'_>) -> Option<usize> {
        let mut number = self.names.newest(field.name_digest);
        loop {
            let (newer, entry) = self.entry(number)?;
            if entry.name() == field.name {
                return Some(newer);
            }
            number = entry.older_name;
        }
    }

    /// Inserts `field`, which must have room.
    pub fn insert(&mut self, field: &Digested<'_>) {
        let number = self.table.inserted() + 1;
        let entry = Entry {
            octets: [field.name, field.value].concat().into(),
            name_length: field.name.len(),
            older_pair: self.pairs.push(field.pair_digest, number),
            older_name: self.names.push(field.name_digest, number),
        };
        self.table.insert(entry, field.size());
    }

    /// The entry with a number, unless it is gone, and how many are newer. Entries are numbered from 1 as they come.
    #[inline]
    fn entry(&self, number: u64) -> Option<(usize, &Entry)> {
        let newer = usize::try_from(self.table.inserted() - number).ok()?;
        self.table.get(newer).map(|(entry, _)| (newer, entry))
    }
}

impl Digested<'_> {
    /// What it counts in the table.
    pub fn size(&self) -> usize {
        self.name.len() + self.value.len() + OVERHEAD
    }
}

impl Entry {
    fn name(&self) -> &[u8] {
        &self.octets[..self.name_length]
    }

    fn value(&self) -> &[u8] {
        &self.octets[self.name_length..]
    }
}

/// Chains of entries whose digests are alike, from the newest to the oldest. Since the oldest entries go first, a chain
/// needs no mending: it ends where its next entry is gone.
#[derive(Debug)]
struct Chains {
    /// The number of each chain's newest entry; 0, which no entry ever has, before there is one.
    newest: [u64; 64],
}

impl Chains {
    fn new() -> Self {
        Self { newest: [0; 64] }
    }

    #[inline]
    fn newest(&self, digest: u64) -> u64 {
        self.newest[Self::place(digest)]
    }

    /// Puts an entry before the others of its chain, and returns the number of the next.
    fn push(&mut self, digest: u64, number: u64) -> u64 {
        std::mem::replace(&mut self.newest[Self::place(digest)], number)
    }

    fn place(digest: u64) -> usize {
        usize::from(mixed(digest).to_le_bytes()[0] & 63)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A field with digests that put it in the same chains as all others.
    fn alike<'a>(name: &'a str, value: &'a str) -> Digested<'a> {
        Digested { name: name.as_bytes(), value: value.as_bytes(), name_digest: 0, pair_digest: 0 }
    }

    #[test]
    fn the_newest_of_those_alike_is_found() {
        let mut lookup = Lookup::new();
        for (name, value) in [("a", "1"), ("b", "1"), ("a", "2")] {
            lookup.insert(&alike(name, value));
        }
        let pairs =
            [("a", "1"), ("b", "1"), ("a", "2"), ("b", "2"), ("a1", "")].map(|(name, value)| lookup.pair(&alike(name, value)));
        assert_eq!(pairs, [Some(2), Some(1), Some(0), None, None]);
        assert_eq!(["a", "b", "c"].map(|name| lookup.name(&alike(name, ""))), [Some(0), Some(1), None]);
    }

    #[test]
    fn what_had_to_make_room_is_not_found() {
        let mut lookup = Lookup::new();
        lookup.resize(80);
        for value in ["1", "2", "3"] {
            lookup.insert(&alike("a", value));
        }
        assert_eq!(["1", "2", "3"].map(|value| lookup.pair(&alike("a", value))), [None, Some(1), Some(0)]);
        lookup.resize(0);
        assert_eq!((lookup.pair(&alike("a", "3")), lookup.name(&alike("a", ""))), (None, None));
        lookup.resize(80);
        lookup.insert(&alike("a", "4"));
        assert_eq!((lookup.pair(&alike("a", "4")), lookup.pair(&alike("a", "3"))), (Some(0), None));
    }
}
