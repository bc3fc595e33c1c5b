//! What control knows, as JSON. No token, no hash of one, no key.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use serde::Serialize;

use super::Admin;
use crate::{
    clock,
    index::{Index, Pod, Service},
    serve::{Client, Held},
    verdicts::{self, Verdicts},
};

/// What was decided at start.
pub(crate) struct About {
    pub(crate) source: String,
    pub(crate) leaf_lifetime: Duration,
    pub(crate) held: Held,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    trust_domain: String,
    source: String,
    /// Changes taken in since start; nothing until the source was read.
    generation: Option<u64>,
    problems: Vec<String>,
    leaf_lifetime_seconds: u64,
    certificate: Certificate,
    streams: Vec<Client>,
    services: Vec<ServiceView>,
    pods: Vec<PodView>,
    #[serde(flatten)]
    verdicts: Verdicts,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Certificate {
    id: String,
    serial: String,
    /// Unix seconds.
    ends: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ServiceView {
    name: String,
    namespace: String,
    addresses: Vec<IpAddr>,
    ports: BTreeMap<u16, &'static str>,
    endpoints: Vec<EndpointView>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EndpointView {
    address: IpAddr,
    pod: Option<String>,
    state: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PodView {
    name: String,
    namespace: String,
    workload: String,
    service_account: String,
    addresses: Vec<IpAddr>,
    meshed: bool,
    ports: BTreeMap<u16, &'static str>,
}

/// The page.
pub(super) fn config(admin: &Admin) -> String {
    let identity = admin.about.held.identity.load();
    let (services, pods, verdicts) = admin.state.inspect(|index| {
        let services = index.services().map(|found| service(index, found)).collect();
        let pods = index.pods().map(|found| pod(index, found)).collect();
        (services, pods, verdicts::of_index(index))
    });
    let config = Config {
        trust_domain: admin.state.trust_domain().to_string(),
        source: admin.about.source.clone(),
        generation: admin.state.generation(),
        problems: admin.state.problems(),
        leaf_lifetime_seconds: admin.about.leaf_lifetime.as_secs(),
        certificate: Certificate {
            id: identity.id().to_string(),
            serial: identity.serial().to_owned(),
            ends: clock::unix_seconds(identity.not_after()),
        },
        streams: admin.roster.clients(),
        services,
        pods,
        verdicts,
    };
    // Texts, numbers and lists of them: there is always a JSON form.
    serde_json::to_string_pretty(&config).unwrap_or_default()
}

fn service(index: &Index, service: &Service) -> ServiceView {
    let endpoint = |endpoint: &crate::index::Endpoint| EndpointView {
        address: endpoint.address,
        pod: endpoint.pod.as_ref().map(ToString::to_string),
        state: match (endpoint.ready, endpoint.draining) {
            (true, _) => "ready",
            (false, true) => "draining",
            (false, false) => "not ready",
        },
    };
    ServiceView {
        name: service.key.name.clone(),
        namespace: service.key.namespace.clone(),
        addresses: service.addresses.clone(),
        ports: service.ports.iter().map(|port| (port.port, port.protocol.word())).collect(),
        endpoints: index.slices(&service.key).flat_map(|slice| &slice.endpoints).map(endpoint).collect(),
    }
}

fn pod(index: &Index, pod: &Pod) -> PodView {
    PodView {
        name: pod.key.name.clone(),
        namespace: pod.key.namespace.clone(),
        workload: pod.workload.clone(),
        service_account: pod.service_account.clone(),
        addresses: pod.addresses.clone(),
        meshed: pod.meshed,
        ports: index.ports_of(pod).into_iter().map(|(port, protocol)| (port, protocol.word())).collect(),
    }
}
