//! What is known of the cluster, in memory: services, the endpoints behind them, pods.
//!
//! In: objects applied and deleted; each says what it touched. Out: lookups. Synchronous, and it knows neither files nor
//! Kubernetes clients nor servers.

pub(crate) mod authorizations;
mod lookup;
mod nouns;
mod peers;
mod policy;
mod protocol;
pub(crate) mod routes;
mod subject;
pub(crate) mod traffic;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use authorizations::{AuthorizationPolicies, AuthorizationPolicy, Authorizations};
use lookup::Lookup;
use nouns::in_namespace;
pub(crate) use nouns::{
    Change, Edition, Endpoint, Hints, Identity, Key, Kind, Namespace, Node, Object, Pod, Service, ServicePort, Slice, SlicePort,
};
use peers::PeerAuthentications;
pub(crate) use peers::{PeerAuthentication, Proof, Proofs};
pub(crate) use policy::DefaultPolicy;
pub(crate) use protocol::Protocol;
use routes::{Route, RouteId, RouteKind, Routes};
pub(crate) use subject::{Subject, Touched};
use traffic::{Attached, PolicyId, PolicyKind, RateLimit, Said, TrafficPolicies, TrafficPolicy, Zones};

/// The cluster as it was last heard of.
#[derive(Debug, Default)]
pub(crate) struct Index {
    services: BTreeMap<Key, Service>,
    slices: BTreeMap<Key, Slice>,
    pods: BTreeMap<Key, Pod>,
    nodes: BTreeMap<Key, Node>,
    namespaces: BTreeMap<Key, Namespace>,
    /// Policies in it are for the whole mesh.
    root_namespace: String,
    peer_authentications: PeerAuthentications,
    authorization_policies: AuthorizationPolicies,
    routes: Routes,
    traffic_policies: TrafficPolicies,
    services_by_address: Lookup<IpAddr>,
    slices_by_service: Lookup<Key>,
    slices_by_pod: Lookup<Key>,
    slices_by_address: Lookup<IpAddr>,
    pods_by_address: Lookup<IpAddr>,
    pods_by_token: Lookup<String>,
    pods_by_uid: Lookup<String>,
}

/// How many objects of each kind there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sizes {
    pub(crate) services: usize,
    pub(crate) slices: usize,
    pub(crate) pods: usize,
    pub(crate) policies: usize,
    pub(crate) authorization_policies: usize,
    pub(crate) routes: BTreeMap<RouteKind, usize>,
    pub(crate) traffic_policies: BTreeMap<PolicyKind, usize>,
}

impl Index {
    /// An empty one, of a mesh for whose whole the policies in `root_namespace` are.
    pub(crate) fn new(root_namespace: &str) -> Self {
        Self { root_namespace: root_namespace.to_owned(), ..Self::default() }
    }
}

/// Applying and deleting. What is returned is empty when nothing changed.
impl Index {
    /// Takes in what became of an object.
    pub(crate) fn take(&mut self, change: Change) -> Touched {
        match change {
            Change::Apply(object) => self.apply(object),
            Change::Delete(identity) => self.delete(&identity),
        }
    }

    /// Takes in an object, new or changed.
    pub(crate) fn apply(&mut self, object: Object) -> Touched {
        match object {
            Object::Service(service) if self.services.get(&service.key) == Some(&service) => Touched::new(),
            Object::Slice(slice) if self.slices.get(&slice.key) == Some(&slice) => Touched::new(),
            Object::Pod(pod) if self.pods.get(&pod.key) == Some(&pod) => Touched::new(),
            Object::Node(node) if self.nodes.get(&node.key) == Some(&node) => Touched::new(),
            Object::Namespace(namespace) if self.namespaces.get(&namespace.key) == Some(&namespace) => Touched::new(),
            Object::PeerAuthentication(found) if self.peer_authentications.get(&found.key) == Some(&found) => Touched::new(),
            Object::AuthorizationPolicy(found) if self.authorization_policies.get(&found.key) == Some(&found) => Touched::new(),
            Object::Route(route) if self.routes.get(&route.id()) == Some(&route) => Touched::new(),
            Object::ReferenceGrant(grant) if self.routes.grant(&grant.key) == Some(&grant) => Touched::new(),
            Object::TrafficPolicy(policy) if self.traffic_policies.get(&policy.id()) == Some(&*policy) => Touched::new(),
            Object::Service(service) => self.put_service(service),
            Object::Slice(slice) => self.put_slice(slice),
            Object::Pod(pod) => self.put_pod(pod),
            Object::Node(node) => self.put_node(node),
            Object::Namespace(namespace) => self.put_namespace(namespace),
            Object::PeerAuthentication(found) => self.put_peer_authentication(found),
            Object::AuthorizationPolicy(found) => self.put_authorization_policy(found),
            Object::Route(route) => {
                let touched = self.routes.insert(route);
                self.with_addresses(touched)
            }
            Object::ReferenceGrant(grant) => {
                let touched = self.routes.insert_grant(grant);
                self.with_addresses(touched)
            }
            Object::TrafficPolicy(policy) => self.put_traffic_policy(*policy),
        }
    }

