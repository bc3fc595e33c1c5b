//! Who has something: a virtual address, a pod's address, a token.

use std::collections::{BTreeMap, BTreeSet};

use super::Key;

/// From what is looked up to those that have it, by their keys or whatever else tells them from others. Two may claim the same (a pod that ended and its successor, pods on their
/// host's network), and each claim lasts as long as its owner.
#[derive(Debug)]
pub(super) struct Lookup<T, O = Key>(BTreeMap<T, BTreeSet<O>>);

impl<T, O> Default for Lookup<T, O> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T: Ord, O: Ord + Clone> Lookup<T, O> {
    pub(super) fn insert(&mut self, what: T, owner: &O) {
        self.0.entry(what).or_default().insert(owner.clone());
    }

    pub(super) fn remove(&mut self, what: &T, owner: &O) {
        if let Some(owners) = self.0.get_mut(what) {
            owners.remove(owner);
            if owners.is_empty() {
                self.0.remove(what);
            }
        }
    }

    /// The owners, in their order.
    pub(super) fn owners<'a>(&'a self, what: &T) -> impl Iterator<Item = &'a O> + use<'a, T, O> {
        self.0.get(what).into_iter().flatten()
    }

    /// Whether nobody has anything.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
