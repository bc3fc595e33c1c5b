//! What is known of the cluster, in memory: services, the endpoints behind them, pods.
//!
//! In: objects applied and deleted. Out: lookups. Synchronous, and it knows neither files nor Kubernetes clients nor servers.

mod nouns;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::IpAddr,
};

pub(crate) use nouns::{Endpoint, Key, Object, Pod, Protocol, Service, ServicePort, Slice, SlicePort};

/// The cluster as it was last heard of.
#[derive(Debug, Default)]
pub(crate) struct Index {
    services: BTreeMap<Key, Service>,
    slices: BTreeMap<Key, Slice>,
    pods: BTreeMap<Key, Pod>,
    services_by_address: HashMap<IpAddr, Key>,
    slices_by_service: BTreeMap<Key, BTreeSet<Key>>,
    pods_by_address: HashMap<IpAddr, Key>,
    pods_by_token: HashMap<String, Key>,
}

/// How many objects of each kind there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sizes {
    pub(crate) services: usize,
    pub(crate) slices: usize,
    pub(crate) pods: usize,
}

impl Index {
    /// Takes in an object, new or changed. Returns whether anything changed.
    pub(crate) fn apply(&mut self, object: Object) -> bool {
        match object {
            Object::Service(service) if self.services.get(&service.key) == Some(&service) => false,
            Object::Slice(slice) if self.slices.get(&slice.key) == Some(&slice) => false,
            Object::Pod(pod) if self.pods.get(&pod.key) == Some(&pod) => false,
            Object::Service(service) => {
                self.delete_service(&service.key);
                self.services_by_address.extend(service.addresses.iter().map(|address| (*address, service.key.clone())));
                self.services.insert(service.key.clone(), service);
                true
            }
            Object::Slice(slice) => {
                self.delete_slice(&slice.key);
                self.slices_by_service.entry(slice.service.clone()).or_default().insert(slice.key.clone());
                self.slices.insert(slice.key.clone(), slice);
                true
            }
            Object::Pod(pod) => {
                self.delete_pod(&pod.key);
                self.pods_by_address.extend(pod.addresses.iter().map(|address| (*address, pod.key.clone())));
                self.pods_by_token.extend(pod.token.iter().map(|token| (token.clone(), pod.key.clone())));
                self.pods.insert(pod.key.clone(), pod);
                true
            }
        }
    }

    /// Forgets everything that is not among `kept`; what is left of each kind is what its keys name. Returns whether
    /// anything changed.
    pub(crate) fn retain(&mut self, kept: &BTreeSet<(nouns::Kind, Key)>) -> bool {
        let gone =
            |kind: nouns::Kind, keys: Vec<Key>| keys.into_iter().filter(|key| !kept.contains(&(kind, key.clone()))).collect();
        let services: Vec<Key> = gone(nouns::Kind::Service, self.services.keys().cloned().collect());
        let slices: Vec<Key> = gone(nouns::Kind::Slice, self.slices.keys().cloned().collect());
        let pods: Vec<Key> = gone(nouns::Kind::Pod, self.pods.keys().cloned().collect());
        services.iter().for_each(|key| self.delete_service(key));
        slices.iter().for_each(|key| self.delete_slice(key));
        pods.iter().for_each(|key| self.delete_pod(key));
        !(services.is_empty() && slices.is_empty() && pods.is_empty())
    }

    /// A service.
    pub(crate) fn service(&self, key: &Key) -> Option<&Service> {
        self.services.get(key)
    }

    /// All services, in the order of their keys.
    pub(crate) fn services(&self) -> impl Iterator<Item = &Service> {
        self.services.values()
    }

    /// The service with a virtual address.
    pub(crate) fn service_at(&self, address: IpAddr) -> Option<&Service> {
        self.services.get(self.services_by_address.get(&address)?)
    }

    /// The slices of a service, in the order of their keys.
    pub(crate) fn slices(&self, service: &Key) -> impl Iterator<Item = &Slice> {
        self.slices_by_service.get(service).into_iter().flatten().filter_map(|key| self.slices.get(key))
    }

    /// A pod.
    pub(crate) fn pod(&self, key: &Key) -> Option<&Pod> {
        self.pods.get(key)
    }

    /// The pod with an address.
    pub(crate) fn pod_at(&self, address: IpAddr) -> Option<&Pod> {
        self.pods.get(self.pods_by_address.get(&address)?)
    }

    /// The pod whose proxy may show the token with this hash.
    pub(crate) fn pod_with_token(&self, hash: &str) -> Option<&Pod> {
        self.pods.get(self.pods_by_token.get(hash)?)
    }

    /// How much there is.
    pub(crate) fn sizes(&self) -> Sizes {
        Sizes { services: self.services.len(), slices: self.slices.len(), pods: self.pods.len() }
    }

    fn delete_service(&mut self, key: &Key) {
        if self.services.remove(key).is_some() {
            self.services_by_address.retain(|_, owner| owner != key);
        }
    }

    fn delete_slice(&mut self, key: &Key) {
        if let Some(slice) = self.slices.remove(key)
            && let Some(slices) = self.slices_by_service.get_mut(&slice.service)
        {
            slices.remove(key);
        }
    }

    fn delete_pod(&mut self, key: &Key) {
        if self.pods.remove(key).is_some() {
            self.pods_by_address.retain(|_, owner| owner != key);
            self.pods_by_token.retain(|_, owner| owner != key);
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn key(name: &str) -> Key {
        Key { namespace: "shop".into(), name: name.into() }
    }

    pub(crate) fn pod(name: &str, address: &str) -> Pod {
        Pod {
            key: key(name),
            uid: format!("uid-{name}"),
            addresses: vec![address.parse().unwrap()],
            service_account: "cart".into(),
            workload: "cart-v1".into(),
            meshed: true,
            token: Some(format!("hash-{name}")),
            ports: Vec::new(),
        }
    }

    #[test]
    fn an_address_belongs_to_the_pod_that_has_it_now() {
        let mut index = Index::default();
        index.apply(Object::Pod(pod("a", "10.77.0.5")));
        assert!(index.apply(Object::Pod(pod("a", "10.77.0.6"))));
        assert!(index.pod_at("10.77.0.5".parse().unwrap()).is_none());
        assert_eq!(index.pod_at("10.77.0.6".parse().unwrap()).unwrap().key, key("a"));
    }

    #[test]
    fn the_same_object_again_changes_nothing() {
        let mut index = Index::default();
        assert!(index.apply(Object::Pod(pod("a", "10.77.0.5"))));
        assert!(!index.apply(Object::Pod(pod("a", "10.77.0.5"))));
    }

    #[test]
    fn what_is_not_kept_is_forgotten_with_all_that_points_at_it() {
        let mut index = Index::default();
        index.apply(Object::Pod(pod("a", "10.77.0.5")));
        index.apply(Object::Pod(pod("b", "10.77.0.6")));
        let kept = [(nouns::Kind::Pod, key("a"))].into_iter().collect();
        assert!(index.retain(&kept));
        assert!(index.pod_at("10.77.0.6".parse().unwrap()).is_none());
        assert!(index.pod_with_token("hash-b").is_none());
        assert!(!index.retain(&kept));
    }
}