    /// Forgets an object.
    pub(crate) fn delete(&mut self, (kind, key): &Identity) -> Touched {
        match kind {
            Kind::Service => self.delete_service(key),
            Kind::Slice => self.delete_slice(key),
            Kind::Pod => self.delete_pod(key),
            Kind::Node => self.delete_node(key),
            Kind::Namespace => self.delete_namespace(key),
            Kind::PeerAuthentication => self.delete_peer_authentication(key),
            Kind::AuthorizationPolicy => self.delete_authorization_policy(key),
            Kind::Route(kind) => {
                let touched = self.routes.remove(&(*kind, key.clone()));
                self.with_addresses(touched)
            }
            Kind::ReferenceGrant => {
                let touched = self.routes.remove_grant(key);
                self.with_addresses(touched)
            }
            Kind::TrafficPolicy(kind) => self.delete_traffic_policy(&(*kind, key.clone())),
        }
    }

    fn put_service(&mut self, service: Service) -> Touched {
        let mut touched = self.delete_service(&service.key);
        for address in &service.addresses {
            self.services_by_address.insert(*address, &service.key);
        }
        touched.extend(self.seen_through_service(&service));
        self.services.insert(service.key.clone(), service);
        touched
    }

    fn delete_service(&mut self, key: &Key) -> Touched {
        let Some(service) = self.services.remove(key) else { return Touched::new() };
        for address in &service.addresses {
            self.services_by_address.remove(address, key);
        }
        self.seen_through_service(&service)
    }

    /// A service is seen in what it is itself, at its addresses, in the pods behind it, since it declares what they speak, and in
    /// the services whose routes lead to it.
    fn seen_through_service(&self, service: &Service) -> Touched {
        let mut touched: Touched = service.addresses.iter().map(|address| Subject::Address(*address)).collect();
        touched.insert(Subject::Service(service.key.clone()));
        for slice in self.slices(&service.key) {
            touched.extend(self.seen_through_members(&members(slice)));
        }
        touched.extend(self.with_addresses(self.routes.seen_through_backend(&service.key)));
        touched
    }

    /// What becomes of connections to services is seen at their addresses, too.
    fn with_addresses(&self, mut touched: Touched) -> Touched {
        let services: Vec<&Service> = touched
            .iter()
            .filter_map(|subject| match subject {
                Subject::Service(key) => self.services.get(key),
                Subject::Address(_) | Subject::Pod(_) => None,
            })
            .collect();
        touched.extend(services.into_iter().flat_map(|service| &service.addresses).map(|address| Subject::Address(*address)));
        touched
    }

    fn put_slice(&mut self, slice: Slice) -> Touched {
        let before = self.slices.get(&slice.key).map(|before| (before.ports.clone(), members(before)));
        let mut touched = self.remove_slice(&slice.key);
        for endpoint in &slice.endpoints {
            self.slices_by_address.insert(endpoint.address, &slice.key);
            if let Some(pod) = &endpoint.pod {
                self.slices_by_pod.insert(pod.clone(), &slice.key);
            }
        }
        self.slices_by_service.insert(slice.service.clone(), &slice.key);
        touched.insert(Subject::Service(slice.service.clone()));
        let now = members(&slice);
        let changed = match before {
            // Who became ready or is leaving is nothing to the members themselves.
            Some((ports, before)) if ports == slice.ports => &before ^ &now,
            Some((_, before)) => &before | &now,
            None => now,
        };
        touched.extend(self.seen_through_members(&changed));
        self.slices.insert(slice.key.clone(), slice);
        touched
    }

