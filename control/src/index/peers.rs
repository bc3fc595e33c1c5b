//! Whether the callers of a pod must prove who they are: what `PeerAuthentication`s say of it.
//!
//! The narrowest that says anything counts: one that selects the pod, then one for its namespace, then one for the mesh, which is
//! in control's namespace. Of two that are as narrow the older counts, and of two as old the one whose name comes first.

use std::collections::BTreeMap;

use super::{Edition, Key, Pod, nouns::in_namespace};

/// Whether callers must prove who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// They must: strict mutual TLS.
    Required,
    /// They may.
    Welcome,
}

/// What one object says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PeerAuthentication {
    pub(crate) key: Key,
    /// When it was made, in Unix seconds.
    pub(crate) made: i64,
    pub(crate) edition: Edition,
    /// Labels of the pods it is for; for all of its namespace without any.
    pub(crate) selector: BTreeMap<String, String>,
    pub(crate) proof: Option<Proof>,
    /// At single ports.
    pub(crate) ports: BTreeMap<u16, Proof>,
    /// What in it means nothing.
    pub(crate) mistakes: Vec<String>,
}

/// What is asked of a pod's callers, as far as anything is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Proofs {
    pub(crate) everywhere: Option<Proof>,
    /// At single ports.
    pub(crate) ports: BTreeMap<u16, Proof>,
}

/// All there are.
#[derive(Debug, Default)]
pub(super) struct PeerAuthentications(BTreeMap<Key, PeerAuthentication>);

impl PeerAuthentications {
    pub(super) fn get(&self, key: &Key) -> Option<&PeerAuthentication> {
        self.0.get(key)
    }

    pub(super) fn insert(&mut self, new: PeerAuthentication) {
        self.0.insert(new.key.clone(), new);
    }

    pub(super) fn remove(&mut self, key: &Key) -> bool {
        self.0.remove(key).is_some()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &PeerAuthentication> {
        self.0.values()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// What they say of `pod`; those in `root` are for the whole mesh.
    pub(super) fn of(&self, pod: &Pod, root: &str) -> Proofs {
        let namespace = pod.key.namespace.as_str();
        let selecting = self.first(namespace, |found| !found.selector.is_empty() && pod.has_labels(&found.selector));
        let of_namespace = self.first(namespace, |found| found.selector.is_empty());
        let of_mesh = self.first(root, |found| found.selector.is_empty());
        let all = [selecting, of_namespace, of_mesh];
        Proofs {
            everywhere: all.iter().flatten().find_map(|found| found.proof),
            ports: selecting.map(|found| found.ports.clone()).unwrap_or_default(),
        }
    }

    /// The one that counts of those in `namespace` that are as narrow.
    fn first(&self, namespace: &str, is_meant: impl Fn(&PeerAuthentication) -> bool) -> Option<&PeerAuthentication> {
        let there = in_namespace(&self.0, namespace).map(|(_, found)| found);
        there.filter(|found| is_meant(found)).min_by_key(|found| (found.made, &found.key.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::tests::pod;

    fn said(namespace: &str, name: &str, made: i64, label: &str, proof: Option<Proof>) -> PeerAuthentication {
        let selector = label.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned())).into_iter().collect();
        PeerAuthentication {
            key: Key { namespace: namespace.into(), name: name.into() },
            made,
            edition: Edition::default(),
            selector,
            proof,
            ports: BTreeMap::new(),
            mistakes: Vec::new(),
        }
    }

    fn cart() -> Pod {
        Pod { labels: [(String::from("app"), String::from("cart"))].into(), ..pod("a", "10.77.0.5") }
    }

    fn of(all: &[PeerAuthentication]) -> Proofs {
        let mut there = PeerAuthentications::default();
        all.iter().cloned().for_each(|found| there.insert(found));
        there.of(&cart(), "weft-system")
    }

    #[test]
    fn the_narrowest_that_says_anything_counts() {
        let mesh = said("weft-system", "mesh", 9, "", Some(Proof::Required));
        let namespace = said("shop", "all", 9, "", Some(Proof::Welcome));
        let pods = said("shop", "cart", 9, "app=cart", Some(Proof::Required));
        assert_eq!(of(&[]).everywhere, None);
        assert_eq!(of(std::slice::from_ref(&mesh)).everywhere, Some(Proof::Required));
        assert_eq!(of(&[mesh.clone(), namespace.clone()]).everywhere, Some(Proof::Welcome));
        assert_eq!(of(&[mesh.clone(), namespace.clone(), pods]).everywhere, Some(Proof::Required));
        let others = said("shop", "till", 1, "app=till", Some(Proof::Required));
        let silent = said("shop", "cart", 1, "app=cart", None);
        assert_eq!(of(&[mesh, namespace, others, silent]).everywhere, Some(Proof::Welcome));
    }

    #[test]
    fn of_two_the_older_counts_and_then_the_name() {
        let old = said("shop", "z", 1, "", Some(Proof::Required));
        let new = said("shop", "a", 2, "", Some(Proof::Welcome));
        assert_eq!(of(&[old.clone(), new.clone()]).everywhere, Some(Proof::Required));
        let as_old = PeerAuthentication { made: 1, ..new };
        assert_eq!(of(&[old, as_old]).everywhere, Some(Proof::Welcome));
    }

    #[test]
    fn single_ports_are_those_of_whoever_selects_the_pod() {
        let ports = PeerAuthentication { ports: [(9090, Proof::Welcome)].into(), ..said("shop", "cart", 1, "app=cart", None) };
        let namespace = said("shop", "all", 1, "", Some(Proof::Required));
        let proofs = of(&[ports, namespace]);
        assert_eq!((proofs.everywhere, proofs.ports.get(&9090)), (Some(Proof::Required), Some(&Proof::Welcome)));
    }
}
