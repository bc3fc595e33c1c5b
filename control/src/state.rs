//! Where `watch` and `serve` meet: the index, what was planned from it, and the news that it changed.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use certs::name::TrustDomain;
use tokio::sync::{broadcast, watch};

use crate::{
    clock,
    index::{Change, Index, Key, Pod, Sizes, Subject, Touched},
    plan::{self, Kind, Mesh, Resource, View},
};

/// News a slow reader may have before it. One that falls further behind looks at everything again.
const NEWS_MAX: usize = 256;

/// Resources kept planned. Past that they are planned anew: pod addresses alone have as many names as there are ports.
const PLANNED_MAX: usize = 100_000;

/// Shared by all streams. A clone is another handle to the same.
#[derive(Clone, Debug)]
pub(crate) struct State(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    mesh: Mesh,
    inside: Mutex<Inside>,
    news: broadcast::Sender<Arc<News>>,
    /// How many changes there were; `None` until the first complete reading of the source.
    generation: watch::Sender<Option<u64>>,
}

#[derive(Debug, Default)]
struct Inside {
    index: Index,
    planned: Planned,
    problems: Vec<String>,
}

/// What was planned since it was last touched. Many streams ask for the same few resources.
#[derive(Debug, Default)]
struct Planned {
    by_subject: HashMap<Subject, HashMap<Seen, Arc<Resource>>>,
    count: usize,
}

/// A resource as it is seen from somewhere, if that matters.
type Seen = (Kind, String, Option<View>);

/// What changed, and when it was heard of.
#[derive(Debug)]
pub(crate) struct News {
    pub(crate) touched: Touched,
    pub(crate) heard: Instant,
}

impl State {
    /// An empty state of `mesh` that nothing was heard about yet.
    pub(crate) fn new(mesh: Mesh) -> Self {
        let (news, _) = broadcast::channel(NEWS_MAX);
        let inside = Inside { index: Index::new(&mesh.root_namespace), ..Inside::default() };
        Self(Arc::new(Shared { mesh, inside: Mutex::new(inside), news, generation: watch::Sender::new(None) }))
    }

    /// Takes in changes. The first time they are all there is: from then on control says what does not exist, too. Returns
    /// whether anything changed.
    pub(crate) fn take(&self, changes: Vec<Change>) -> bool {
        let heard = clock::now();
        let mut touched = Touched::new();
        let mut inside = self.inside();
        for change in changes {
            touched.extend(inside.index.take(change));
        }
        for subject in &touched {
            inside.planned.forget(subject);
        }
        drop(inside);
        let changed = !touched.is_empty();
        self.0.generation.send_if_modified(|generation| {
            let before = *generation;
            *generation = Some(before.unwrap_or(0) + u64::from(changed));
            *generation != before
        });
        if changed {
            // Nobody may be listening.
            let _ = self.0.news.send(Arc::new(News { touched, heard }));
        }
        changed
    }

    /// News of what changes from now on.
    pub(crate) fn news(&self) -> broadcast::Receiver<Arc<News>> {
        self.0.news.subscribe()
    }

    /// Whether the source was read.
    pub(crate) fn is_loaded(&self) -> bool {
        self.0.generation.borrow().is_some()
    }

    /// Waits until the source was read: until then nobody is told that something does not exist.
    pub(crate) async fn loaded(&self) {
        // It fails when nobody can send any more, and we hold the sender.
        let _ = self.0.generation.subscribe().wait_for(Option::is_some).await;
    }

    /// How often something changed; `None` before the source was read.
    pub(crate) fn generation(&self) -> Option<u64> {
        *self.0.generation.borrow()
    }

    /// The trust domain of the mesh.
    pub(crate) fn trust_domain(&self) -> &TrustDomain {
        &self.0.mesh.trust_domain
    }

    /// The resource called `name`, as the proxy of `viewer` is told it.
    pub(crate) fn resource(&self, viewer: Option<&Key>, kind: Kind, name: &str) -> Option<Arc<Resource>> {
        let subject = plan::subject(viewer, kind, name)?;
        let mut inside = self.inside();
        let Inside { index, planned, .. } = &mut *inside;
        let plan = || plan::resource(index, viewer, &self.0.mesh, kind, name).map(Arc::new);
        // What only one client asks for is not worth keeping.
        if matches!(subject, Subject::Pod(_)) {
            return plan();
        }
        let view = View::of(index, viewer, kind, name);
        planned.get(subject, (kind, name.to_owned(), view), plan)
    }

    /// Every name of `kind`.
    pub(crate) fn every_name(&self, kind: Kind) -> Vec<String> {
        plan::every_name(&self.inside().index, kind)
    }

    /// The pods with an address.
    pub(crate) fn pods_at(&self, address: IpAddr) -> Vec<Pod> {
        self.inside().index.pods_at(address.to_canonical()).cloned().collect()
    }

