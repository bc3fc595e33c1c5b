//! `AuthorizationPolicy` of group `weft.dev`: who may do what. Its fields read as Istio's do.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{kinds::Metadata, policies::Selector, traffic::TargetReference};

/// Fields that are not known here. They are kept to be told: what a policy says in them must not be passed over.
pub type Unknown = BTreeMap<String, Value>;

/// Who may do what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AuthorizationPolicy {
    /// `weft.dev/v1alpha1`.
    pub api_version: String,
    /// `AuthorizationPolicy`.
    pub kind: String,
    /// Name and namespace: its own in control's namespace may be about the whole mesh.
    pub metadata: Metadata,
    /// What is said.
    #[serde(default)]
    pub spec: AuthorizationPolicySpec,
}

/// Its `spec`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AuthorizationPolicySpec {
    /// Pods whose callers it is about; all of the namespace without this and `targetRefs`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<Selector>,
    /// Services whose pods' callers it is about.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub target_refs: Vec<TargetReference>,
    /// `ALLOW` (or nothing), `DENY` or `AUDIT`.
    pub action: String,
    /// Whom it is about: those of whom one of these holds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
    /// What else is said.
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// All parts must hold; one that is not said does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rule {
    /// Who calls: one of these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub from: Vec<From>,
    /// What is asked: one of these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<To>,
    /// What else must be true: all of these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub when: Vec<When>,
    /// What else is said.
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// Who calls.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct From {
    /// Who.
    pub source: Source,
    /// What else is said.
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// A caller. All that is said must hold, of one value of each list; and of none of a list that begins with `not`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Source {
    /// Identities without `spiffe://`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub principals: Vec<String>,
    /// Others than these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_principals: Vec<String>,
    /// Namespaces of proved identities.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub namespaces: Vec<String>,
    /// Others than these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_namespaces: Vec<String>,
    /// Service accounts of proved identities: `NAMESPACE/NAME`, or `NAME` in the policy's own namespace.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub service_accounts: Vec<String>,
    /// Others than these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_service_accounts: Vec<String>,
    /// Trust domains of proved identities.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub trust_domains: Vec<String>,
    /// Others than these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_trust_domains: Vec<String>,
    /// Addresses, or blocks of them, that connections come from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ip_blocks: Vec<String>,
    /// Others than these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_ip_blocks: Vec<String>,
    /// What else is said.
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// What is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct To {
    /// What.
    pub operation: Operation,
    /// What else is said.
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// Something that is asked, as [`Source`] is a caller.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Operation {
    /// Hosts of requests, without their ports.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    /// Others than these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_hosts: Vec<String>,
    /// Ports of the pod, as texts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<String>,
    /// Others than these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_ports: Vec<String>,
    /// Methods of requests.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<String>,
    /// Others than these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_methods: Vec<String>,
    /// Paths of requests, or templates of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
    /// Others than these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_paths: Vec<String>,
    /// Calls of gRPC: `SERVICE/METHOD`, or `SERVICE` for all its methods.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub grpc: Vec<String>,
    /// Others than these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_grpc: Vec<String>,
    /// What else is said.
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// Something else that must be true.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct When {
    /// Of what.
    pub key: String,
    /// It is one of these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// It is none of these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_values: Vec<String>,
    /// What else is said.
    #[serde(flatten)]
    pub unknown: Unknown,
}
