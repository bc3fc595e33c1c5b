//! What is read of policies, and what of them is told to mean nothing.

use serde_json::{Value, json};

use super::*;
use crate::index::authorizations::{Text, Tree, What, Who};

fn read(spec: Value) -> (AuthorizationPolicy, Vec<Mistake>) {
    let key = Key { namespace: "shop".into(), name: "a".into() };
    policy(key, &serde_json::from_value(spec).unwrap())
}

fn whole(spec: Value) -> AuthorizationPolicy {
    let (policy, mistakes) = read(spec);
    assert!(mistakes.is_empty(), "{mistakes:?}");
    policy
}

fn one<T>(tree: Tree<T>) -> Tree<T> {
    Tree::All(vec![Tree::Any(vec![Tree::All(vec![Tree::Any(vec![tree])])])])
}

fn source(spec: Value) -> Tree<Who> {
    whole(json!({ "rules": [{ "from": [{ "source": spec }] }] })).rules[0].1.who.clone()
}

fn operation(spec: Value) -> Tree<What> {
    whole(json!({ "rules": [{ "to": [{ "operation": spec }] }] })).rules[0].1.what.clone()
}

#[test]
fn callers_are_told_by_parts_of_their_identities() {
    let identity = |text| one(Tree::Is(Who::Identity(text)));
    let suffix = |text: &str| identity(Text::Suffix(text.into()));
    let contains = |text: &str| identity(Text::Contains(text.into()));
    let exact = identity(Text::Exact("spiffe://td/ns/shop/sa/web".into()));
    assert_eq!(source(json!({ "principals": ["td/ns/shop/sa/web"] })), exact);
    assert_eq!(source(json!({ "principals": ["*/sa/web"] })), suffix("/sa/web"));
    assert_eq!(source(json!({ "principals": ["*"] })), one(Tree::Is(Who::Proved)));
    assert_eq!(source(json!({ "namespaces": ["bank"] })), contains("/ns/bank/sa/"));
    assert_eq!(source(json!({ "namespaces": ["prod-*"] })), contains("/ns/prod-"));
    assert_eq!(source(json!({ "trustDomains": ["td"] })), contains("spiffe://td/ns/"));
    assert_eq!(source(json!({ "serviceAccounts": ["web"] })), suffix("/ns/shop/sa/web"));
    assert_eq!(source(json!({ "serviceAccounts": ["bank/web"] })), suffix("/ns/bank/sa/web"));
    assert_eq!(source(json!({ "ipBlocks": ["10.0.0.0/8"] })), one(Tree::Is(Who::Source([10, 0, 0, 0].into(), 8))));
    let not = Tree::Not(Box::new(Tree::Any(vec![Tree::Is(Who::Proved)])));
    assert_eq!(source(json!({ "notPrincipals": ["*"] })), Tree::All(vec![Tree::Any(vec![Tree::All(vec![not])])]));
}

#[test]
fn what_is_asked_is_told_by_ports_hosts_methods_and_paths() {
    assert_eq!(operation(json!({ "ports": ["80"] })), one(Tree::Is(What::Port(80))));
    assert_eq!(operation(json!({ "hosts": ["Cart.Shop"] })), one(Tree::Is(What::Host(Text::Exact("cart.shop".into())))));
    assert_eq!(operation(json!({ "methods": ["GET"] })), one(Tree::Is(What::Method(Text::Exact("GET".into())))));
    assert_eq!(operation(json!({ "paths": ["/a/*"] })), one(Tree::Is(What::Path(Text::Prefix("/a/".into())))));
    assert_eq!(operation(json!({ "paths": ["/a/{*}/b/{**}"] })), one(Tree::Is(What::Template("/a/*/b/**".into()))));
    assert_eq!(operation(json!({ "grpc": ["shop.Cart"] })), one(Tree::Is(What::Path(Text::Prefix("/shop.Cart/".into())))));
}

#[test]
fn what_else_must_be_true_is_of_callers_or_of_requests() {
    let rule = whole(json!({ "rules": [{ "when": [
        { "key": "request.headers[X-Role]", "values": ["admin"] },
        { "key": "source.namespace", "notValues": ["bank"] },
    ] }] }));
    let (_, rule) = &rule.rules[0];
    let header = Tree::Is(What::Header("x-role".into(), Some(Text::Exact("admin".into()))));
    assert_eq!(rule.what, Tree::All(vec![Tree::All(vec![Tree::Any(vec![header])])]));
    assert!(matches!(&rule.who, Tree::All(all) if all.len() == 1));
}