    fn delete_slice(&mut self, key: &Key) -> Touched {
        let left = self.slices.get(key).map(members).unwrap_or_default();
        let mut touched = self.remove_slice(key);
        touched.extend(self.seen_through_members(&left));
        touched
    }

    fn remove_slice(&mut self, key: &Key) -> Touched {
        let Some(slice) = self.slices.remove(key) else { return Touched::new() };
        for endpoint in &slice.endpoints {
            self.slices_by_address.remove(&endpoint.address, key);
            if let Some(pod) = &endpoint.pod {
                self.slices_by_pod.remove(pod, key);
            }
        }
        self.slices_by_service.remove(&slice.service, key);
        Touched::from([Subject::Service(slice.service)])
    }

    /// Members of a slice are seen as the pods and at the addresses that it names, and at those of the pods that they are. Two
    /// pods on the network of their host have one address: it is seen through each of them.
    fn seen_through_members(&self, members: &BTreeSet<Member>) -> Touched {
        let mut touched = Touched::new();
        for (address, pod) in members {
            touched.insert(Subject::Address(*address));
            touched.extend(pod.iter().cloned().map(Subject::Pod));
            for pod in pod.iter().filter_map(|pod| self.pods.get(pod)).chain(self.pods_at(*address)) {
                touched.insert(Subject::Pod(pod.key.clone()));
                touched.extend(pod.addresses.iter().map(|address| Subject::Address(*address)));
            }
        }
        touched
    }

    fn put_pod(&mut self, pod: Pod) -> Touched {
        let mut touched = self.delete_pod(&pod.key);
        for address in &pod.addresses {
            self.pods_by_address.insert(*address, &pod.key);
        }
        if let Some(token) = &pod.token {
            self.pods_by_token.insert(token.clone(), &pod.key);
        }
        self.pods_by_uid.insert(pod.uid.clone(), &pod.key);
        touched.extend(self.seen_through_pod(&pod));
        self.pods.insert(pod.key.clone(), pod);
        touched
    }

    fn delete_pod(&mut self, key: &Key) -> Touched {
        let Some(pod) = self.pods.remove(key) else { return Touched::new() };
        for address in &pod.addresses {
            self.pods_by_address.remove(address, key);
        }
        if let Some(token) = &pod.token {
            self.pods_by_token.remove(token, key);
        }
        self.pods_by_uid.remove(&pod.uid, key);
        self.seen_through_pod(&pod)
    }

    /// A pod is seen in what it is itself, at its addresses, and in the services whose endpoint it is: they say who it is.
    fn seen_through_pod(&self, pod: &Pod) -> Touched {
        let mut touched: Touched = pod.addresses.iter().map(|address| Subject::Address(*address)).collect();
        touched.insert(Subject::Pod(pod.key.clone()));
        let by_address = pod.addresses.iter().flat_map(|address| self.slices_by_address.owners(address));
        for slice in self.slices_by_pod.owners(&pod.key).chain(by_address).filter_map(|key| self.slices.get(key)) {
            touched.insert(Subject::Service(slice.service.clone()));
        }
        touched
    }

    fn put_node(&mut self, node: Node) -> Touched {
        self.nodes.insert(node.key.clone(), node);
        self.seen_through_zones()
    }

    fn delete_node(&mut self, key: &Key) -> Touched {
        if self.nodes.remove(key).is_some() { self.seen_through_zones() } else { Touched::new() }
    }

    fn put_namespace(&mut self, namespace: Namespace) -> Touched {
        let touched = self.seen_through_namespace(&namespace.key.name);
        self.namespaces.insert(namespace.key.clone(), namespace);
        touched
    }

