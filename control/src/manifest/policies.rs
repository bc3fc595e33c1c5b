//! The kinds of our own that say who may call whom, in group `weft.dev`. Their fields read as Istio's do.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::kinds::Metadata;

/// Group of our own kinds.
pub const GROUP: &str = "weft.dev";

/// Version of our own kinds.
pub const VERSION: &str = "v1alpha1";

/// `PeerAuthentication`: whether callers must prove who they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PeerAuthentication {
    /// `weft.dev/v1alpha1`.
    pub api_version: String,
    /// `PeerAuthentication`.
    pub kind: String,
    /// Name and namespace: its own in control's namespace are for the whole mesh.
    pub metadata: Metadata,
    /// What is said.
    #[serde(default)]
    pub spec: PeerAuthenticationSpec,
}

/// Its `spec`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PeerAuthenticationSpec {
    /// Pods it is for; all of the namespace without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<Selector>,
    /// What is asked of callers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mtls: Option<MutualTls>,
    /// What is asked at single ports of the pods, by number. Needs a selector.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub port_level_mtls: BTreeMap<String, MutualTls>,
}

/// Pods by their labels.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Selector {
    /// Labels that a pod must have, all of them.
    pub match_labels: BTreeMap<String, String>,
}

/// What is asked of callers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MutualTls {
    /// `STRICT`: they must prove who they are. `PERMISSIVE`: they may. `UNSET`, or nothing: as what is said for more pods.
    pub mode: String,
}