#[test]
fn what_means_nothing_is_told_and_lets_nobody_in() {
    for (field, rule) in [
        ("spec.rules[0].from[0].source.principals[0]", json!({ "from": [{ "source": { "principals": ["a*b"] } }] })),
        ("spec.rules[0].from[0].source.principals[0]", json!({ "from": [{ "source": { "principals": ["spiffe://a"] } }] })),
        ("spec.rules[0].from[0].source.notIpBlocks[0]", json!({ "from": [{ "source": { "notIpBlocks": ["10.0.0.0/33"] } }] })),
        ("spec.rules[0].from[0].source.serviceAccounts[0]", json!({ "from": [{ "source": { "serviceAccounts": ["*"] } }] })),
        ("spec.rules[0].from[0].source", json!({ "from": [{ "source": {} }] })),
        (
            "spec.rules[0].from[0].source.remoteIpBlocks",
            json!({ "from": [{ "source": { "principals": ["*"], "remoteIpBlocks": [] } }] }),
        ),
        ("spec.rules[0].to[0].operation.hosts[0]", json!({ "to": [{ "operation": { "hosts": ["a:80"] } }] })),
        ("spec.rules[0].to[0].operation.ports[0]", json!({ "to": [{ "operation": { "ports": ["http"] } }] })),
        ("spec.rules[0].to[0].operation.paths[0]", json!({ "to": [{ "operation": { "paths": ["a"] } }] })),
        ("spec.rules[0].to[0].operation.paths[0]", json!({ "to": [{ "operation": { "paths": ["/a{*}"] } }] })),
        ("spec.rules[0].to[0].operation.paths[0]", json!({ "to": [{ "operation": { "paths": ["/{**}/{**}"] } }] })),
        ("spec.rules[0].to[0].operation.grpc[0]", json!({ "to": [{ "operation": { "grpc": ["/Add"] } }] })),
        ("spec.rules[0].when[0].key", json!({ "when": [{ "key": "request.auth.claims[a]", "values": ["b"] }] })),
        ("spec.rules[0].when[0]", json!({ "when": [{ "key": "source.ip" }] })),
        ("spec.rules[0].unless", json!({ "unless": true })),
    ] {
        let of = |action: &str| read(json!({ "action": action, "rules": [rule.clone()] }));
        let (allow, mistakes) = of("ALLOW");
        assert_eq!(mistakes.iter().map(|mistake| mistake.field.as_str()).collect::<Vec<_>>(), [field]);
        assert_eq!((allow.rules.len(), of("DENY").0.rules.len(), of("AUDIT").0.rules.len()), (0, 1, 0), "{field}");
    }
}

#[test]
fn of_a_rule_that_keeps_out_what_means_something_counts() {
    let (policy, mistakes) = read(json!({ "action": "DENY", "rules": [{
        "from": [{ "source": { "principals": ["a*b", "td/ns/shop/sa/web"], "namespaces": ["shop"] } }],
    }] }));
    assert_eq!(mistakes.len(), 1);
    let shop = Tree::Is(Who::Identity(Text::Contains("/ns/shop/sa/".into())));
    assert_eq!(policy.rules[0].1.who, one(shop));
}

#[test]
fn whose_callers_are_meant_is_said_by_labels_or_services() {
    assert_eq!(whole(json!({})).reach, Reach::Everything);
    let labels = [(String::from("app"), String::from("cart"))].into();
    assert_eq!(whole(json!({ "selector": { "matchLabels": { "app": "cart" } } })).reach, Reach::Pods(labels));
    let services = json!({ "targetRefs": [{ "kind": "Service", "name": "cart", "sectionName": "http" }] });
    assert_eq!(whole(services).reach, Reach::Services(vec![("cart".into(), Some("http".into()))]));
    let route = json!({ "targetRefs": [{ "group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": "r" }] });
    assert_eq!((read(route.clone()).0.reach, read(route).1.len()), (Reach::Everything, 1));
}

#[test]
fn an_action_that_nobody_knows_lets_nobody_in() {
    let (policy, mistakes) = read(json!({ "action": "CUSTOM", "rules": [{}] }));
    assert_eq!((policy.action, policy.rules.len(), mistakes[0].field.as_str()), (Action::Allow, 0, "spec.action"));
}