    fn delete_namespace(&mut self, key: &Key) -> Touched {
        if self.namespaces.remove(key).is_some() { self.seen_through_namespace(&key.name) } else { Touched::new() }
    }

    /// A namespace is seen in its pods.
    fn seen_through_namespace(&self, name: &str) -> Touched {
        in_namespace(&self.pods, name).map(|(key, _)| Subject::Pod(key.clone())).collect()
    }

    fn put_peer_authentication(&mut self, found: PeerAuthentication) -> Touched {
        let namespace = found.key.namespace.clone();
        self.peer_authentications.insert(found);
        self.seen_through_policy(&namespace)
    }

    fn delete_peer_authentication(&mut self, key: &Key) -> Touched {
        if self.peer_authentications.remove(key) { self.seen_through_policy(&key.namespace) } else { Touched::new() }
    }

    fn put_authorization_policy(&mut self, found: AuthorizationPolicy) -> Touched {
        let namespace = found.key.namespace.clone();
        self.authorization_policies.insert(found);
        self.seen_through_policy(&namespace)
    }

    fn delete_authorization_policy(&mut self, key: &Key) -> Touched {
        if self.authorization_policies.remove(key) { self.seen_through_policy(&key.namespace) } else { Touched::new() }
    }

    /// A policy is seen in the pods of its namespace; one of the namespace that speaks for the mesh, in all.
    fn seen_through_policy(&self, namespace: &str) -> Touched {
        match namespace == self.root_namespace {
            true => self.pods.keys().cloned().map(Subject::Pod).collect(),
            false => self.seen_through_namespace(namespace),
        }
    }

    fn put_traffic_policy(&mut self, policy: TrafficPolicy) -> Touched {
        let mut touched = self.seen_through_traffic_policy(&policy);
        if let Some(before) = self.traffic_policies.insert(policy) {
            touched.extend(self.seen_through_traffic_policy(&before));
        }
        touched
    }

    fn delete_traffic_policy(&mut self, id: &PolicyId) -> Touched {
        let Some(policy) = self.traffic_policies.remove(id) else { return Touched::new() };
        self.seen_through_traffic_policy(&policy)
    }

    /// A traffic policy is seen in the services that it is attached to, in the parents of the routes that lead there, and in those of
    /// the routes that it is attached to; and in the pods behind a service and at their addresses, since it, or one that counts in its
    /// place, may say how often they may be asked, and how they are called.
    fn seen_through_traffic_policy(&self, policy: &TrafficPolicy) -> Touched {
        let mut touched = Touched::new();
        for target in &policy.targets {
            match target {
                Attached::Service(service, _) => {
                    touched.insert(Subject::Service(service.clone()));
                    touched.extend(self.routes.seen_through_backend(service));
                    touched.extend(self.slices(service).flat_map(|slice| self.seen_through_members(&members(slice))));
                }
                Attached::Route(kind, key, _) => touched.extend(self.routes.seen_through_policy(&(*kind, key.clone()))),
            }
        }
        touched
    }

    /// A node is seen in the services whose endpoints are meant for some zones, or go by zone: who calls from it is in another zone
    /// now.
    fn seen_through_zones(&self) -> Touched {
        let by_zone = |slice: &&Slice| slice.endpoints.iter().any(|endpoint| !endpoint.meant_for.zones.is_empty());
        let meant = self.slices.values().filter(by_zone).map(|slice| &slice.service);
        let prefers = |policy: &&TrafficPolicy| policy.said.zones == Some(Zones::Prefer);
        let preferred = self.traffic_policies.all().filter(prefers).flat_map(|policy| &policy.targets).map(Attached::key);
        meant.chain(preferred).cloned().map(Subject::Service).collect()
    }
}

/// An endpoint, whatever state it is in: its address, and the pod that it is.
type Member = (IpAddr, Option<Key>);

fn members(slice: &Slice) -> BTreeSet<Member> {
    slice.endpoints.iter().map(|endpoint| (endpoint.address, endpoint.pod.clone())).collect()
}

