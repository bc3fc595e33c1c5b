//! The Kubernetes kinds we read and write, with Kubernetes' own field names and only the fields that matter to a mesh.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

pub use inject::MESHED_ANNOTATION;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error, IgnoredAny, Unexpected, Visitor},
};

/// Annotation of a pod: hexadecimal SHA-256 of the token its proxy may show once.
pub const TOKEN_ANNOTATION: &str = "weft.dev/token-sha256";
/// Annotation of a service or a pod: ports (of the service, of the pod) whose bytes are nobody's business, whatever else is
/// declared of them: numbers and ranges, by commas.
pub const OPAQUE_PORTS_ANNOTATION: &str = "weft.dev/opaque-ports";
/// Annotation of a namespace or a pod: who may call it. The pod's own counts more.
pub const DEFAULT_POLICY_ANNOTATION: &str = "weft.dev/default-policy";
/// Label of a pod: its workload.
pub const WORKLOAD_LABEL: &str = "weft.dev/workload";
/// Label of an endpoint slice: its service.
pub const SERVICE_LABEL: &str = "kubernetes.io/service-name";

/// How long a caller stays with an endpoint when the service does not say. Source: `ClientIPConfig`.
pub(crate) const AFFINITY_SECONDS: u32 = 10_800;

/// `ObjectMeta`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    /// Name, unique among its kind and namespace.
    pub name: String,
    /// Namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Tells an object from an earlier one of the same name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub uid: String,
    /// Labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Set once it is to go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_timestamp: Option<String>,
}

/// A field that Kubernetes has and the mesh has no use for: accepted, whatever it holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unused;

impl<'de> Deserialize<'de> for Unused {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

/// `v1` Service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Service {
    /// `v1`.
    pub api_version: String,
    /// `Service`.
    pub kind: String,
    /// Name, namespace.
    pub metadata: Metadata,
    /// What it offers.
    #[serde(default)]
    pub spec: ServiceSpec,
    #[serde(default, skip_serializing)]
    #[doc(hidden)]
    pub status: Unused,
}

/// `ServiceSpec`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ServiceSpec {
    /// `ClusterIP`, `NodePort`, `LoadBalancer` or `ExternalName`.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Virtual address; `None` (the word) for a headless service.
    #[serde(rename = "clusterIP", skip_serializing_if = "Option::is_none")]
    pub cluster_ip: Option<String>,
    /// All virtual addresses.
    #[serde(rename = "clusterIPs", skip_serializing_if = "Vec::is_empty")]
    pub cluster_ips: Vec<String>,
    /// `IPv4`, `IPv6`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ip_families: Vec<String>,
    /// `SingleStack`, `PreferDualStack`, `RequireDualStack`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip_family_policy: Option<String>,
    /// Labels of the pods behind it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub selector: BTreeMap<String, String>,
    /// Ports.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<ServicePort>,
    /// The name it stands for, of type `ExternalName`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_name: Option<String>,
    /// Endpoints count before they are ready.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub publish_not_ready_addresses: bool,
    /// Whether a caller stays with the endpoint that he called first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_affinity: Option<SessionAffinity>,
    /// How long he stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_affinity_config: Option<SessionAffinityConfig>,
    #[serde(skip_serializing)]
    #[doc(hidden)]
    pub allocate_load_balancer_node_ports: Unused,
    #[serde(skip_serializing, rename = "externalIPs")]
    #[doc(hidden)]
    pub external_ips: Unused,
    #[serde(skip_serializing)]
    #[doc(hidden)]
    pub external_traffic_policy: Unused,
    #[serde(skip_serializing)]
    #[doc(hidden)]
    pub health_check_node_port: Unused,
    #[serde(skip_serializing)]
    #[doc(hidden)]
    pub internal_traffic_policy: Unused,
    #[serde(skip_serializing)]
    #[doc(hidden)]
    pub load_balancer_class: Unused,
    #[serde(skip_serializing, rename = "loadBalancerIP")]
    #[doc(hidden)]
    pub load_balancer_ip: Unused,
    #[serde(skip_serializing)]
    #[doc(hidden)]
    pub load_balancer_source_ranges: Unused,
    #[serde(skip_serializing)]
    #[doc(hidden)]
    pub traffic_distribution: Unused,
}

/// Whether a caller stays with the endpoint that he called first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SessionAffinity {
    /// No.
    None,
    /// Yes; callers are told apart by their addresses.
    ClientIP,
}

/// `SessionAffinityConfig`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SessionAffinityConfig {
    /// Of [`SessionAffinity::ClientIP`].
    #[serde(rename = "clientIP")]
    pub client_ip: ClientIpConfig,
}

/// `ClientIPConfig`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ClientIpConfig {
    /// Seconds since his last call after which a caller is a stranger again; three hours when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u32>,
}

