//! What is to be told of each route and policy. Source: `RouteStatus` and `PolicyStatus` of the Gateway API.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Value, json};

use crate::{
    index::{
        Edition, Index, Key,
        routes::{Parent, RouteId},
        traffic::{Attached, PolicyId, PolicyKind},
    },
    manifest::{policies, routes, traffic},
    plan::{self, routes::Condition, security::Scope},
};

/// What tells an object from all others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Id {
    Route(RouteId),
    Policy(PolicyId),
    Authorization(Key),
    Peers(Key),
}

/// Where in a status it is told.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The list.
    pub(super) list: &'static str,
    /// What an entry is about.
    pub(super) about: &'static str,
    /// Entries, those of others with them.
    pub(super) max: usize,
}

/// What is to be told of an object.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) edition: Edition,
    pub(super) place: &'static Place,
    pub(super) entries: Vec<Entry>,
}

/// What is true of it at one of those that it is attached to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Whom it is about, in the words of the API.
    pub(super) about: Value,
    pub(super) conditions: Vec<Condition>,
}

// Source: the limits of both lists.
const PARENTS: Place = Place { list: "parents", about: "parentRef", max: 32 };
const ANCESTORS: Place = Place { list: "ancestors", about: "ancestorRef", max: 16 };

/// Everything that something may be told of.
pub(super) fn ids(index: &Index) -> Vec<Id> {
    let routes = index.routes().map(|route| Id::Route(route.id()));
    let traffic = index.traffic_policies().map(|policy| Id::Policy(policy.id()));
    let authorization = index.authorization_policies().map(|policy| Id::Authorization(policy.key.clone()));
    let peers = index.peer_authentications().map(|policy| Id::Peers(policy.key.clone()));
    routes.chain(traffic).chain(authorization).chain(peers).collect()
}

/// What is to be told of one.
pub(super) fn of(index: &Index, id: &Id) -> Option<Told> {
    match id {
        Id::Route(id) => {
            let route = index.route(id)?;
            let entry =
                |parent| Entry { about: parent_reference(parent), conditions: plan::routes::conditions(index, route, parent) };
            let entries = route.parents.iter().map(entry).collect();
            Some(Told { edition: route.edition.clone(), place: &PARENTS, entries })
        }
        Id::Policy(id) => {
            let policy = index.traffic_policy(id)?;
            let entry = |target| Entry { about: reference(target), conditions: plan::traffic::conditions(index, policy, target) };
            let entries = policy.targets.iter().map(entry).collect();
            Some(Told { edition: policy.edition.clone(), place: &ANCESTORS, entries })
        }
        Id::Authorization(key) => {
            let policy = index.authorization_policy(key)?;
            let told = plan::security::of_authorization(index, policy);
            Some(Told { edition: policy.edition.clone(), place: &ANCESTORS, entries: told.into_iter().map(entry_of).collect() })
        }
        Id::Peers(key) => {
            let policy = index.peer_authentication(key)?;
            let told = plan::security::of_peers(index, policy);
            Some(Told { edition: policy.edition.clone(), place: &ANCESTORS, entries: vec![entry_of(told)] })
        }
    }
}

impl Id {
    pub(super) fn key(&self) -> &Key {
        match self {
            Self::Route((_, key)) | Self::Policy((_, key)) | Self::Authorization(key) | Self::Peers(key) => key,
        }
    }

    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Route((kind, _)) => kind.word(),
            Self::Policy((kind, _)) => kind.word(),
            Self::Authorization(_) => "AuthorizationPolicy",
            Self::Peers(_) => "PeerAuthentication",
        }
    }

    pub(super) fn group(&self) -> &'static str {
        match self {
            Self::Route(_) => routes::GROUP,
            Self::Policy((PolicyKind::Traffic, _)) | Self::Authorization(_) | Self::Peers(_) => policies::GROUP,
            Self::Policy((PolicyKind::Backend, _)) => traffic::BACKEND_GROUP,
        }
    }
}

