//! What is written to the API server. Pure.
//!
//! Endpoints are Pods that nobody runs: copies of a pod with a sidecar, with an address and a name of their own, so that control
//! has as much to read of each as it would have of a real one.

use std::{iter, net::Ipv4Addr};

use k8s_openapi::{
    api::{
        core::v1::{Pod, PodIP, Service, ServiceAccount},
        discovery::v1::{Endpoint, EndpointSlice},
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Namespace of all services and their pods. Its own pods are not given sidecars: they have them.
pub(super) const NAMESPACE: &str = "stock";

/// A service's name.
pub(super) fn service_name(number: u16) -> String {
    format!("service-{number}")
}

/// The name of its one slice.
pub(super) fn slice_name(service: u16) -> String {
    format!("{}-1", service_name(service))
}

/// The address that the last endpoint of a service has by an edit: of the network for benchmarks (RFC 2544).
pub(super) fn edit_address(edit: u16) -> Ipv4Addr {
    let [high, low] = edit.to_be_bytes();
    Ipv4Addr::new(198, 18, high, low)
}

/// A service, whose endpoints nobody looks for.
pub(super) fn service(number: u16) -> anyhow::Result<Service> {
    typed(json!({
        "metadata": { "name": service_name(number), "namespace": NAMESPACE },
        "spec": { "ports": [{ "name": "http", "port": 80, "targetPort": 8080 }] },
    }))
}

/// The endpoints of a service.
pub(super) fn slice(service: u16, count: u16) -> anyhow::Result<EndpointSlice> {
    typed(json!({
        "metadata": {
            "name": slice_name(service),
            "namespace": NAMESPACE,
            "labels": { "kubernetes.io/service-name": service_name(service) },
        },
        "addressType": "IPv4",
        "ports": [{ "name": "http", "port": 8080, "protocol": "TCP" }],
        "endpoints": endpoints(service, count, None)?,
    }))
}

/// The same on their own; the last of them tells of an edit, if there was one.
pub(super) fn endpoints(service: u16, count: u16, edit: Option<u16>) -> anyhow::Result<Vec<Endpoint>> {
    let own = (0..count).map(|number| endpoint_address(service, number));
    let addresses = own.take(usize::from(count) - usize::from(edit.is_some())).chain(edit.map(edit_address));
    let endpoint = |(address, number)| {
        typed(json!({
            "addresses": [address],
            "conditions": { "ready": true, "serving": true, "terminating": false },
            "targetRef": { "kind": "Pod", "name": pod_name(service, number), "namespace": NAMESPACE },
        }))
    };
    addresses.zip(0..).map(endpoint).collect()
}

/// The pod behind an endpoint, which is otherwise like `model`. Nobody will give it a node.
pub(super) fn pod(model: &Pod, service: u16, number: u16) -> Pod {
    let mut pod = model.clone();
    pod.metadata = ObjectMeta {
        name: Some(pod_name(service, number)),
        namespace: Some(NAMESPACE.to_owned()),
        labels: Some(iter::once((String::from("app"), service_name(service))).collect()),
        annotations: model.metadata.annotations.clone(),
        ..ObjectMeta::default()
    };
    if let Some(spec) = &mut pod.spec {
        spec.node_name = None;
        spec.scheduler_name = Some(String::from("none"));
    }
    if let Some(status) = &mut pod.status {
        let ip = endpoint_address(service, number).to_string();
        status.pod_ips = Some(vec![PodIP { ip: ip.clone() }]);
        status.pod_ip = Some(ip);
    }
    pod
}

/// The account that all of them have.
pub(super) fn account(name: Option<String>) -> ServiceAccount {
    let metadata = ObjectMeta { name, namespace: Some(NAMESPACE.to_owned()), ..ObjectMeta::default() };
    ServiceAccount { metadata, ..ServiceAccount::default() }
}

/// The name of a pod behind a service.
pub(super) fn pod_name(service: u16, number: u16) -> String {
    format!("{}-{number}", service_name(service))
}

/// Endpoints of all services follow one another, from 10.128.0.0 on.
fn endpoint_address(service: u16, number: u16) -> Ipv4Addr {
    const FIRST: u32 = 10 << 24 | 128 << 16;
    Ipv4Addr::from(FIRST + u32::from(service) * 64 + u32::from(number))
}

fn typed<K: DeserializeOwned>(object: Value) -> anyhow::Result<K> {
    Ok(serde_json::from_value(object)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edit_is_told_by_the_address_of_the_last_endpoint() {
        let addresses = |edit| endpoints(3, 3, edit).unwrap().into_iter().flat_map(|endpoint| endpoint.addresses);
        assert_eq!(addresses(None).collect::<Vec<_>>(), ["10.128.0.192", "10.128.0.193", "10.128.0.194"]);
        assert_eq!(addresses(Some(258)).collect::<Vec<_>>(), ["10.128.0.192", "10.128.0.193", "198.18.1.2"]);
    }

    #[test]
    fn an_endpoint_is_the_pod_with_its_address() {
        let model: Pod = typed(json!({
            "metadata": { "name": "client", "annotations": { "weft.dev/meshed": "true" } },
            "spec": { "containers": [], "nodeName": "node" },
            "status": { "podIP": "10.30.0.9" },
        }))
        .unwrap();
        let pod = pod(&model, 3, 1);
        let endpoint = slice(3, 2).unwrap().endpoints.remove(1);
        assert_eq!(endpoint.target_ref.unwrap().name, pod.metadata.name);
        assert_eq!(Some(&endpoint.addresses[0]), pod.status.unwrap().pod_ip.as_ref());
        assert_eq!(pod.metadata.annotations, model.metadata.annotations);
        assert_eq!(pod.spec.unwrap().node_name, None);
    }
}
