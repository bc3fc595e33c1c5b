//! What the two variants of xDS have in common: who is asked for resources, and what a conversation consists of.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    index::{Key, Touched},
    plan::{Kind, Resource},
};

/// Where resources are looked up.
pub(super) trait Source {
    /// The resource called `name`.
    fn resource(&self, kind: Kind, name: &str) -> Option<Arc<Resource>>;
    /// Every name of `kind`.
    fn every_name(&self, kind: Kind) -> Vec<String>;
}

/// What came of a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// A subscription or an acknowledgement.
    Fine,
    /// The client could not use what it was sent.
    Nack { kind: Option<Kind>, message: String },
    /// The request cannot be served, and with it the stream.
    Refused(String),
}

/// One client's conversation, in one of the variants. No socket, no clock.
pub(super) trait Conversation: Send + 'static {
    type Request: Send + 'static;
    type Answer: Send + 'static;
    /// The word in logs.
    const VARIANT: &'static str;

    /// A conversation with the proxy of `viewer`.
    fn new(viewer: Option<Key>) -> Self;
    /// How the client calls itself. Nobody has to believe it.
    fn node_id(request: &Self::Request) -> Option<&str>;
    /// Takes in a request.
    fn heard(&mut self, request: Self::Request) -> Heard;
    /// Takes in what changed.
    fn touched(&mut self, touched: &Touched);
    /// Anything may have changed.
    fn all_touched(&mut self);
    /// Everything the client should hear now, in the order in which it should.
    fn flush(&mut self, source: &impl Source) -> Vec<(Kind, Self::Answer)>;
    /// How many resources of each type it follows.
    fn subscriptions(&self) -> BTreeMap<Kind, usize>;
    /// How many resources an answer is about.
    fn resources(answer: &Self::Answer) -> usize;
}

#[cfg(test)]
pub(super) mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::index::Subject;

    /// Resources by a short word, of every kind under a name of that kind.
    #[derive(Default)]
    pub(crate) struct Shelf {
        versions: BTreeMap<String, String>,
        asked: Cell<usize>,
    }

    impl Shelf {
        pub(crate) fn put(&mut self, which: &str, version: Option<&str>) {
            match version {
                Some(version) => drop(self.versions.insert(which.to_owned(), version.to_owned())),
                None => drop(self.versions.remove(which)),
            }
        }

        /// How often a resource was asked for.
        pub(crate) fn asked(&self) -> usize {
            self.asked.get()
        }
    }

    impl Source for Shelf {
        fn resource(&self, kind: Kind, wanted: &str) -> Option<Arc<Resource>> {
            self.asked.set(self.asked.get() + 1);
            let (_, version) = self.versions.iter().find(|(which, _)| name(kind, which) == wanted)?;
            Some(Arc::new(Resource { version: version.clone(), body: prost_types::Any::default() }))
        }

        fn every_name(&self, kind: Kind) -> Vec<String> {
            self.versions.keys().map(|which| name(kind, which)).collect()
        }
    }

    pub(crate) fn shelf(resources: &[(&str, &str)]) -> Shelf {
        let versions = resources.iter().map(|(which, version)| ((*which).to_owned(), (*version).to_owned())).collect();
        Shelf { versions, asked: Cell::default() }
    }

    fn address(which: &str) -> String {
        format!("10.0.0.{}", which.bytes().map(u32::from).sum::<u32>() % 250)
    }

    pub(crate) fn name(kind: Kind, which: &str) -> String {
        match (kind, which) {
            (_, "*" | "nonsense") => which.to_owned(),
            (Kind::Listener, _) => format!("address/{}:80", address(which)),
            _ => format!("{which}.shop.svc.cluster.local:80"),
        }
    }

    pub(crate) fn touched(which: &[&str]) -> Touched {
        let service = |which: &&str| Subject::Service(Key { namespace: "shop".into(), name: (*which).to_owned() });
        let at = |which: &&str| Subject::Address(address(which).parse().unwrap());
        which.iter().map(service).chain(which.iter().map(at)).collect()
    }
}
