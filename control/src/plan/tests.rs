//! What control says of a cluster, resource by resource.

use proptest::prelude::*;
use wire::envoy::config::{
    cluster::v3::Cluster,
    core::v3::HealthStatus,
    endpoint::v3::{ClusterLoadAssignment, LocalityLbEndpoints},
    listener::v3::Listener,
    route::v3::{RouteConfiguration, route::Action},
};

use super::*;
use crate::index::{
    Endpoint, Identity, Kind as ObjectKind, Namespace, Object, Pod, Protocol,
    routes::{
        Route, RouteKind,
        tests::{grant, key_in, route},
    },
    tests::{endpoint, key, node, pod, service, slice},
    traffic::{
        Attached, Balancer, HashOn, Limits, Said, TrafficPolicy, Zones,
        tests::{limited, policy},
    },
};

/// The pod `a` of [`shop`], by its own address.
const POD: &str = "pod/10.77.0.5:8080";

const CART: &str = "cart.shop.svc.cluster.local:80";

pub(crate) fn mesh() -> Mesh {
    Mesh {
        trust_domain: "cluster.local".parse().unwrap(),
        default_policy: DefaultPolicy::default(),
        root_namespace: "weft-system".into(),
    }
}

fn shop(protocol: Protocol) -> Index {
    let mut index = Index::default();
    index.apply(Object::Service(service("cart", "10.96.0.5", protocol)));
    index.apply(Object::Pod(pod("a", "10.77.0.5")));
    index.apply(Object::Pod(Pod { meshed: false, ..pod("b", "10.77.0.6") }));
    index.apply(Object::Pod(pod("c", "10.77.0.7")));
    let endpoints = vec![
        endpoint("a", "10.77.0.5"),
        Endpoint { ready: false, draining: true, ..endpoint("b", "10.77.0.6") },
        Endpoint { ready: false, ..endpoint("c", "10.77.0.7") },
        endpoint("not-heard-of", "10.77.0.8"),
    ];
    index.apply(Object::Slice(slice("cart", endpoints)));
    index
}

fn get<T: Message + Default>(index: &Index, kind: Kind, name: &str) -> Option<T> {
    let resource = resource(index, Some(&key("a")), &mesh(), kind, name)?;
    Some(T::decode(&*resource.body.value).unwrap())
}

#[test]
fn an_undeclared_port_takes_requests_and_bytes_and_a_declared_one_what_it_declares() {
    for (protocol, requests, bytes) in [(Protocol::Auto, true, true), (Protocol::Http, true, false), (Protocol::Tcp, false, true)]
    {
        let listener: Listener = get(&shop(protocol), Kind::Listener, "address/10.96.0.5:80").unwrap();
        assert_eq!(!listener.filter_chains.is_empty(), requests, "{protocol:?}");
        assert_eq!(listener.default_filter_chain.is_some(), bytes, "{protocol:?}");
    }
}

#[test]
fn endpoints_say_who_they_are_and_whether_they_are_leaving() {
    let assignment: ClusterLoadAssignment = get(&shop(Protocol::Auto), Kind::Endpoints, CART).unwrap();
    let endpoints: Vec<_> = assignment.endpoints.iter().flat_map(|locality| &locality.lb_endpoints).collect();
    let told: Vec<_> = endpoints
        .iter()
        .map(|endpoint| (endpoint.health_status(), names::metadata_text(endpoint.metadata.as_ref(), names::IDENTITY)))
        .collect();
    let cart = Some("spiffe://cluster.local/ns/shop/sa/cart");
    let expected = [(HealthStatus::Healthy, cart), (HealthStatus::Draining, None)];
    assert_eq!(told, expected, "what is not ready, and whose pod was not heard of, is left out");
}

#[test]
fn those_that_are_leaving_answer_when_nobody_else_does() {
    let mut index = shop(Protocol::Auto);
    index.apply(Object::Slice(slice("cart", vec![Endpoint { ready: false, draining: true, ..endpoint("b", "10.77.0.6") }])));
    let assignment: ClusterLoadAssignment = get(&index, Kind::Endpoints, CART).unwrap();
    assert_eq!(assignment.endpoints[0].lb_endpoints[0].health_status(), HealthStatus::Healthy);
}