impl ServiceSpec {
    /// How long a caller stays with the endpoint that he called, if he does.
    pub(crate) fn affinity(&self) -> Option<Duration> {
        let seconds = self.session_affinity_config.and_then(|config| config.client_ip.timeout_seconds);
        let seconds = seconds.unwrap_or(AFFINITY_SECONDS);
        (self.session_affinity == Some(SessionAffinity::ClientIP)).then(|| Duration::from_secs(seconds.into()))
    }
}

/// `ServicePort`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServicePort {
    /// Name; says the protocol too, by convention (`http-…`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The port clients dial, from 1 to 65535.
    #[serde(deserialize_with = "port")]
    pub port: u16,
    /// The pods' port: a number, or the name of one of theirs. The same as `port` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_port: Option<TargetPort>,
    /// What it speaks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_protocol: Option<String>,
    /// `TCP` (also when absent) or another; the mesh carries TCP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    #[serde(default, skip_serializing)]
    #[doc(hidden)]
    pub node_port: Unused,
}

/// A port by number or by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum TargetPort {
    /// By number, from 1 to 65535.
    Number(u16),
    /// By name.
    Name(String),
}

impl<'de> Deserialize<'de> for TargetPort {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PortReader)
    }
}

fn port<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    match deserializer.deserialize_any(PortReader)? {
        TargetPort::Number(number) => Ok(number),
        TargetPort::Name(name) => Err(D::Error::custom(format!("`{name}` is not a port from 1 to 65535"))),
    }
}

struct PortReader;

impl Visitor<'_> for PortReader {
    type Value = TargetPort;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a port from 1 to 65535")
    }

    fn visit_u64<E: Error>(self, given: u64) -> Result<TargetPort, E> {
        let number = u16::try_from(given).ok().filter(|number| *number > 0);
        number.map(TargetPort::Number).ok_or_else(|| E::custom(format!("{given} is not a port from 1 to 65535")))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<TargetPort, E> {
        let positive = u64::try_from(number).map_err(|_| E::custom(format!("{number} is not a port from 1 to 65535")))?;
        self.visit_u64(positive)
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<TargetPort, E> {
        if name.is_empty() {
            return Err(E::invalid_value(Unexpected::Str(name), &self));
        }
        Ok(TargetPort::Name(name.to_owned()))
    }
}

/// `discovery.k8s.io/v1` EndpointSlice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EndpointSlice {
    /// `discovery.k8s.io/v1`.
    pub api_version: String,
    /// `EndpointSlice`.
    pub kind: String,
    /// Name, namespace, and the label that names the service.
    pub metadata: Metadata,
    /// `IPv4` or `IPv6`.
    pub address_type: String,
    /// Endpoints.
    #[serde(default)]
    pub endpoints: Vec<SliceEndpoint>,
    /// Ports all of them have.
    #[serde(default)]
    pub ports: Vec<SlicePort>,
}

/// One endpoint of a slice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SliceEndpoint {
    /// Its addresses, all the same endpoint.
    pub addresses: Vec<IpAddr>,
    /// Its state.
    #[serde(default)]
    pub conditions: Conditions,
    /// The pod it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_ref: Option<Reference>,
    /// Zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
}

/// State of an endpoint. What is absent means what Kubernetes says it means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Conditions {
    /// New work may come; true when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready: Option<bool>,
    /// It still answers; as `ready` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serving: Option<bool>,
    /// It is going; false when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terminating: Option<bool>,
}

/// Names an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reference {
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// One port of a slice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SlicePort {
    /// Name of the service's port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Number, on the endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// What it speaks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_protocol: Option<String>,
}

/// `v1` Pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pod {
    /// `v1`.
    pub api_version: String,
    /// `Pod`.
    pub kind: String,
    /// Name, namespace, uid, labels, annotations.
    pub metadata: Metadata,
    /// What it runs as.
    #[serde(default)]
    pub spec: PodSpec,
    /// Where it is.
    #[serde(default)]
    pub status: PodStatus,
}

/// `PodSpec`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodSpec {
    /// Service account; `default` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_account_name: Option<String>,
    /// Containers, for the ports they declare.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub containers: Vec<Container>,
}

/// `Container`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Container {
    /// Name.
    pub name: String,
    /// Declared ports.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<ContainerPort>,
}

/// `ContainerPort`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ContainerPort {
    /// Name; says the protocol too, by convention.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Number, from 1 to 65535.
    #[serde(deserialize_with = "port")]
    pub container_port: u16,
    /// What it speaks. Ours: Kubernetes has it on services alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_protocol: Option<String>,
    #[serde(default, skip_serializing)]
    #[doc(hidden)]
    pub protocol: Unused,
}

/// `PodStatus`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodStatus {
    /// Addresses.
    #[serde(rename = "podIPs", skip_serializing_if = "Vec::is_empty")]
    pub pod_ips: Vec<PodIp>,
    /// The first of them.
    #[serde(rename = "podIP", skip_serializing_if = "Option::is_none")]
    pub pod_ip: Option<IpAddr>,
}

/// `PodIP`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodIp {
    /// Address.
    pub ip: IpAddr,
}
