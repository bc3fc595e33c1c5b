//! What touches what, and that nothing is left of what was deleted; and objects for the tests of others.

use proptest::prelude::*;

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
        labels: BTreeMap::new(),
        node: "n1".into(),
        meshed: true,
        token: Some(format!("hash-{name}")),
        ports: BTreeMap::new(),
        default_policy: None,
    }
}

pub(crate) fn service(name: &str, address: &str, protocol: Protocol) -> Service {
    let port = ServicePort { name: String::new(), port: 80, protocol };
    Service {
        key: key(name),
        addresses: vec![address.parse().unwrap()],
        ports: vec![port],
        publish_not_ready: false,
        stays_on_node: false,
        affinity: None,
    }
}

pub(crate) fn endpoint(pod: &str, address: &str) -> Endpoint {
    Endpoint {
        address: address.parse().unwrap(),
        pod: Some(key(pod)),
        zone: String::new(),
        node: String::from("n1"),
        meant_for: Hints::default(),
        ready: true,
        draining: false,
    }
}

pub(crate) fn node(name: &str, zone: &str) -> Node {
    Node { key: Key::of_cluster(name), zone: zone.into() }
}

pub(crate) fn slice(service: &str, endpoints: Vec<Endpoint>) -> Slice {
    let ports = vec![SlicePort { name: String::new(), port: 8080 }];
    Slice { key: key(&format!("{service}-1")), service: key(service), endpoints, ports }
}

fn address(text: &str) -> Subject {
    Subject::Address(text.parse().unwrap())
}

#[test]
fn an_address_belongs_to_the_pod_that_has_it_now() {
    let mut index = Index::default();
    index.apply(Object::Pod(pod("a", "10.77.0.5")));
    let touched = index.apply(Object::Pod(pod("a", "10.77.0.6")));
    assert_eq!(touched, [address("10.77.0.5"), address("10.77.0.6"), Subject::Pod(key("a"))].into());
    assert_eq!(index.pods_at("10.77.0.5".parse().unwrap()).count(), 0);
    assert_eq!(index.pods_at("10.77.0.6".parse().unwrap()).next().unwrap().key, key("a"));
}

#[test]
fn an_address_outlives_one_of_two_that_claim_it() {
    let mut index = Index::default();
    index.apply(Object::Pod(pod("a", "10.77.0.5")));
    index.apply(Object::Pod(pod("b", "10.77.0.5")));
    index.delete(&(Kind::Pod, key("b")));
    assert_eq!(index.pods_at("10.77.0.5".parse().unwrap()).next().unwrap().key, key("a"));
}

#[test]
fn an_address_of_two_pods_is_touched_when_another_of_them_is_the_member() {
    let mut index = Index::default();
    index.apply(Object::Pod(pod("a", "10.77.0.5")));
    index.apply(Object::Pod(pod("b", "10.77.0.5")));
    index.apply(Object::Slice(slice("cart", vec![endpoint("b", "10.77.0.9")])));
    let touched = index.apply(Object::Slice(slice("cart", vec![endpoint("a", "10.77.0.9")])));
    assert!(touched.contains(&address("10.77.0.5")), "{touched:?}");
}

#[test]
fn the_same_object_again_touches_nothing() {
    let mut index = Index::default();
    assert!(!index.apply(Object::Pod(pod("a", "10.77.0.5"))).is_empty());
    assert!(index.apply(Object::Pod(pod("a", "10.77.0.5"))).is_empty());
    assert!(index.delete(&(Kind::Pod, key("b"))).is_empty());
}

#[test]
fn a_pod_is_seen_through_the_services_it_stands_behind() {
    let mut index = Index::default();
    index.apply(Object::Slice(slice("cart", vec![endpoint("a", "10.77.0.5")])));
    assert!(index.apply(Object::Pod(pod("a", "10.77.0.5"))).contains(&Subject::Service(key("cart"))));
    assert!(!index.apply(Object::Pod(pod("b", "10.77.0.6"))).contains(&Subject::Service(key("cart"))));
}

#[test]
fn who_became_ready_is_news_of_the_service_alone() {
    let mut index = Index::default();
    index.apply(Object::Slice(slice("cart", vec![endpoint("a", "10.77.0.5")])));
    let unready = Endpoint { ready: false, ..endpoint("a", "10.77.0.5") };
    assert_eq!(index.apply(Object::Slice(slice("cart", vec![unready.clone()]))), [Subject::Service(key("cart"))].into());
    let joined = index.apply(Object::Slice(slice("cart", vec![unready, endpoint("b", "10.77.0.6")])));
    assert_eq!(joined, [address("10.77.0.6"), Subject::Pod(key("b")), Subject::Service(key("cart"))].into());
}