#[test]
fn a_service_that_stays_on_its_node_is_another_from_each() {
    let mut index = shop(Protocol::Auto);
    index.apply(Object::Service(Service { stays_on_node: true, ..service("cart", "10.96.0.5", Protocol::Auto) }));
    index.apply(Object::Pod(Pod { node: "n2".into(), ..pod("far", "10.77.0.9") }));
    let near = View::of(&index, Some(&key("a")), Kind::Endpoints, CART);
    assert!(near.is_some() && near != View::of(&index, Some(&key("far")), Kind::Endpoints, CART));
    assert_eq!(View::of(&index, Some(&key("a")), Kind::Cluster, CART), None);
    let seen = |viewer: &str| {
        let found = resource(&index, Some(&key(viewer)), &mesh(), Kind::Endpoints, CART).unwrap();
        ClusterLoadAssignment::decode(&*found.body.value).unwrap().endpoints.len()
    };
    assert_eq!((seen("a"), seen("far")), (1, 0));
}

#[test]
fn a_proxy_is_told_who_may_call_its_app() {
    let mut index = shop(Protocol::Auto);
    let told = |index: &Index| {
        let inbound: Listener = get(index, Kind::Listener, names::INBOUND).unwrap();
        names::metadata_text(inbound.metadata.as_ref(), names::DEFAULT_POLICY).unwrap().to_owned()
    };
    assert_eq!(told(&index), "allow-all");
    index.apply(Object::Namespace(Namespace { key: Key::of_cluster("shop"), default_policy: Some(DefaultPolicy::Deny) }));
    assert_eq!(told(&index), "deny");
}

#[test]
fn a_cluster_says_how_long_its_callers_stay() {
    let mut index = shop(Protocol::Auto);
    let affinity = Some(std::time::Duration::from_secs(60));
    index.apply(Object::Service(Service { affinity, ..service("cart", "10.96.0.5", Protocol::Auto) }));
    let cluster: Cluster = get(&index, Kind::Cluster, CART).unwrap();
    assert_eq!(names::metadata_text(cluster.metadata.as_ref(), names::AFFINITY), Some("60"));
}

#[test]
fn a_bare_pod_address_leads_to_that_pod_alone() {
    let index = shop(Protocol::Auto);
    let routes: RouteConfiguration = get(&index, Kind::Route, "pod/10.77.0.5:9000").unwrap();
    assert_eq!(routes.name, "pod/10.77.0.5:9000");
    let assignment: ClusterLoadAssignment = get(&index, Kind::Endpoints, "pod/10.77.0.5:9000").unwrap();
    assert_eq!(assignment.endpoints[0].lb_endpoints.len(), 1);
    let listener: Listener = get(&index, Kind::Listener, "address/10.77.0.5:9000").unwrap();
    assert_eq!(names::metadata_text(listener.metadata.as_ref(), names::SERVICE), None);
}

#[test]
fn a_cluster_says_which_service_and_port_it_is() {
    let cluster: Cluster = get(&shop(Protocol::Grpc), Kind::Cluster, CART).unwrap();
    let text = |key| names::metadata_text(cluster.metadata.as_ref(), key);
    assert_eq!((text(names::SERVICE), text(names::NAMESPACE), text(names::PORT)), (Some("cart"), Some("shop"), Some("80")));
}

#[test]
fn a_proxy_is_told_what_its_own_ports_speak() {
    let inbound: Listener = get(&shop(Protocol::Grpc), Kind::Listener, names::INBOUND).unwrap();
    let chain = &inbound.filter_chains[0];
    assert_eq!(chain.filter_chain_match.as_ref().unwrap().destination_port, Some(8080));
    assert_eq!(names::metadata_text(chain.metadata.as_ref(), names::PROTOCOL), Some("grpc"), "as the service declares");
    assert!(inbound.default_filter_chain.is_some());
}

