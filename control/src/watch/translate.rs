//! From manifests to the index's nouns.

use std::net::IpAddr;

use super::{authorization, mistake::Mistake, opaque::OpaquePorts, policies, routes, traffic};
use crate::{
    index::{
        DefaultPolicy, Endpoint, Hints, Key, Object, Pod, Protocol, Service, ServicePort, Slice, SlicePort, routes::Route,
        traffic::TrafficPolicy as Policy,
    },
    manifest::{
        Document, Problem,
        authorization::AuthorizationPolicy,
        kinds::{
            self, DEFAULT_POLICY_ANNOTATION, MESHED_ANNOTATION, Metadata, OPAQUE_PORTS_ANNOTATION, SERVICE_LABEL,
            TOKEN_ANNOTATION, WORKLOAD_LABEL,
        },
        policies::PeerAuthentication,
        routes::{ConnectionRoute, GROUP, GrpcRoute, HttpRoute, ReferenceGrant},
        traffic::{BACKEND_GROUP, BackendTrafficPolicy, TrafficPolicy},
    },
};

/// The object in `document`; `None` for kinds that are not ours.
///
/// # Errors
/// Everything that is wrong with it.
pub(super) fn object(document: &Document) -> Result<Option<Object>, Vec<Problem>> {
    let Some((object, mistakes)) = read(document)? else { return Ok(None) };
    if mistakes.is_empty() { Ok(Some(object)) } else { Err(mistakes) }
}

/// The same, and the mistakes that spoil no more than a part of it.
///
/// # Errors
/// Everything that is wrong with it, when it cannot be read.
pub(crate) fn read(document: &Document) -> Result<Option<(Object, Vec<Problem>)>, Vec<Problem>> {
    let placed = |(object, mistakes): (Object, Vec<Mistake>)| {
        let place = |mistake: Mistake| document.wrong(&mistake.field, mistake.what, None);
        (object, mistakes.into_iter().map(place).collect())
    };
    Ok(parts(document)?.map(placed))
}

fn parts(document: &Document) -> Result<Option<(Object, Vec<Mistake>)>, Vec<Problem>> {
    let whole = |object| (object, Vec::new());
    let route = |(read, mistakes): (Route, Vec<Mistake>)| (Object::Route(read), mistakes);
    let policy = |(read, mistakes): (Policy, Vec<Mistake>)| (Object::TrafficPolicy(Box::new(read)), mistakes);
    Ok(match document.kind.as_str() {
        "Service" => {
            let found: kinds::Service = document.parse()?;
            Some(whole(Object::Service(service(&found, &opaque(document, &found.metadata)?))))
        }
        "EndpointSlice" => {
            let slice: kinds::EndpointSlice = document.parse()?;
            let service = slice.metadata.labels.get(SERVICE_LABEL).cloned();
            let service = service.ok_or_else(|| {
                let hint = format!("add the label {SERVICE_LABEL}");
                vec![document.wrong("metadata.labels", "the slice names no service", Some(&hint))]
            })?;
            Some(whole(Object::Slice(endpoints(&slice, &service))))
        }
        "Pod" => {
            let found: kinds::Pod = document.parse()?;
            let default_policy = default_policy(document, &found.metadata)?;
            Some(whole(Object::Pod(Pod { default_policy, ..pod(&found, &opaque(document, &found.metadata)?) })))
        }
        "PeerAuthentication" => {
            let found: PeerAuthentication = document.parse()?;
            // Files do not tell when they were made: names decide.
            let (read, mistakes) = policies::peer_authentication(key(&found.metadata), 0, &found.spec);
            Some((Object::PeerAuthentication(read), mistakes))
        }
        "AuthorizationPolicy" => {
            let found: AuthorizationPolicy = document.parse()?;
            let (read, mistakes) = authorization::policy(key(&found.metadata), &found.spec);
            Some((Object::AuthorizationPolicy(read), mistakes))
        }
        "TrafficPolicy" => {
            let found: TrafficPolicy = document.parse()?;
            Some(policy(traffic::policy(key(&found.metadata), 0, &found.spec)))
        }
        "XBackendTrafficPolicy" if document.api_version.starts_with(BACKEND_GROUP) => {
            let found: BackendTrafficPolicy = document.parse()?;
            Some(policy(traffic::backend_policy(key(&found.metadata), 0, &found.spec)))
        }
        "HTTPRoute" if document.api_version.starts_with(GROUP) => {
            let found: HttpRoute = document.parse()?;
            Some(route(routes::http_route(key(&found.metadata), 0, &found.spec)))
        }
        "GRPCRoute" if document.api_version.starts_with(GROUP) => {
            let found: GrpcRoute = document.parse()?;
            Some(route(routes::grpc_route(key(&found.metadata), 0, &found.spec)))
        }
        "TCPRoute" if document.api_version.starts_with(GROUP) => {
            let found: ConnectionRoute = document.parse()?;
            Some(route(routes::tcp_route(key(&found.metadata), 0, &found.spec)))
        }
        "TLSRoute" if document.api_version.starts_with(GROUP) => {
            let found: ConnectionRoute = document.parse()?;
            Some(route(routes::tls_route(key(&found.metadata), 0, &found.spec)))
        }
        "ReferenceGrant" if document.api_version.starts_with(GROUP) => {
            let found: ReferenceGrant = document.parse()?;
            Some(whole(Object::ReferenceGrant(routes::grant(key(&found.metadata), &found.spec))))
        }
        _ => None,
    })
}

