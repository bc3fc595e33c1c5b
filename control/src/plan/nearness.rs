//! From where a service is called, where that matters: which of its endpoints count there.
//!
//! Kubernetes has two words for it. `internalTrafficPolicy: Local` leaves a caller the endpoints on its own node and no others.
//! `trafficDistribution` and topology-aware routing become hints in the endpoint slices, and hints are advice: they are taken
//! when every ready endpoint has some and at least one names the caller's node or zone. Source: "Topology" in Kubernetes'
//! documentation of virtual IPs and service proxies, and `CategorizeEndpoints` of kube-proxy, whose answers these are.
//!
//! A traffic policy has a third: of those that count, the ones in the caller's zone go first.

use crate::index::{Endpoint, Index, Key, Service, ServicePort, Slice, traffic::Zones};

/// Where a caller is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    node: String,
    zone: Option<String>,
}

/// Which endpoints of a service count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counting<'a> {
    All,
    /// Those on this node.
    OnNode(&'a str),
    /// Those meant for this node.
    MeantForNode(&'a str),
    /// Those meant for this zone.
    MeantForZone(&'a str),
}

impl Place {
    /// Where `viewer` calls a port of `service` from; `None` when it is the same from everywhere, or `viewer` is nowhere.
    pub(super) fn of(index: &Index, viewer: Option<&Key>, service: &Service, port: &ServicePort) -> Option<Self> {
        let by_node = service.stays_on_node || Hinted::of(index, service) != Hinted::default();
        if !by_node && !prefers_zone(index, service, port) {
            return None;
        }
        let node = index.pod(viewer?)?.node.clone();
        let zone = index.zone_of(&node).map(str::to_owned);
        // Where only zones count, all nodes of one are the same place.
        Some(Self { node: if by_node { node } else { String::new() }, zone })
    }

    /// The zone whose endpoints of a port go first, if any do.
    pub(super) fn first_zone(&self, index: &Index, service: &Service, port: &ServicePort) -> Option<&str> {
        self.zone.as_deref().filter(|_| prefers_zone(index, service, port))
    }

    /// Which endpoints of `service` count here.
    pub(super) fn counting(&self, index: &Index, service: &Service) -> Counting<'_> {
        if service.stays_on_node {
            return Counting::OnNode(&self.node);
        }
        let hinted = Hinted::of(index, service);
        let some = |means: &dyn Fn(&Endpoint) -> bool| ready(index, service).any(means);
        if hinted.by_node && some(&|endpoint| endpoint.meant_for.nodes.contains(&self.node)) {
            return Counting::MeantForNode(&self.node);
        }
        match &self.zone {
            Some(zone) if hinted.by_zone && some(&|endpoint| endpoint.meant_for.zones.contains(zone)) => {
                Counting::MeantForZone(zone)
            }
            _ => Counting::All,
        }
    }
}

fn prefers_zone(index: &Index, service: &Service, port: &ServicePort) -> bool {
    index.traffic_of_service(service, port).zones == Some(Zones::Prefer)
}

impl Counting<'_> {
    /// Whether `endpoint` is among them.
    pub(super) fn counts(self, endpoint: &Endpoint) -> bool {
        let has = |names: &[String], name: &str| names.iter().any(|known| known == name);
        match self {
            Self::All => true,
            Self::OnNode(node) => endpoint.node == node,
            Self::MeantForNode(node) => has(&endpoint.meant_for.nodes, node),
            Self::MeantForZone(zone) => has(&endpoint.meant_for.zones, zone),
        }
    }
}

/// Whether every ready endpoint of a service says whom it is meant for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Hinted {
    by_node: bool,
    by_zone: bool,
}

impl Hinted {
    fn of(index: &Index, service: &Service) -> Self {
        let mut hinted = Self::default();
        for (position, endpoint) in ready(index, service).enumerate() {
            let Endpoint { meant_for, .. } = endpoint;
            hinted.by_node = (hinted.by_node || position == 0) && !meant_for.nodes.is_empty();
            hinted.by_zone = (hinted.by_zone || position == 0) && !meant_for.zones.is_empty();
            if hinted == Self::default() {
                break;
            }
        }
        hinted
    }
}