    /// The pod whose proxy may show the token with this hash.
    pub(crate) fn pod_with_token(&self, hash: &str) -> Option<Pod> {
        self.inside().index.pod_with_token(hash).cloned()
    }

    /// The pod with a UID.
    pub(crate) fn pod_with_uid(&self, uid: &str) -> Option<Pod> {
        self.inside().index.pod_with_uid(uid).cloned()
    }

    /// The pods that a client at `address` may be who has proved to be a pod of `namespace` and `service_account`, and, if its
    /// certificate says so, the one with `uid`. One whose address is known is nowhere else.
    pub(crate) fn pods_of(&self, address: IpAddr, uid: Option<&str>, namespace: &str, service_account: &str) -> Vec<Pod> {
        let address = address.to_canonical();
        let may_be = |pod: &Pod| pod.has_names(namespace, service_account) && pod.may_be_at(address);
        match uid {
            Some(uid) => self.pod_with_uid(uid).into_iter().filter(may_be).collect(),
            None => self.pods_at(address).into_iter().filter(may_be).collect(),
        }
    }

    /// How much there is.
    pub(crate) fn sizes(&self) -> Sizes {
        self.inside().index.sizes()
    }

    /// Looks at everything there is, for as short as it takes: all streams wait meanwhile.
    pub(crate) fn inspect<T>(&self, look: impl FnOnce(&Index) -> T) -> T {
        look(&self.inside().index)
    }

    /// What is wrong with the source now.
    pub(crate) fn set_problems(&self, problems: Vec<String>) {
        self.inside().problems = problems;
    }

    /// What is wrong with the source now.
    pub(crate) fn problems(&self) -> Vec<String> {
        self.inside().problems.clone()
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        // Planning is pure and does not panic; if it ever did, the index would still be whole.
        self.0.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Planned {
    fn get(&mut self, subject: Subject, seen: Seen, plan: impl FnOnce() -> Option<Arc<Resource>>) -> Option<Arc<Resource>> {
        if let Some(known) = self.by_subject.get(&subject).and_then(|named| named.get(&seen)) {
            return Some(known.clone());
        }
        // What does not exist is found out as fast as it is looked up.
        let resource = plan()?;
        if self.count >= PLANNED_MAX {
            *self = Self::default();
        }
        self.count += 1;
        self.by_subject.entry(subject).or_default().insert(seen, resource.clone());
        Some(resource)
    }

    fn forget(&mut self, subject: &Subject) {
        if let Some(named) = self.by_subject.remove(subject) {
            self.count -= named.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::{
        Object, Protocol,
        routes::tests::{key_in, route},
        tests::{endpoint, key, pod, service, slice},
    };
    use crate::plan::tests::mesh;

    const CART: &str = "cart.shop.svc.cluster.local:80";

    fn shop() -> Vec<Change> {
        let objects = [
            Object::Service(service("cart", "10.96.0.5", Protocol::Auto)),
            Object::Slice(slice("cart", vec![endpoint("a", "10.77.0.5")])),
            Object::Pod(pod("a", "10.77.0.5")),
        ];
        objects.into_iter().map(Change::Apply).collect()
    }

    #[test]
    fn nothing_is_loaded_before_the_first_reading_even_of_nothing() {
        let state = State::new(mesh());
        assert!(!state.is_loaded());
        state.take(Vec::new());
        assert!(state.is_loaded());
        assert_eq!(state.generation(), Some(0));
    }

    #[test]
    fn what_was_planned_is_planned_again_when_it_is_touched() {
        let state = State::new(mesh());
        state.take(shop());
        let ask = |kind| state.resource(None, kind, CART).unwrap();
        let (cluster, endpoints) = (ask(Kind::Cluster), ask(Kind::Endpoints));
        assert!(Arc::ptr_eq(&endpoints, &ask(Kind::Endpoints)));
        let mut news = state.news();
        state.take(vec![Change::Apply(Object::Slice(slice("cart", Vec::new())))]);
        assert!(news.try_recv().unwrap().touched.contains(&Subject::Service(key("cart"))));
        assert_ne!(endpoints.version, ask(Kind::Endpoints).version);
        assert_eq!(cluster.version, ask(Kind::Cluster).version);
        state.take(vec![Change::Apply(Object::Slice(slice("cart", Vec::new())))]);
        assert!(news.try_recv().is_err(), "the same again is no news");
    }

    #[test]
    fn each_is_told_the_routes_that_are_for_him() {
        let state = State::new(mesh());
        state.take(shop());
        let ask = |namespace: &str| state.resource(Some(&key_in(namespace, "caller")), Kind::Route, CART).unwrap();
        assert!(Arc::ptr_eq(&ask("shop"), &ask("other")), "as long as they are the same they are planned once");
        let theirs = route("other", "theirs", &key("cart"), &key("gone"));
        state.take(vec![Change::Apply(Object::Route(theirs))]);
        assert_ne!(ask("shop").version, ask("other").version);
        assert!(Arc::ptr_eq(&ask("shop"), &ask("third")));
    }
}