#[test]
fn a_proxy_is_told_how_often_its_own_ports_may_be_asked() {
    let mut index = shop(Protocol::Auto);
    let limits = |index: &Index| -> Vec<(Option<u32>, String)> {
        let inbound: Listener = get(index, Kind::Listener, names::INBOUND).unwrap();
        let told = inbound.filter_chains.iter().filter_map(|chain| {
            let text = names::metadata_text(chain.metadata.as_ref(), names::RATE_LIMITS)?.to_owned();
            Some((chain.filter_chain_match.as_ref()?.destination_port, text))
        });
        told.collect()
    };
    assert_eq!(limits(&index), []);
    let said = limited(policy("p", Attached::Service(key("cart"), None), 1));
    index.apply(Object::TrafficPolicy(Box::new(said)));
    assert_eq!(limits(&index), [(Some(8080), String::from("1/1000/1/all shop/p 0 Service shop/cart"))]);
}

#[test]
fn a_target_of_grpc_is_a_listener_with_the_routes_of_whoever_asks() {
    let mut index = shop(Protocol::Grpc);
    let target = "cart.shop:80";
    let asked = |index: &Index, namespace: &str| {
        let found = resource(index, Some(&key_in(namespace, "caller")), &mesh(), Kind::Listener, target).unwrap();
        Listener::decode(&*found.body.value).unwrap()
    };
    assert!(asked(&index, "shop").api_listener.is_some());
    assert_eq!(asked(&index, "shop"), asked(&index, "other"));
    assert_eq!(View::of(&index, Some(&key_in("other", "caller")), Kind::Listener, target), None);
    index.apply(Object::Route(route("other", "theirs", &key("cart"), &key("gone"))));
    assert_ne!(asked(&index, "shop"), asked(&index, "other"));
    assert!(View::of(&index, Some(&key_in("other", "caller")), Kind::Listener, target).is_some());
    assert!(resource(&shop(Protocol::Tcp), None, &mesh(), Kind::Listener, target).is_none(), "it takes no calls");
}

#[test]
fn what_nobody_has_is_no_resource() {
    let index = shop(Protocol::Auto);
    for name in ["address/10.96.0.5:81", "address/1.1.1.1:80", "address/x", "other", "cart.shop:81", "gone.shop:80"] {
        assert!(resource(&index, None, &mesh(), Kind::Listener, name).is_none(), "{name}");
    }
    assert!(resource(&index, None, &mesh(), Kind::Cluster, "cart.shop.svc.cluster.local:81").is_none());
    assert!(resource(&index, None, &mesh(), Kind::Listener, names::INBOUND).is_none(), "without a pod");
}

#[test]
fn versions_follow_the_content_and_nothing_else() {
    let version = |index: &Index| resource(index, None, &mesh(), Kind::Endpoints, CART).unwrap().version;
    let mut index = shop(Protocol::Auto);
    let before = version(&index);
    assert_eq!(before, version(&shop(Protocol::Auto)));
    // The same endpoints, heard of in another order.
    index.apply(Object::Slice(slice(
        "cart",
        vec![Endpoint { ready: false, draining: true, ..endpoint("b", "10.77.0.6") }, endpoint("a", "10.77.0.5")],
    )));
    assert_eq!(before, version(&index));
    index.delete(&(ObjectKind::Slice, key("cart-1")));
    assert_ne!(before, version(&index));
}

#[derive(Clone, Debug)]
enum Step {
    Apply(Object),
    Delete(Identity),
}

fn any_step() -> impl Strategy<Value = Step> {
    let name = || prop::sample::select(vec!["a", "b", "cart"]);
    let space = || prop::sample::select(vec!["shop", "other"]);
    let at = || prop::sample::select(vec!["10.77.0.5", "10.77.0.6", "10.96.0.5"]);
    let protocol = || prop::sample::select(vec![Protocol::Auto, Protocol::Grpc, Protocol::Tcp]);
    let object = prop_oneof![
        (name(), at(), any::<bool>(), protocol()).prop_map(|(name, at, meshed, protocol)| {
            Object::Pod(Pod { meshed, ports: [(8080, protocol)].into(), ..pod(name, at) })
        }),
        (name(), space(), at(), protocol()).prop_map(|(name, namespace, at, protocol)| {
            Object::Service(Service { key: key_in(namespace, name), ..service(name, at, protocol) })
        }),
        (name(), prop::collection::vec((name(), at(), any::<bool>(), any::<bool>()), 0..3)).prop_map(|(name, ends)| {
            let end = |(pod, at, ready, named): (&str, &str, bool, bool)| {
                let mut end = Endpoint { ready, ..endpoint(pod, at) };
                end.pod = end.pod.filter(|_| named);
                end
            };
            Object::Slice(slice(name, ends.into_iter().map(end).collect()))
        }),
        (name(), space(), name(), space(), prop::sample::select(RouteKind::ALL.to_vec())).prop_map(
            |(name, of_route, parent, of_backend, kind)| {
                Object::Route(Route { kind, ..route(of_route, name, &key(parent), &key_in(of_backend, "b")) })
            }
        ),
        (space(), space()).prop_map(|(namespace, from)| Object::ReferenceGrant(grant(namespace, from))),
        (name(), name(), 0..3_i64, any::<bool>(), prop::sample::select(RouteKind::ALL.to_vec())).prop_map(
            |(name, of, made, is_of_route, kind)| {
                let target = if is_of_route { Attached::Route(kind, key(of), None) } else { Attached::Service(key(of), None) };
                let policy = TrafficPolicy { made, ..policy(name, target, 1) };
                Object::TrafficPolicy(Box::new(if made == 0 { policy } else { limited(policy) }))
            }
        ),
    ];
    (object, prop::bool::weighted(0.3))
        .prop_map(|(object, delete)| if delete { Step::Delete(object.identity()) } else { Step::Apply(object) })
}