impl Told {
    /// Whether it is of an object as it is now.
    pub(super) fn is_of(&self, metadata: &ObjectMeta) -> bool {
        metadata.uid.as_deref() == Some(&self.edition.uid) && metadata.generation.unwrap_or(0) == self.edition.generation
    }
}

fn entry_of((scope, conditions): (Scope, Vec<Condition>)) -> Entry {
    let about = match &scope {
        Scope::Attached(target) => reference(target),
        Scope::Namespace(name) => json!({ "group": "", "kind": "Namespace", "name": name }),
    };
    Entry { about, conditions }
}

fn parent_reference(Parent { service, port, port_name }: &Parent) -> Value {
    let mut reference = named("", "Service", service, port_name.as_deref());
    if let Some(port) = port {
        reference["port"] = json!(port);
    }
    reference
}

fn reference(target: &Attached) -> Value {
    match target {
        Attached::Service(key, port) => named("", "Service", key, port.as_deref()),
        Attached::Route(kind, key, rule) => named(routes::GROUP, kind.word(), key, rule.as_deref()),
    }
}

fn named(group: &str, kind: &str, key: &Key, section: Option<&str>) -> Value {
    let mut reference = json!({ "group": group, "kind": kind, "namespace": key.namespace, "name": key.name });
    if let Some(section) = section {
        reference["sectionName"] = json!(section);
    }
    reference
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::{
        Object, Protocol,
        routes::{Route, tests::route},
        tests::{key, service},
        traffic::tests::policy,
    };

    #[test]
    fn each_entry_names_whom_it_is_about_as_the_api_does() {
        let mut index = Index::default();
        index.apply(Object::Service(service("cart", "10.96.0.5", Protocol::Http)));
        let of_cart = route("other", "r", &key("cart"), &key("cart"));
        let parents = vec![
            Parent { port: Some(80), ..of_cart.parents[0].clone() },
            Parent { port_name: Some("web".into()), ..of_cart.parents[0].clone() },
        ];
        let edition = Edition { version: "v1".into(), uid: "u".into(), generation: 3 };
        index.apply(Object::Route(Route { parents, edition: edition.clone(), ..of_cart }));
        let target = Attached::Route(crate::index::routes::RouteKind::Http, key("r"), Some("first".into()));
        index.apply(Object::TrafficPolicy(Box::new(policy("p", target, 1))));
        let ids = ids(&index);
        let told: Vec<Told> = ids.iter().filter_map(|id| of(&index, id)).collect();
        let about = |told: &Told| told.entries.iter().map(|entry| entry.about.clone()).collect::<Vec<_>>();
        let cart = json!({ "group": "", "kind": "Service", "namespace": "shop", "name": "cart" });
        let with = |field: &str, value: Value| {
            let mut cart = cart.clone();
            cart[field] = value;
            cart
        };
        assert_eq!(about(&told[0]), [with("port", json!(80)), with("sectionName", json!("web"))]);
        assert_eq!((&told[0].edition, ids[0].group(), ids[0].kind()), (&edition, "gateway.networking.k8s.io", "HTTPRoute"));
        let rule = json!({ "group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "namespace": "shop", "name": "r",
            "sectionName": "first" });
        assert_eq!(about(&told[1]), [rule]);
        assert_eq!((ids[1].group(), ids[1].kind(), ids[1].key()), ("weft.dev", "TrafficPolicy", &key("p")));
        assert_eq!(told[1].entries[0].conditions[0].reason, "TargetNotFound");
    }

    #[test]
    fn it_is_of_one_object_as_it_is_now() {
        let edition = Edition { version: "v1".into(), uid: "u".into(), generation: 3 };
        let told = Told { edition, place: &PARENTS, entries: Vec::new() };
        let metadata = |uid: &str, generation| ObjectMeta { uid: Some(uid.into()), generation, ..ObjectMeta::default() };
        assert!(told.is_of(&metadata("u", Some(3))));
        for other in [metadata("u", Some(4)), metadata("v", Some(3)), metadata("u", None)] {
            assert!(!told.is_of(&other), "{other:?}");
        }
    }
}