fn ready<'a>(index: &'a Index, service: &Service) -> impl Iterator<Item = &'a Endpoint> {
    index.slices(&service.key).flat_map(|slice: &Slice| &slice.endpoints).filter(|endpoint| endpoint.ready)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::{
        Hints, Object, Pod, Protocol,
        tests::{endpoint, key, node, pod, service, slice},
    };

    /// Two callers on two nodes of two zones, and one endpoint on each.
    fn cluster(service: Service, hints: [Hints; 2]) -> Index {
        let mut index = Index::default();
        for (zone, node_name) in [("a", "n1"), ("b", "n2")] {
            index.apply(Object::Node(node(node_name, zone)));
            let caller = Pod { node: node_name.into(), ..pod(&format!("caller-{zone}"), "10.77.0.9") };
            index.apply(Object::Pod(caller));
        }
        let [near, far] = hints;
        let near = Endpoint { node: "n1".into(), meant_for: near, ..endpoint("x", "10.77.0.5") };
        let far = Endpoint { node: "n2".into(), meant_for: far, ..endpoint("y", "10.77.0.6") };
        index.apply(Object::Slice(slice(&service.key.name.clone(), vec![near, far])));
        index.apply(Object::Service(service));
        index
    }

    fn counted(index: &Index, caller: &str) -> Vec<String> {
        let service = index.service(&key("cart")).unwrap();
        let place = Place::of(index, Some(&key(caller)), service, &service.ports[0]);
        let counting = place.as_ref().map_or(Counting::All, |place| place.counting(index, service));
        let endpoints = index.slices(&service.key).flat_map(|slice| &slice.endpoints);
        endpoints.filter(|endpoint| counting.counts(endpoint)).map(|endpoint| endpoint.node.clone()).collect()
    }

    fn cart() -> Service {
        service("cart", "10.96.0.5", Protocol::Auto)
    }

    fn zones(names: &[&str]) -> Hints {
        Hints { zones: names.iter().map(|name| (*name).to_owned()).collect(), ..Hints::default() }
    }

    fn nodes(names: &[&str]) -> Hints {
        Hints { nodes: names.iter().map(|name| (*name).to_owned()).collect(), ..zones(&["a", "b"]) }
    }

    #[test]
    fn a_service_is_the_same_from_everywhere_unless_something_says_otherwise() {
        let index = cluster(cart(), [Hints::default(), Hints::default()]);
        let service = index.service(&key("cart")).unwrap();
        assert_eq!(Place::of(&index, Some(&key("caller-a")), service, &service.ports[0]), None);
        assert_eq!(counted(&index, "caller-a"), ["n1", "n2"]);
    }

    #[test]
    fn what_stays_on_its_node_counts_there_alone_and_nowhere_else_if_there_is_none() {
        let index = cluster(Service { stays_on_node: true, ..cart() }, [zones(&["b"]), zones(&["b"])]);
        assert_eq!(counted(&index, "caller-a"), ["n1"]);
        let mut index = index;
        index.apply(Object::Pod(Pod { node: "n3".into(), ..pod("caller-c", "10.77.0.8") }));
        assert!(counted(&index, "caller-c").is_empty());
    }

    #[test]
    fn hints_of_zones_are_taken_when_all_have_them_and_one_is_for_us() {
        let index = cluster(cart(), [zones(&["a"]), zones(&["b"])]);
        assert_eq!(counted(&index, "caller-a"), ["n1"]);
        assert_eq!(counted(&index, "caller-b"), ["n2"]);
        let partly = cluster(cart(), [zones(&["a"]), Hints::default()]);
        assert_eq!(counted(&partly, "caller-a"), ["n1", "n2"]);
        let elsewhere = cluster(cart(), [zones(&["c"]), zones(&["b"])]);
        assert_eq!(counted(&elsewhere, "caller-a"), ["n1", "n2"]);
    }

    #[test]
    fn hints_of_nodes_go_before_those_of_zones() {
        let index = cluster(cart(), [nodes(&["n1"]), nodes(&["n2"])]);
        assert_eq!(counted(&index, "caller-b"), ["n2"]);
        let elsewhere = cluster(cart(), [nodes(&["n3"]), nodes(&["n3"])]);
        assert_eq!(counted(&elsewhere, "caller-b"), ["n1", "n2"]);
    }
}