fn every_question() -> Vec<(Kind, String, Option<Key>)> {
    let addresses = ["10.77.0.5", "10.77.0.6", "10.96.0.5", "10.99.0.1"];
    let mut questions = Vec::new();
    for name in ["a", "b", "cart"] {
        questions.push((Kind::Listener, names::INBOUND.to_owned(), Some(key(name))));
        questions.push((Kind::Route, names::service_port(name, "shop", 80), Some(key_in("other", "caller"))));
        questions.push((Kind::Listener, format!("{name}.shop:80"), Some(key_in("other", "caller"))));
        for kind in [Kind::Route, Kind::Cluster, Kind::Endpoints] {
            questions.push((kind, names::service_port(name, "shop", 80), None));
            questions.extend(addresses.iter().map(|address| (kind, format!("pod/{address}:8080"), None)));
        }
    }
    for port in [80, 8080] {
        for viewer in [None, Some(key_in("other", "caller"))] {
            questions
                .extend(addresses.iter().map(|address| (Kind::Listener, format!("address/{address}:{port}"), viewer.clone())));
        }
    }
    questions
}

proptest! {
    #[test]
    fn no_name_is_too_odd(kind in 0..4_usize, name in "(address/|pod/)?[a-z0-9.:\\[\\]/]{0,30}(\\.shop\\.svc\\.cluster\\.local)?(:[0-9]{0,6})?") {
        let kind = Kind::ALL[kind];
        let found = resource(&shop(Protocol::Auto), None, &mesh(), kind, &name);
        prop_assert!(found.is_none() || subject(None, kind, &name).is_some(), "{name} would never be told of a change");
    }

    /// Streams look again only at what was touched: a resource that changed untouched would never be sent.
    #[test]
    fn nothing_changes_that_was_not_touched(steps in prop::collection::vec(any_step(), 1..32)) {
        let mut index = Index::default();
        let questions = every_question();
        let answers = |index: &Index| -> Vec<Option<String>> {
            let version = |(kind, name, viewer): &(Kind, String, Option<Key>)| {
                resource(index, viewer.as_ref(), &mesh(), *kind, name).map(|resource| resource.version)
            };
            questions.iter().map(version).collect()
        };
        let mut before = answers(&index);
        for step in steps {
            let touched = match step.clone() {
                Step::Apply(object) => index.apply(object),
                Step::Delete(identity) => index.delete(&identity),
            };
            let after = answers(&index);
            for (((kind, name, viewer), before), after) in questions.iter().zip(&before).zip(&after) {
                if before != after {
                    let subject = subject(viewer.as_ref(), *kind, name).unwrap();
                    prop_assert!(touched.contains(&subject), "{kind:?} {name} changed by {step:?}, which touched {touched:?}");
                }
            }
            before = after;
        }
    }
}

