//! What the API server has said so far, so that it can be told what has gone while nobody listened. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::index::{Change, Identity, Key, Kind, Object, routes::RouteKind, traffic::PolicyKind};

/// What is said of an object, or of all of a kind.
#[derive(Debug)]
pub(super) enum Said {
    /// All of a kind will be told, from the first on.
    Begins(Kind),
    /// An object is there, new, changed or as it was.
    There(Object),
    /// It is not, or is nothing to us.
    Gone(Identity),
    /// All of a kind have been told.
    Complete(Kind),
}

/// Kinds that are followed.
const KINDS: [Kind; 14] = [
    Kind::Service,
    Kind::Slice,
    Kind::Pod,
    Kind::Node,
    Kind::Namespace,
    Kind::PeerAuthentication,
    Kind::AuthorizationPolicy,
    Kind::Route(RouteKind::Grpc),
    Kind::Route(RouteKind::Http),
    Kind::Route(RouteKind::Tls),
    Kind::Route(RouteKind::Tcp),
    Kind::ReferenceGrant,
    Kind::TrafficPolicy(PolicyKind::Traffic),
    Kind::TrafficPolicy(PolicyKind::Backend),
];

/// What is there.
#[derive(Debug, Default)]
pub(super) struct Kept {
    kinds: BTreeMap<Kind, Names>,
    /// Changes that wait for the first complete reading.
    held: Vec<Change>,
}

/// Objects of one kind, by name.
#[derive(Debug, Default)]
struct Names {
    there: BTreeSet<Key>,
    /// Those told since all of them are being told.
    again: Option<BTreeSet<Key>>,
    was_complete: bool,
}

impl Kept {
    /// What changes by what is said.
    pub(super) fn hear(&mut self, said: Said) -> Vec<Change> {
        match said {
            Said::Begins(kind) => {
                self.kinds.entry(kind).or_default().again = Some(BTreeSet::new());
                Vec::new()
            }
            Said::There(object) => {
                let (kind, key) = object.identity();
                let names = self.kinds.entry(kind).or_default();
                if let Some(again) = &mut names.again {
                    again.insert(key.clone());
                }
                names.there.insert(key);
                vec![Change::Apply(object)]
            }
            Said::Gone((kind, key)) => {
                let names = self.kinds.entry(kind).or_default();
                if let Some(again) = &mut names.again {
                    again.remove(&key);
                }
                if names.there.remove(&key) { vec![Change::Delete((kind, key))] } else { Vec::new() }
            }
            Said::Complete(kind) => {
                let names = self.kinds.entry(kind).or_default();
                names.was_complete = true;
                let Some(again) = names.again.take() else { return Vec::new() };
                let gone: Vec<Key> = names.there.difference(&again).cloned().collect();
                names.there = again;
                gone.into_iter().map(|key| Change::Delete((kind, key))).collect()
            }
        }
    }

    /// Whether all kinds have been read once.
    pub(super) fn is_complete(&self) -> bool {
        KINDS.iter().all(|kind| self.kinds.get(kind).is_some_and(|names| names.was_complete))
    }

    /// Holds changes back.
    pub(super) fn hold(&mut self, changes: Vec<Change>) {
        self.held.extend(changes);
    }

    /// What was held back, and `changes` after it.
    pub(super) fn release(&mut self, changes: Vec<Change>) -> Vec<Change> {
        let mut held = std::mem::take(&mut self.held);
        held.extend(changes);
        held
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::tests::{key, pod};

    fn there(name: &str) -> Said {
        Said::There(Object::Pod(pod(name, "10.77.0.5")))
    }

    fn told(changes: &[Change]) -> Vec<String> {
        let word = |change: &Change| match change {
            Change::Apply(object) => format!("+{}", object.identity().1.name),
            Change::Delete((_, key)) => format!("-{}", key.name),
        };
        changes.iter().map(word).collect()
    }

    #[test]
    fn what_is_not_mentioned_again_is_gone() {
        let mut kept = Kept::default();
        let first = [Said::Begins(Kind::Pod), there("a"), there("b"), Said::Complete(Kind::Pod), there("c")];
        let changes: Vec<Change> = first.into_iter().flat_map(|said| kept.hear(said)).collect();
        assert_eq!(told(&changes), ["+a", "+b", "+c"]);
        let again =
            [Said::Begins(Kind::Pod), there("b"), there("d"), Said::Gone((Kind::Pod, key("d"))), Said::Complete(Kind::Pod)];
        let changes: Vec<Change> = again.into_iter().flat_map(|said| kept.hear(said)).collect();
        assert_eq!(told(&changes), ["+b", "+d", "-d", "-a", "-c"]);
    }

    #[test]
    fn a_reading_that_was_cut_off_takes_nothing_away() {
        let mut kept = Kept::default();
        for said in
            [Said::Begins(Kind::Pod), there("a"), Said::Complete(Kind::Pod), Said::Begins(Kind::Pod), Said::Begins(Kind::Pod)]
        {
            assert!(kept.hear(said).iter().all(|change| matches!(change, Change::Apply(_))));
        }
        assert_eq!(told(&kept.hear(Said::Complete(Kind::Pod))), ["-a"]);
    }

    #[test]
    fn it_is_complete_when_every_kind_is() {
        let mut kept = Kept::default();
        for kind in KINDS {
            assert!(!kept.is_complete());
            kept.hear(Said::Begins(kind));
            kept.hear(Said::Complete(kind));
        }
        assert!(kept.is_complete());
    }
}
