//! From the API server's objects to the index's nouns.
//!
//! The API server has checked them. What is wrong in what it does not check, our annotations, is left out.

use std::{net::IpAddr, time::Duration};

use inject::{Owner, workload};
use k8s_openapi::{
    api::{core::v1 as core, discovery::v1 as discovery},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::api::DynamicObject;
use serde::de::DeserializeOwned;

use super::super::{authorization, mistake::Mistake, opaque::OpaquePorts, policies, routes, traffic};
use crate::{
    index::{
        DefaultPolicy, Edition, Endpoint, Hints, Key, Namespace, Node, Object, PeerAuthentication, Pod, Protocol, Service,
        ServicePort, Slice, SlicePort, authorizations::AuthorizationPolicy, routes::Route, traffic::TrafficPolicy,
    },
    manifest::kinds::{AFFINITY_SECONDS, DEFAULT_POLICY_ANNOTATION, MESHED_ANNOTATION, OPAQUE_PORTS_ANNOTATION, SERVICE_LABEL},
};

/// Label of a node: its zone.
const ZONE_LABEL: &str = "topology.kubernetes.io/zone";

/// Namespace and name.
pub(super) fn key(metadata: &ObjectMeta) -> Key {
    Key { namespace: metadata.namespace.clone().unwrap_or_default(), name: metadata.name.clone().unwrap_or_default() }
}

pub(super) fn service(service: &core::Service) -> Option<Object> {
    let spec = service.spec.as_ref()?;
    // A name that stands for another is followed by whoever resolves it: nothing is dialled at it.
    if spec.type_.as_deref() == Some("ExternalName") {
        return None;
    }
    let opaque = opaque(&service.metadata);
    let mut addresses: Vec<IpAddr> = spec.cluster_ips.iter().flatten().filter_map(|address| address.parse().ok()).collect();
    addresses.sort_unstable();
    let port = |port: &core::ServicePort| {
        let number = u16::try_from(port.port).ok()?;
        let protocol = match opaque.contains(number) {
            true => Protocol::Tcp,
            false => Protocol::declared(port.app_protocol.as_deref(), port.name.as_deref()),
        };
        is_tcp(port.protocol.as_deref()).then(|| ServicePort {
            name: port.name.clone().unwrap_or_default(),
            port: number,
            protocol,
        })
    };
    Some(Object::Service(Service {
        key: key(&service.metadata),
        addresses,
        ports: spec.ports.iter().flatten().filter_map(port).collect(),
        publish_not_ready: spec.publish_not_ready_addresses.unwrap_or(false),
        stays_on_node: spec.internal_traffic_policy.as_deref() == Some("Local"),
        affinity: affinity(spec),
    }))
}

/// How long a caller stays with the endpoint that he called, if he does.
fn affinity(spec: &core::ServiceSpec) -> Option<Duration> {
    if spec.session_affinity.as_deref() != Some("ClientIP") {
        return None;
    }
    let config = spec.session_affinity_config.as_ref().and_then(|config| config.client_ip.as_ref());
    let seconds = config.and_then(|config| u32::try_from(config.timeout_seconds?).ok());
    Some(Duration::from_secs(seconds.unwrap_or(AFFINITY_SECONDS).into()))
}

pub(super) fn slice(slice: &discovery::EndpointSlice) -> Option<Object> {
    let key = key(&slice.metadata);
    let service = slice.metadata.labels.as_ref()?.get(SERVICE_LABEL)?;
    let endpoint = |endpoint: &discovery::Endpoint| {
        let conditions = endpoint.conditions.clone().unwrap_or_default();
        // What is not said means what the API says that it means.
        let ready = conditions.ready.unwrap_or(true);
        let target = endpoint.target_ref.as_ref().filter(|target| target.kind.as_deref() == Some("Pod"));
        let pod = target.and_then(|target| {
            Some(Key { namespace: target.namespace.clone().unwrap_or_else(|| key.namespace.clone()), name: target.name.clone()? })
        });
        Some(Endpoint {
            address: endpoint.addresses.first()?.parse().ok()?,
            pod,
            zone: endpoint.zone.clone().unwrap_or_default(),
            node: endpoint.node_name.clone().unwrap_or_default(),
            meant_for: endpoint.hints.as_ref().map(hints).unwrap_or_default(),
            ready,
            draining: conditions.terminating.unwrap_or(false) && conditions.serving.unwrap_or(ready),
        })
    };
    let port = |port: &discovery::EndpointPort| {
        let number = u16::try_from(port.port?).ok()?;
        is_tcp(port.protocol.as_deref()).then(|| SlicePort { name: port.name.clone().unwrap_or_default(), port: number })
    };
    Some(Object::Slice(Slice {
        service: Key { namespace: key.namespace.clone(), name: service.clone() },
        endpoints: slice.endpoints.iter().filter_map(endpoint).collect(),
        ports: slice.ports.iter().flatten().filter_map(port).collect(),
        key,
    }))
}

fn hints(hints: &discovery::EndpointHints) -> Hints {
    Hints {
        zones: hints.for_zones.iter().flatten().map(|zone| zone.name.clone()).collect(),
        nodes: hints.for_nodes.iter().flatten().map(|node| node.name.clone()).collect(),
    }
}

/// A namespace, of which its annotations are enough.
pub(super) fn namespace(metadata: &ObjectMeta) -> Option<Object> {
    Some(Object::Namespace(Namespace { key: key(metadata), default_policy: default_policy(metadata) }))
}

/// Who may call, if that is said. What cannot be read keeps everybody out: it was not meant to let more in.
fn default_policy(metadata: &ObjectMeta) -> Option<DefaultPolicy> {
    let word = metadata.annotations.as_ref()?.get(DEFAULT_POLICY_ANNOTATION)?;
    Some(word.parse().unwrap_or_else(|why| {
        tracing::warn!(object = %key(metadata), "annotation {DEFAULT_POLICY_ANNOTATION} means deny: {why}");
        DefaultPolicy::Deny
    }))
}

/// A policy. What in it means nothing is logged and told in its conditions; the API server has checked it against our schema, unless
/// that was an older one.
pub(super) fn peer_authentication(object: &DynamicObject) -> Option<Object> {
    let key = key(&object.metadata);
    let read = serde_json::from_value(object.data["spec"].clone());
    let read = read.map(|spec| policies::peer_authentication(key.clone(), made(object), &spec));
    let (read, mistakes) = read.unwrap_or_else(|error| {
        let mistake = Mistake { field: String::from("spec"), what: error.to_string() };
        (policies::unreadable(key.clone(), made(object), &mistake), vec![mistake])
    });
    log("PeerAuthentication", &key, &mistakes);
    Some(Object::PeerAuthentication(PeerAuthentication { edition: edition(object), ..read }))
}

/// Who may do what. What in it means nothing is logged and told in its conditions, and lets nobody in.
pub(super) fn authorization_policy(object: &DynamicObject) -> Option<Object> {
    let key = key(&object.metadata);
    let spec = object.data.get("spec").cloned().unwrap_or_else(|| serde_json::json!({}));
    let read = serde_json::from_value(spec).map(|spec| authorization::policy(key.clone(), &spec));
    let (policy, mistakes) = read.unwrap_or_else(|error| {
        let mistake = Mistake { field: String::from("spec"), what: error.to_string() };
        (authorization::unreadable(key.clone(), &mistake), vec![mistake])
    });
    log("AuthorizationPolicy", &key, &mistakes);
    Some(Object::AuthorizationPolicy(AuthorizationPolicy { edition: edition(object), ..policy }))
}

fn log(kind: &str, key: &Key, mistakes: &[Mistake]) {
    for Mistake { field, what } in mistakes {
        tracing::warn!(object = %key, kind, field, "a policy has a mistake: {what}");
    }
}

/// A traffic policy. What in it means nothing is told in its conditions.
pub(super) fn traffic_policy(object: &DynamicObject) -> Option<Object> {
    let policy = traffic::policy_in_parts(key(&object.metadata), made(object), &object.data["spec"]);
    Some(Object::TrafficPolicy(Box::new(TrafficPolicy { edition: edition(object), ..policy })))
}

/// The same of the Gateway API.
pub(super) fn backend_traffic_policy(object: &DynamicObject) -> Option<Object> {
    let key = key(&object.metadata);
    let spec = spec(object, &key)?;
    let (policy, _) = traffic::backend_policy(key, made(object), &spec);
    Some(Object::TrafficPolicy(Box::new(TrafficPolicy { edition: edition(object), ..policy })))
}

/// A route. What in it means nothing is told in its conditions.
pub(super) fn http_route(object: &DynamicObject) -> Option<Object> {
    let key = key(&object.metadata);
    let spec = spec(object, &key)?;
    Some(route(object, routes::http_route(key, made(object), &spec).0))
}

/// A route of calls.
pub(super) fn grpc_route(object: &DynamicObject) -> Option<Object> {
    let key = key(&object.metadata);
    let spec = spec(object, &key)?;
    Some(route(object, routes::grpc_route(key, made(object), &spec).0))
}

/// A route of connections.
pub(super) fn tcp_route(object: &DynamicObject) -> Option<Object> {
    let key = key(&object.metadata);
    let spec = spec(object, &key)?;
    Some(route(object, routes::tcp_route(key, made(object), &spec).0))
}

/// A route of connections of TLS.
pub(super) fn tls_route(object: &DynamicObject) -> Option<Object> {
    let key = key(&object.metadata);
    let spec = spec(object, &key)?;
    Some(route(object, routes::tls_route(key, made(object), &spec).0))
}

/// A grant.
pub(super) fn grant(object: &DynamicObject) -> Option<Object> {
    let key = key(&object.metadata);
    let spec = spec(object, &key)?;
    Some(Object::ReferenceGrant(routes::grant(key, &spec)))
}

/// What is said in an object of a kind that is not ours. The API server has checked it: what cannot be read is of a form that came
/// after us.
fn spec<T: DeserializeOwned>(object: &DynamicObject, key: &Key) -> Option<T> {
    let read = serde_json::from_value(object.data["spec"].clone());
    read.inspect_err(|error| tracing::warn!(object = %key, %error, "it cannot be read, and counts for nothing")).ok()
}

fn route(object: &DynamicObject, read: Route) -> Object {
    Object::Route(Route { edition: edition(object), ..read })
}

/// Which version of it was read.
fn edition(object: &DynamicObject) -> Edition {
    let of_api = object.types.as_ref().map(|types| types.api_version.as_str()).unwrap_or_default();
    Edition {
        version: of_api.rsplit('/').next().unwrap_or_default().to_owned(),
        uid: object.metadata.uid.clone().unwrap_or_default(),
        generation: object.metadata.generation.unwrap_or(0),
    }
}

/// When it was made, in Unix seconds.
fn made(object: &DynamicObject) -> i64 {
    object.metadata.creation_timestamp.as_ref().map_or(0, |time| time.0.as_second())
}

/// A node, of which its labels are enough.
pub(super) fn node(metadata: &ObjectMeta) -> Option<Object> {
    let zone = metadata.labels.as_ref().and_then(|labels| labels.get(ZONE_LABEL)).cloned().unwrap_or_default();
    Some(Object::Node(Node { key: key(metadata), zone }))
}

pub(super) fn pod(pod: &core::Pod) -> Option<Object> {
    let metadata = &pod.metadata;
    let name = metadata.name.as_deref()?;
    let spec = pod.spec.as_ref()?;
    let status = pod.status.clone().unwrap_or_default();
    // Its address may be another's already.
    let is_over = matches!(status.phase.as_deref(), Some("Succeeded" | "Failed"));
    // And this one is its node's.
    let is_on_host = spec.host_network.unwrap_or(false);
    let mut addresses: Vec<IpAddr> = Vec::new();
    if !is_over && !is_on_host {
        let all = status.pod_ips.iter().flatten().map(|address| &address.ip).chain(&status.pod_ip);
        addresses.extend(all.filter_map(|address| address.parse::<IpAddr>().ok()));
        addresses.sort_unstable();
        addresses.dedup();
    }
    let owners = metadata.owner_references.iter().flatten();
    let owner = owners.clone().find(|owner| owner.controller == Some(true));
    let owner = owner.map(|owner| Owner { kind: &owner.kind, name: &owner.name });
    let hash = metadata.labels.as_ref().and_then(|labels| labels.get("pod-template-hash")).map(String::as_str);
    let annotation = |name: &str| metadata.annotations.as_ref().and_then(|annotations| annotations.get(name));
    let native = spec.init_containers.iter().flatten().filter(|container| container.restart_policy.as_deref() == Some("Always"));
    let ports = spec.containers.iter().chain(native).flat_map(|container| container.ports.iter().flatten());
    let declared = ports.filter(|port| is_tcp(port.protocol.as_deref())).filter_map(|port| {
        let number = u16::try_from(port.container_port).ok()?;
        Some((number, Protocol::declared(None, port.name.as_deref())))
    });
    Some(Object::Pod(Pod {
        key: key(metadata),
        uid: metadata.uid.clone().unwrap_or_default(),
        addresses,
        service_account: spec.service_account_name.clone().unwrap_or_else(|| String::from("default")),
        workload: workload(owner, hash, name).to_owned(),
        labels: metadata.labels.clone().unwrap_or_default(),
        node: spec.node_name.clone().unwrap_or_default(),
        meshed: !is_on_host && annotation(MESHED_ANNOTATION).is_some_and(|value| value == "true"),
        token: None,
        ports: declared.chain(opaque(metadata).iter().map(|port| (port, Protocol::Tcp))).collect(),
        default_policy: default_policy(metadata),
    }))
}

fn is_tcp(protocol: Option<&str>) -> bool {
    protocol.is_none_or(|protocol| protocol == "TCP")
}

fn opaque(metadata: &ObjectMeta) -> OpaquePorts {
    let text = metadata.annotations.as_ref().and_then(|annotations| annotations.get(OPAQUE_PORTS_ANNOTATION));
    let Some(text) = text else { return OpaquePorts::default() };
    text.parse().unwrap_or_else(|why: String| {
        tracing::warn!(object = %key(metadata), "annotation {OPAQUE_PORTS_ANNOTATION} counts for nothing: {why}");
        OpaquePorts::default()
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read<T: DeserializeOwned>(object: Value) -> T {
        serde_json::from_value(object).unwrap()
    }

    fn pod_of(spec: Value, status: Value) -> Pod {
        let metadata = json!({
            "name": "web-7d4b9-x1", "namespace": "shop", "uid": "u1", "labels": { "pod-template-hash": "7d4b9" },
            "annotations": { "weft.dev/meshed": "true", "weft.dev/opaque-ports": "5432" },
            "ownerReferences": [{ "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-7d4b9", "uid": "r", "controller": true }],
        });
        let Some(Object::Pod(pod)) = pod(&read(json!({ "metadata": metadata, "spec": spec, "status": status }))) else {
            panic!("no pod")
        };
        pod
    }

    fn spec() -> Value {
        json!({
            "serviceAccountName": "web",
            "containers": [{ "name": "app", "ports": [
                { "containerPort": 8080, "name": "http" }, { "containerPort": 53, "protocol": "UDP" },
            ] }],
        })
    }

    fn running() -> Value {
        json!({ "phase": "Running", "podIP": "10.30.0.5", "podIPs": [{ "ip": "10.30.0.5" }, { "ip": "fd30::5" }] })
    }

    #[test]
    fn a_pod_is_known_by_its_addresses_and_its_workload() {
        let pod = pod_of(spec(), running());
        assert_eq!((pod.workload.as_str(), pod.service_account.as_str(), pod.uid.as_str()), ("web", "web", "u1"));
        assert_eq!(pod.addresses, ["10.30.0.5".parse::<IpAddr>().unwrap(), "fd30::5".parse().unwrap()]);
        assert!(pod.meshed);
        assert_eq!(pod.ports.get(&8080), Some(&Protocol::declared(None, Some("http"))));
        assert_eq!(pod.ports.get(&5432), Some(&Protocol::Tcp));
        assert!(!pod.ports.contains_key(&53), "the mesh carries TCP");
    }

    #[test]
    fn an_address_that_is_not_its_own_is_not_a_pods() {
        let mut done = running();
        done["phase"] = json!("Succeeded");
        assert!(pod_of(spec(), done).addresses.is_empty(), "it may be another's by now");
        let mut host = spec();
        host["hostNetwork"] = json!(true);
        let pod = pod_of(host, running());
        assert!(pod.addresses.is_empty() && !pod.meshed, "it is the node's");
    }

    #[test]
    fn a_service_that_stands_for_another_name_is_none_of_ours() {
        let alias = json!({ "metadata": { "name": "a", "namespace": "shop" }, "spec": { "type": "ExternalName", "externalName": "b.c" } });
        assert_eq!(service(&read(alias)), None);
        let headless = json!({ "metadata": { "name": "db", "namespace": "shop" },
            "spec": { "clusterIP": "None", "clusterIPs": ["None"], "ports": [{ "port": 5432 }], "publishNotReadyAddresses": true } });
        let Some(Object::Service(headless)) = service(&read(headless)) else { panic!("no service") };
        assert!(headless.addresses.is_empty() && headless.publish_not_ready);
    }

    #[test]
    fn a_service_says_where_its_callers_go_and_how_long_they_stay() {
        let spec = |spec: Value| {
            let object = json!({ "metadata": { "name": "a", "namespace": "shop" }, "spec": spec });
            let Some(Object::Service(service)) = service(&read(object)) else { panic!("no service") };
            (service.stays_on_node, service.affinity.map(|time| time.as_secs()))
        };
        assert_eq!(spec(json!({})), (false, None));
        assert_eq!(spec(json!({ "internalTrafficPolicy": "Local", "sessionAffinity": "None" })), (true, None));
        assert_eq!(spec(json!({ "sessionAffinity": "ClientIP" })), (false, Some(10_800)));
        let config = json!({ "clientIP": { "timeoutSeconds": 60 } });
        assert_eq!(spec(json!({ "sessionAffinity": "ClientIP", "sessionAffinityConfig": config })), (false, Some(60)));
    }

    #[test]
    fn nodes_and_namespaces_are_their_labels_and_annotations() {
        let metadata = read(json!({ "name": "n1", "labels": { "topology.kubernetes.io/zone": "z" } }));
        assert_eq!(node(&metadata), Some(Object::Node(Node { key: Key::of_cluster("n1"), zone: "z".into() })));
        for (word, policy) in [
            ("deny", DefaultPolicy::Deny),
            ("allow-authenticated", DefaultPolicy::AllowAuthenticated),
            ("?", DefaultPolicy::Deny),
        ] {
            let metadata = read(json!({ "name": "shop", "annotations": { "weft.dev/default-policy": word } }));
            let expected = Namespace { key: Key::of_cluster("shop"), default_policy: Some(policy) };
            assert_eq!(namespace(&metadata), Some(Object::Namespace(expected)), "{word}");
        }
    }

    #[test]
    fn routes_and_grants_are_read_unless_they_are_of_another_form() {
        let object = |spec: Value| -> DynamicObject {
            let metadata = json!({ "name": "r", "namespace": "shop", "creationTimestamp": "1970-01-01T00:01:00Z", "uid": "u",
                "generation": 2 });
            read(json!({ "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": metadata, "spec": spec }))
        };
        let parent = json!({ "group": "", "kind": "Service", "name": "cart" });
        let Some(Object::Route(route)) = http_route(&object(json!({ "parentRefs": [parent] }))) else { panic!("no route") };
        assert_eq!((route.key.to_string().as_str(), route.made, route.parents.len()), ("shop/r", 60, 1));
        assert_eq!(route.edition, Edition { version: "v1".into(), uid: "u".into(), generation: 2 });
        let granted = json!({ "to": [{ "group": "", "kind": "Service" }] });
        assert!(matches!(grant(&object(granted)), Some(Object::ReferenceGrant(grant)) if grant.to_all));
        assert_eq!((http_route(&object(json!({ "rules": 3 }))), grant(&object(json!({ "to": 3 })))), (None, None));
    }

    #[test]
    fn what_a_slice_does_not_say_means_what_the_api_says() {
        let endpoints = json!([
            { "addresses": ["10.30.0.5"], "targetRef": { "kind": "Pod", "name": "a" } },
            { "addresses": ["10.30.0.6"], "conditions": { "ready": false, "serving": true, "terminating": true }, "zone": "z",
              "nodeName": "n1", "hints": { "forZones": [{ "name": "z" }], "forNodes": [{ "name": "n1" }] } },
            { "addresses": ["somewhere.example"] },
        ]);
        let object = json!({ "metadata": { "name": "web-x", "namespace": "shop", "labels": { "kubernetes.io/service-name": "web" } },
            "addressType": "IPv4", "endpoints": endpoints, "ports": [{ "port": 8080, "name": "" }, { "port": 53, "protocol": "UDP" }] });
        let Some(Object::Slice(slice)) = slice(&read(object)) else { panic!("no slice") };
        let states: Vec<_> = slice.endpoints.iter().map(|endpoint| (endpoint.ready, endpoint.draining)).collect();
        assert_eq!(states, [(true, false), (false, true)]);
        assert_eq!(slice.endpoints[0].pod.as_ref().unwrap().namespace, "shop");
        assert_eq!(slice.ports.len(), 1);
        assert_eq!(slice.endpoints[0].meant_for, Hints::default());
        assert_eq!(slice.endpoints[1].meant_for, Hints { zones: vec!["z".into()], nodes: vec!["n1".into()] });
        assert_eq!(slice.endpoints[1].node, "n1");
    }
}
