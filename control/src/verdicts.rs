//! What is told to whoever wrote routes and policies, as people and programs read it: `weft routes` about a directory, and control's
//! admin page about what it follows.
//!
//! In: what is known, or a directory of manifests. Out: conditions, and what no condition can tell. Never: a decision, since those are
//! `plan`'s.

use std::path::Path;

use serde::Serialize;

use crate::{
    index::{
        Index, Key, Object,
        routes::{self, Route},
        traffic::{Attached, TrafficPolicy},
    },
    manifest::{self, Loaded, Problem},
    plan::{self, security::Scope},
    watch,
};

/// Routes and policies, with what is told about them.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdicts {
    /// Routes of every kind.
    pub routes: Vec<RouteVerdict>,
    /// Policies about how requests are carried.
    pub traffic_policies: Vec<PolicyVerdict>,
    /// Policies about who may call.
    pub security_policies: Vec<PolicyVerdict>,
}

/// What is told about a route.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RouteVerdict {
    /// As the Gateway API calls it.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// The Services that it is attached to. What else it is attached to is not the mesh's.
    pub parents: Vec<ParentVerdict>,
}

/// What is told about a route at one of its parents.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ParentVerdict {
    /// Namespace and name.
    pub service: String,
    /// All when absent.
    pub port: Option<u16>,
    /// Name of the port; all when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub section_name: Option<String>,
    /// What is true there.
    pub conditions: Vec<Condition>,
}

/// What is told about a policy.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyVerdict {
    /// As its API calls it.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// What it is attached to.
    pub targets: Vec<TargetVerdict>,
}

/// What is told about a policy at one of its targets.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetVerdict {
    /// In words.
    pub target: String,
    /// What is true there.
    pub conditions: Vec<Condition>,
}

/// As in the status of Kubernetes' objects.
#[derive(Debug, Serialize)]
pub struct Condition {
    /// `Accepted`, `ResolvedRefs` or `PartiallyInvalid`.
    pub r#type: &'static str,
    /// `True` or `False`.
    pub status: &'static str,
    /// A word.
    pub reason: &'static str,
    /// For people; empty where there is nothing to say.
    pub message: String,
}

impl Condition {
    /// Whether whoever wrote the object has nothing to mend.
    pub fn is_good(&self) -> bool {
        (self.status == "True") != (self.r#type == "PartiallyInvalid")
    }
}

/// About everything in `index`.
pub(crate) fn of_index(index: &Index) -> Verdicts {
    Verdicts {
        routes: index.routes().map(|found| route(index, found)).collect(),
        traffic_policies: index.traffic_policies().map(|found| policy(index, found)).collect(),
        security_policies: security_policies(index),
    }
}

/// About everything in `folder`, as it would be told in a cluster with the same objects; and what cannot be read, or has a mistake that
/// is told in no condition. With such a problem verdicts may be others than they would be without.
pub fn of_directory(folder: &Path) -> (Verdicts, Vec<Problem>) {
    let Loaded { documents, mut problems } = manifest::load_directory(folder);
    let mut index = Index::default();
    for document in &documents {
        match watch::read(document) {
            Ok(Some((object, mistakes))) => {
                if !is_told(&object) {
                    problems.extend(mistakes);
                }
                index.apply(object);
            }
            Ok(None) => {}
            Err(mistakes) => problems.extend(mistakes),
        }
    }
    (of_index(&index), problems)
}

/// Whether mistakes in it are told in its conditions.
fn is_told(object: &Object) -> bool {
    match object {
        Object::Route(route) => !route.parents.is_empty(),
        Object::TrafficPolicy(policy) => !policy.targets.is_empty(),
        Object::AuthorizationPolicy(_) | Object::PeerAuthentication(_) => true,
        _ => false,
    }
}

fn route(index: &Index, route: &Route) -> RouteVerdict {
    let parent = |parent: &routes::Parent| ParentVerdict {
        service: parent.service.to_string(),
        port: parent.port,
        section_name: parent.port_name.clone(),
        conditions: told(plan::routes::conditions(index, route, parent)),
    };
    RouteVerdict {
        kind: route.kind.word(),
        name: route.key.name.clone(),
        namespace: route.key.namespace.clone(),
        parents: route.parents.iter().map(parent).collect(),
    }
}

fn policy(index: &Index, policy: &TrafficPolicy) -> PolicyVerdict {
    let target = |target: &Attached| (target.to_string(), plan::traffic::conditions(index, policy, target));
    policy_verdict(policy.kind.word(), &policy.key, policy.targets.iter().map(target))
}

fn security_policies(index: &Index) -> Vec<PolicyVerdict> {
    let named = |(scope, conditions): (Scope, Vec<plan::routes::Condition>)| (scope.to_string(), conditions);
    let authorization = index.authorization_policies().map(|found| {
        let told = plan::security::of_authorization(index, found);
        policy_verdict("AuthorizationPolicy", &found.key, told.into_iter().map(named))
    });
    let peers = index.peer_authentications().map(|found| {
        let told = plan::security::of_peers(index, found);
        policy_verdict("PeerAuthentication", &found.key, [named(told)])
    });
    authorization.chain(peers).collect()
}

fn policy_verdict(
    kind: &'static str,
    key: &Key,
    targets: impl IntoIterator<Item = (String, Vec<plan::routes::Condition>)>,
) -> PolicyVerdict {
    let target = |(target, conditions)| TargetVerdict { target, conditions: told(conditions) };
    PolicyVerdict {
        kind,
        name: key.name.clone(),
        namespace: key.namespace.clone(),
        targets: targets.into_iter().map(target).collect(),
    }
}

fn told(conditions: Vec<plan::routes::Condition>) -> Vec<Condition> {
    let told = |condition: plan::routes::Condition| Condition {
        r#type: condition.kind,
        status: condition.status(),
        reason: condition.reason,
        message: condition.message,
    };
    conditions.into_iter().map(told).collect()
}