/// Looking up.
impl Index {
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
        self.services_by_address.owners(&address).find_map(|key| self.services.get(key))
    }

    /// The slices of a service, in the order of their keys.
    pub(crate) fn slices(&self, service: &Key) -> impl Iterator<Item = &Slice> {
        self.slices_by_service.owners(service).filter_map(|key| self.slices.get(key))
    }

    /// A pod.
    pub(crate) fn pod(&self, key: &Key) -> Option<&Pod> {
        self.pods.get(key)
    }

    /// All pods, in the order of their keys.
    pub(crate) fn pods(&self) -> impl Iterator<Item = &Pod> {
        self.pods.values()
    }

    /// The zone of a node; `None` when it is in none, or not known.
    pub(crate) fn zone_of(&self, node: &str) -> Option<&str> {
        let node = self.nodes.get(&Key::of_cluster(node))?;
        Some(node.zone.as_str()).filter(|zone| !zone.is_empty())
    }

    /// Who may call a pod, if it or its namespace says so.
    pub(crate) fn default_policy(&self, pod: &Pod) -> Option<DefaultPolicy> {
        let of_namespace = || self.namespaces.get(&Key::of_cluster(&pod.key.namespace))?.default_policy;
        pod.default_policy.or_else(of_namespace)
    }

    /// What is asked of the callers of a pod.
    pub(crate) fn proofs(&self, pod: &Pod) -> Proofs {
        self.peer_authentications.of(pod, &self.root_namespace)
    }

    /// Who may do what at a pod.
    pub(crate) fn authorizations(&self, pod: &Pod) -> Authorizations<'_> {
        let ports: Vec<_> = self.led_to(pod).collect();
        self.authorization_policies.of(pod, &self.root_namespace, &ports)
    }

    /// All routes, in the order of their kinds and keys.
    pub(crate) fn routes(&self) -> impl Iterator<Item = &Route> {
        self.routes.all()
    }

    /// A route.
    pub(crate) fn route(&self, id: &RouteId) -> Option<&Route> {
        self.routes.get(id)
    }

    /// The routes of what is asked of a port from `namespace`: all of one kind, in the order of their keys.
    pub(crate) fn routes_of(&self, service: &Service, port: &ServicePort, namespace: Option<&str>) -> Vec<&Route> {
        self.routes.of(service, port, namespace)
    }

    /// Those of the routes that were written in `namespace` that count at a port.
    pub(crate) fn routes_written_in(&self, namespace: &str, service: &Service, port: &ServicePort) -> Vec<&Route> {
        self.routes.written_in(namespace, service, port)
    }

    /// Namespaces of consumers who have routes of their own to a port.
    pub(crate) fn consumers(&self, service: &Service, port: &ServicePort) -> BTreeSet<&str> {
        self.routes.consumers(service, port)
    }

    /// Whether `route` may name `service`.
    pub(crate) fn may_name(&self, route: &Route, service: &Key) -> bool {
        self.routes.may_name(route, service)
    }

    /// All policies of who may do what, in the order of their keys.
    pub(crate) fn authorization_policies(&self) -> impl Iterator<Item = &AuthorizationPolicy> {
        self.authorization_policies.all()
    }

    /// A policy of who may do what.
    pub(crate) fn authorization_policy(&self, key: &Key) -> Option<&AuthorizationPolicy> {
        self.authorization_policies.get(key)
    }

    /// All policies of whether callers must prove who they are, in the order of their keys.
    pub(crate) fn peer_authentications(&self) -> impl Iterator<Item = &PeerAuthentication> {
        self.peer_authentications.all()
    }

    /// A policy of whether callers must prove who they are.
    pub(crate) fn peer_authentication(&self, key: &Key) -> Option<&PeerAuthentication> {
        self.peer_authentications.get(key)
    }

    /// All traffic policies, in the order of their keys.
    pub(crate) fn traffic_policies(&self) -> impl Iterator<Item = &TrafficPolicy> {
        self.traffic_policies.all()
    }

    /// A traffic policy.
    pub(crate) fn traffic_policy(&self, id: &PolicyId) -> Option<&TrafficPolicy> {
        self.traffic_policies.get(id)
    }

    /// The traffic policy that counts of those of a kind that are attached to `target`.
    pub(crate) fn traffic_policy_at(&self, kind: PolicyKind, target: &Attached) -> Option<&TrafficPolicy> {
        self.traffic_policies.at(kind, target)
    }

    /// What traffic policies say of a service's port.
    pub(crate) fn traffic_of_service(&self, service: &Service, port: &ServicePort) -> Said {
        self.traffic_policies.of_service(service, port)
    }

    /// What they say of a rule, by its name, of a route of a service's port.
    pub(crate) fn traffic_of_rule(&self, service: &Service, port: &ServicePort, route: &RouteId, rule: &str) -> Said {
        self.traffic_policies.of_rule(service, port, route, rule)
    }

    /// What they say of calls to a pod's port by its own address: those for the headless services that lead there, section by
    /// section, and of several services the one whose name comes first.
    pub(crate) fn traffic_of_pod(&self, pod: &Pod, port: u16) -> Said {
        let headless = self.led_to(pod).filter(|(led, service, _)| *led == port && service.is_headless());
        self.traffic_policies.of_pod(headless.map(|(_, service, declared)| (service, declared)))
    }

    /// The pods with an address: more than one on the network of their host.
    pub(crate) fn pods_at(&self, address: IpAddr) -> impl Iterator<Item = &Pod> {
        self.pods_by_address.owners(&address).filter_map(|key| self.pods.get(key))
    }

    /// The pod whose proxy may show the token with this hash.
    pub(crate) fn pod_with_token(&self, hash: &str) -> Option<&Pod> {
        self.pods_by_token.owners(&hash.to_owned()).find_map(|key| self.pods.get(key))
    }

    /// The pod with a UID.
    pub(crate) fn pod_with_uid(&self, uid: &str) -> Option<&Pod> {
        self.pods_by_uid.owners(&uid.to_owned()).find_map(|key| self.pods.get(key))
    }

    /// What a pod's ports speak: what it declares itself, and else what the services that lead to it declare.
    pub(crate) fn ports_of(&self, pod: &Pod) -> BTreeMap<u16, Protocol> {
        let mut ports = BTreeMap::new();
        for (port, _, declared) in self.led_to(pod).filter(|(.., declared)| declared.protocol != Protocol::Auto) {
            ports.insert(port, declared.protocol);
        }
        for (port, protocol) in &pod.ports {
            if *protocol != Protocol::Auto || !ports.contains_key(port) {
                ports.insert(*port, *protocol);
            }
        }
        ports
    }

    /// How often a pod's ports may be asked, as far as traffic policies of the services that lead to it say.
    pub(crate) fn rate_limits_of(&self, pod: &Pod) -> BTreeMap<u16, Vec<RateLimit>> {
        let mut limits: BTreeMap<u16, Vec<RateLimit>> = BTreeMap::new();
        for (port, service, declared) in self.led_to(pod) {
            let said = self.traffic_of_service(service, declared).rate_limits;
            if !said.is_empty() {
                limits.entry(port).or_default().extend(said);
            }
        }
        limits
    }

    /// The ports of a pod that services lead to, and which ports of theirs do.
    fn led_to(&self, pod: &Pod) -> impl Iterator<Item = (u16, &Service, &ServicePort)> {
        let by_address = pod.addresses.iter().flat_map(|address| self.slices_by_address.owners(address));
        let slices: BTreeSet<&Key> = self.slices_by_pod.owners(&pod.key).chain(by_address).collect();
        let slices = slices.into_iter().filter_map(|key| self.slices.get(key));
        let known = slices.filter_map(|slice| Some((slice, self.services.get(&slice.service)?)));
        known.flat_map(|(slice, service)| {
            let declared = |port: &SlicePort| service.ports.iter().find(|declared| declared.name == port.name);
            slice.ports.iter().filter_map(move |port| Some((port.port, service, declared(port)?)))
        })
    }

    /// How much there is.
    pub(crate) fn sizes(&self) -> Sizes {
        Sizes {
            services: self.services.len(),
            slices: self.slices.len(),
            pods: self.pods.len(),
            policies: self.peer_authentications.len(),
            authorization_policies: self.authorization_policies.len(),
            routes: self.routes.sizes(),
            traffic_policies: self.traffic_policies.sizes(),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
