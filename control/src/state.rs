//! Where `watch` and `serve` meet: the index, what was planned from it, and the news that it changed.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

use crate::{
    index::{Index, Key, Object, Pod, Sizes},
    plan::{self, Resource},
};

/// Shared by all streams. A clone is another handle to the same.
#[derive(Clone, Debug)]
pub(crate) struct State(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    trust_domain: String,
    inside: Mutex<Inside>,
    /// Counts changes; zero until the first complete reading of the source.
    generation: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Inside {
    index: Index,
    /// What was planned since the last change. Many streams ask for the same few resources.
    planned: HashMap<(plan::Kind, String), Option<Arc<Resource>>>,
    /// Tokens that were shown. Each is good once.
    tokens_used: HashSet<String>,
}

/// What became of a token.
#[derive(Clone, Debug)]
pub(crate) enum Token {
    /// It is this pod's, and shown for the first time.
    Good(Pod),
    /// It was shown before.
    Used,
    /// It is of a pod at another address.
    Foreign(Pod),
    /// Nobody has it.
    Unknown,
}

impl State {
    /// An empty state that nothing was heard about yet.
    pub(crate) fn new(trust_domain: &str) -> Self {
        let generation = watch::Sender::new(0);
        Self(Arc::new(Shared { trust_domain: trust_domain.to_owned(), inside: Mutex::default(), generation }))
    }

    /// Brings the index in line with a complete reading of the source.
    pub(crate) fn replace(&self, objects: Vec<Object>) {
        let kept: BTreeSet<_> = objects.iter().map(Object::identity).collect();
        let mut inside = self.inside();
        let mut changed = inside.index.retain(&kept);
        for object in objects {
            changed |= inside.index.apply(object);
        }
        inside.planned.clear();
        drop(inside);
        self.0.generation.send_if_modified(|generation| {
            let news = changed || *generation == 0;
            *generation += u64::from(news);
            news
        });
    }

    /// News of changes. The value is zero until the source was read once: until then nobody is told that something does
    /// not exist.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.0.generation.subscribe()
    }

    /// Whether the source was read.
    pub(crate) fn is_loaded(&self) -> bool {
        *self.0.generation.borrow() > 0
    }

    /// The resource called `name`, as the proxy of `viewer` is told it.
    pub(crate) fn resource(&self, viewer: Option<&Key>, kind: plan::Kind, name: &str) -> Option<Arc<Resource>> {
        let mut inside = self.inside();
        let Inside { index, planned, .. } = &mut *inside;
        let plan = || plan::resource(index, viewer, &self.0.trust_domain, kind, name).map(Arc::new);
        if name == wire::names::INBOUND {
            return plan();
        }
        planned.entry((kind, name.to_owned())).or_insert_with(plan).clone()
    }

    /// Every name of `kind`.
    pub(crate) fn every_name(&self, kind: plan::Kind) -> Vec<String> {
        plan::every_name(&self.inside().index, kind)
    }

    /// The pod with an address.
    pub(crate) fn pod_at(&self, address: IpAddr) -> Option<Pod> {
        self.inside().index.pod_at(address).cloned()
    }

    /// Judges a token by its hash, shown by a connection from `address`. A good one is used up by this.
    pub(crate) fn take_token(&self, hash: &str, address: IpAddr) -> Token {
        let mut inside = self.inside();
        let Some(pod) = inside.index.pod_with_token(hash).cloned() else { return Token::Unknown };
        if !pod.addresses.contains(&address) {
            return Token::Foreign(pod);
        }
        if inside.tokens_used.insert(hash.to_owned()) { Token::Good(pod) } else { Token::Used }
    }

    /// Lets a token be shown again: what it was shown for failed by no fault of its owner.
    pub(crate) fn give_token_back(&self, hash: &str) {
        self.inside().tokens_used.remove(hash);
    }

    /// How much there is.
    pub(crate) fn sizes(&self) -> Sizes {
        self.inside().index.sizes()
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        // Planning is pure and does not panic; if it ever did, the index would still be whole.
        self.0.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