/// The services `cart` and `till`, whose endpoints a key decides on, and a route from `till` to `cart`.
fn balanced(balancer: Balancer) -> Index {
    let mut index = shop(Protocol::Http);
    index.apply(Object::Service(service("till", "10.96.0.6", Protocol::Http)));
    index.apply(Object::Route(route("shop", "r", &key("till"), &key("cart"))));
    let said = Said { balancer: Some(balancer), zones: Some(Zones::Prefer), ..Said::default() };
    let policy = TrafficPolicy { said, ..policy("p", Attached::Service(key("cart"), None), 1) };
    index.apply(Object::TrafficPolicy(Box::new(policy)));
    index
}

#[test]
fn requests_to_a_service_whose_endpoints_go_by_a_key_bring_one() {
    let index = balanced(Balancer::Maglev(vec![HashOn::Header("x-user".into())]));
    let cart: Cluster = get(&index, Kind::Cluster, CART).unwrap();
    assert_eq!(names::metadata_text(cart.metadata.as_ref(), names::BALANCER), Some("maglev"));
    for name in [CART, "till.shop.svc.cluster.local:80"] {
        let routes: RouteConfiguration = get(&index, Kind::Route, name).unwrap();
        let Some(Action::Route(sent)) = &routes.virtual_hosts[0].routes[0].action else { panic!("{routes:?}") };
        assert_eq!(sent.hash_policy.len(), 2, "{name}: the header, or else the source");
    }
}

#[test]
fn the_callers_zone_goes_first_where_a_policy_says_so() {
    let mut index = balanced(Balancer::RoundRobin);
    let zoned = |pod: &str, address: &str, zone: &str| Endpoint { zone: zone.into(), ..endpoint(pod, address) };
    let priorities = |index: &Index| -> Vec<(String, u32)> {
        let told: ClusterLoadAssignment = get(index, Kind::Endpoints, CART).unwrap();
        let zone = |locality: &LocalityLbEndpoints| locality.locality.as_ref().map(|locality| locality.zone.clone());
        told.endpoints.iter().map(|locality| (zone(locality).unwrap(), locality.priority)).collect()
    };
    let told = |pairs: [(&str, u32); 2]| pairs.map(|(zone, priority)| (zone.to_owned(), priority)).to_vec();
    let both = vec![zoned("a", "10.77.0.5", "near"), zoned("c", "10.77.0.7", "far")];
    index.apply(Object::Slice(slice("cart", both)));
    assert_eq!(priorities(&index), told([("far", 0), ("near", 0)]), "nobody knows where the caller is");
    index.apply(Object::Pod(Pod { node: "n".into(), ..pod("a", "10.77.0.5") }));
    let touched = index.apply(Object::Node(node("n", "near")));
    assert!(touched.contains(&Subject::Service(key("cart"))), "{touched:?}");
    assert_eq!(priorities(&index), told([("far", 1), ("near", 0)]));
    let neither = vec![zoned("a", "10.77.0.5", "other"), zoned("c", "10.77.0.7", "far")];
    index.apply(Object::Slice(slice("cart", neither)));
    assert_eq!(priorities(&index), told([("far", 0), ("other", 0)]), "a first priority there always is");
}

#[test]
fn a_pod_that_is_called_by_its_own_address_is_called_as_its_headless_service_says() {
    let mut index = shop(Protocol::Http);
    index.apply(Object::TrafficPolicy(Box::new(policy("p", Attached::Service(key("cart"), None), 3))));
    let told = |index: &Index| {
        let routes: RouteConfiguration = get(index, Kind::Route, POD).unwrap();
        let Some(Action::Route(action)) = &routes.virtual_hosts[0].routes[0].action else { panic!("{routes:?}") };
        let cluster: Cluster = get(index, Kind::Cluster, POD).unwrap();
        (action.timeout.map(|time| time.seconds), cluster.circuit_breakers.is_some())
    };
    assert_eq!(told(&index), (None, false));
    index.apply(Object::Service(Service { addresses: Vec::new(), ..service("cart", "10.96.0.5", Protocol::Http) }));
    assert_eq!(told(&index), (Some(3), false));
    let mut limits = policy("p", Attached::Service(key("cart"), None), 3);
    limits.said.limits = Some(Limits { connections: None, requests: Some(1), queue: None });
    let touched = index.apply(Object::TrafficPolicy(Box::new(limits)));
    assert_eq!(told(&index), (Some(3), true));
    assert!(touched.contains(&subject(None, Kind::Cluster, POD).unwrap()), "{touched:?}");
}