/// Everything that is wrong with the object in `document`; nothing for kinds that are not control's.
pub fn mistakes(document: &Document) -> Vec<Problem> {
    object(document).err().unwrap_or_default()
}

/// The ports that are declared opaque beside the specification.
fn opaque(document: &Document, metadata: &Metadata) -> Result<OpaquePorts, Vec<Problem>> {
    let Some(text) = metadata.annotations.get(OPAQUE_PORTS_ANNOTATION) else { return Ok(OpaquePorts::default()) };
    text.parse().map_err(|why: String| {
        let message = format!("{OPAQUE_PORTS_ANNOTATION}: {why}");
        vec![document.wrong("metadata.annotations", message, None)]
    })
}

/// Who may call, if that is said.
fn default_policy(document: &Document, metadata: &Metadata) -> Result<Option<DefaultPolicy>, Vec<Problem>> {
    let word = metadata.annotations.get(DEFAULT_POLICY_ANNOTATION);
    word.map(|word| word.parse()).transpose().map_err(|why: String| {
        let message = format!("{DEFAULT_POLICY_ANNOTATION}: {why}");
        vec![document.wrong("metadata.annotations", message, None)]
    })
}

fn key(metadata: &Metadata) -> Key {
    let namespace = metadata.namespace.clone().unwrap_or_else(|| String::from("default"));
    Key { namespace, name: metadata.name.clone() }
}

fn service(service: &kinds::Service, opaque: &OpaquePorts) -> Service {
    let spec = &service.spec;
    let mut addresses: Vec<IpAddr> =
        spec.cluster_ips.iter().chain(&spec.cluster_ip).filter_map(|address| address.parse().ok()).collect();
    addresses.sort_unstable();
    addresses.dedup();
    let tcp = |port: &&kinds::ServicePort| port.protocol.as_deref().is_none_or(|protocol| protocol == "TCP");
    let port = |port: &kinds::ServicePort| ServicePort {
        name: port.name.clone().unwrap_or_default(),
        port: port.port,
        protocol: match opaque.contains(port.port) {
            true => Protocol::Tcp,
            false => Protocol::declared(port.app_protocol.as_deref(), port.name.as_deref()),
        },
    };
    Service {
        key: key(&service.metadata),
        addresses,
        ports: spec.ports.iter().filter(tcp).map(port).collect(),
        publish_not_ready: spec.publish_not_ready_addresses,
        // One machine is one node.
        stays_on_node: false,
        affinity: spec.affinity(),
    }
}

fn endpoints(slice: &kinds::EndpointSlice, service: &str) -> Slice {
    let key = key(&slice.metadata);
    let endpoint = |endpoint: &kinds::SliceEndpoint| {
        let conditions = endpoint.conditions;
        let ready = conditions.ready.unwrap_or(true);
        let target = endpoint.target_ref.as_ref().filter(|target| target.kind == "Pod");
        let pod = target.map(|target| Key {
            namespace: target.namespace.clone().unwrap_or_else(|| key.namespace.clone()),
            name: target.name.clone(),
        });
        Some(Endpoint {
            address: *endpoint.addresses.first()?,
            pod,
            zone: endpoint.zone.clone().unwrap_or_default(),
            node: String::new(),
            meant_for: Hints::default(),
            ready,
            draining: conditions.terminating.unwrap_or(false) && conditions.serving.unwrap_or(ready),
        })
    };
    let port = |port: &kinds::SlicePort| Some(SlicePort { name: port.name.clone().unwrap_or_default(), port: port.port? });
    Slice {
        service: Key { namespace: key.namespace.clone(), name: service.to_owned() },
        endpoints: slice.endpoints.iter().filter_map(endpoint).collect(),
        ports: slice.ports.iter().filter_map(port).collect(),
        key,
    }
}

fn pod(pod: &kinds::Pod, opaque: &OpaquePorts) -> Pod {
    let Metadata { name, uid, labels, annotations, .. } = &pod.metadata;
    let mut addresses: Vec<IpAddr> = pod.status.pod_ips.iter().map(|pod| pod.ip).chain(pod.status.pod_ip).collect();
    addresses.sort();
    addresses.dedup();
    let ports = pod.spec.containers.iter().flat_map(|container| &container.ports);
    let declared = |port: &kinds::ContainerPort| {
        (port.container_port, Protocol::declared(port.app_protocol.as_deref(), port.name.as_deref()))
    };
    Pod {
        key: key(&pod.metadata),
        uid: uid.clone(),
        addresses,
        service_account: pod.spec.service_account_name.clone().unwrap_or_else(|| String::from("default")),
        workload: labels.get(WORKLOAD_LABEL).unwrap_or(name).clone(),
        labels: labels.clone(),
        node: String::new(),
        meshed: annotations.get(MESHED_ANNOTATION).is_some_and(|value| value == "true"),
        token: annotations.get(TOKEN_ANNOTATION).cloned(),
        ports: ports.map(declared).chain(opaque.iter().map(|port| (port, Protocol::Tcp))).collect(),
        default_policy: None,
    }
}