#[test]
fn a_node_that_changes_its_zone_is_news_where_zones_matter() {
    let mut index = Index::default();
    let zonal = Endpoint { meant_for: Hints { zones: vec!["a".into()], ..Hints::default() }, ..endpoint("a", "10.77.0.5") };
    index.apply(Object::Slice(slice("cart", vec![zonal])));
    index.apply(Object::Slice(slice("till", vec![endpoint("b", "10.77.0.6")])));
    assert_eq!(index.apply(Object::Node(node("n1", "a"))), [Subject::Service(key("cart"))].into());
    assert!(index.apply(Object::Node(node("n1", "a"))).is_empty());
    assert_eq!(index.zone_of("n1"), Some("a"));
    assert_eq!(index.delete(&(Kind::Node, Key::of_cluster("n1"))), [Subject::Service(key("cart"))].into());
    assert_eq!(index.zone_of("n1"), None);
}

#[test]
fn a_namespace_says_who_may_call_its_pods_unless_they_do() {
    let mut index = Index::default();
    let (quiet, outspoken) = (pod("a", "10.77.0.5"), Pod { default_policy: Some(DefaultPolicy::Deny), ..pod("b", "10.77.0.6") });
    index.apply(Object::Pod(quiet.clone()));
    index.apply(Object::Pod(outspoken.clone()));
    assert_eq!(index.default_policy(&quiet), None);
    let shop = Namespace { key: Key::of_cluster("shop"), default_policy: Some(DefaultPolicy::AllowAuthenticated) };
    let touched = index.apply(Object::Namespace(shop));
    assert_eq!(touched, [Subject::Pod(key("a")), Subject::Pod(key("b"))].into());
    assert_eq!(index.default_policy(&quiet), Some(DefaultPolicy::AllowAuthenticated));
    assert_eq!(index.default_policy(&outspoken), Some(DefaultPolicy::Deny));
    assert_eq!(index.delete(&(Kind::Namespace, Key::of_cluster("shop"))), touched);
    assert_eq!(index.default_policy(&quiet), None);
}

#[test]
fn a_policy_touches_the_pods_it_may_be_for() {
    let mut index = Index::new("weft-system");
    index.apply(Object::Pod(pod("a", "10.77.0.5")));
    index.apply(Object::Pod(Pod { key: Key { namespace: "other".into(), name: "b".into() }, ..pod("b", "10.77.0.6") }));
    let found = |namespace: &str| {
        let key = Key { namespace: namespace.into(), name: "strict".into() };
        PeerAuthentication {
            key,
            made: 0,
            edition: Edition::default(),
            selector: BTreeMap::new(),
            proof: Some(Proof::Required),
            ports: BTreeMap::new(),
            mistakes: Vec::new(),
        }
    };
    assert_eq!(index.apply(Object::PeerAuthentication(found("shop"))), [Subject::Pod(key("a"))].into());
    assert_eq!(index.apply(Object::PeerAuthentication(found("weft-system"))).len(), 2);
    assert!(index.apply(Object::PeerAuthentication(found("weft-system"))).is_empty());
    assert_eq!(index.delete(&(Kind::PeerAuthentication, found("shop").key)).len(), 1);
    assert_eq!(index.proofs(&pod("a", "10.77.0.5")).everywhere, Some(Proof::Required), "the mesh's is left");
}

#[test]
fn a_service_declares_what_its_pods_speak_unless_they_do() {
    let mut index = Index::default();
    index.apply(Object::Service(service("cart", "10.96.0.5", Protocol::Grpc)));
    index.apply(Object::Slice(slice("cart", vec![endpoint("a", "10.77.0.5")])));
    let silent = Pod { ports: [(8080, Protocol::Auto)].into(), ..pod("a", "10.77.0.5") };
    assert_eq!(index.ports_of(&silent), [(8080, Protocol::Grpc)].into());
    let outspoken = Pod { ports: [(8080, Protocol::Tcp)].into(), ..pod("a", "10.77.0.5") };
    assert_eq!(index.ports_of(&outspoken), [(8080, Protocol::Tcp)].into());
}

fn any_object() -> impl Strategy<Value = Object> {
    let name = || prop::sample::select(vec!["a", "b", "c"]);
    let at = || prop::sample::select(vec!["10.77.0.5", "10.77.0.6"]);
    prop_oneof![
        (name(), at()).prop_map(|(name, at)| Object::Pod(pod(name, at))),
        (name(), at()).prop_map(|(name, at)| Object::Service(service(name, at, Protocol::Auto))),
        (name(), prop::collection::vec((name(), at()), 0..3)).prop_map(|(name, ends)| {
            Object::Slice(slice(name, ends.into_iter().map(|(pod, at)| endpoint(pod, at)).collect()))
        }),
    ]
}

proptest! {
    #[test]
    fn nothing_is_left_of_what_was_deleted(objects in prop::collection::vec(any_object(), 0..20)) {
        let mut index = Index::default();
        for object in &objects {
            index.apply(object.clone());
        }
        for object in &objects {
            index.delete(&object.identity());
        }
        prop_assert_eq!(index.sizes(), Index::default().sizes());
        prop_assert!(index.services_by_address.is_empty() && index.slices_by_service.is_empty());
        prop_assert!(index.slices_by_pod.is_empty() && index.slices_by_address.is_empty());
        prop_assert!(index.pods_by_address.is_empty() && index.pods_by_token.is_empty() && index.routes.is_empty());
    }
}
