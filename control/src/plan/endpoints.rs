//! Who answers for a cluster, and whom each of them must prove to be.

use std::{collections::BTreeMap, net::SocketAddr};

use certs::name::{SpiffeId, TrustDomain};
use wire::{
    envoy::config::{
        core::v3::{HealthStatus, Locality, Metadata},
        endpoint::v3::{ClusterLoadAssignment, Endpoint, LbEndpoint, LocalityLbEndpoints, lb_endpoint::HostIdentifier},
    },
    names,
};

use super::{shape::socket, target::Target};
use crate::index::{self, Index, Pod, Service};

/// The endpoints of a cluster, by zone and address: in an order of their own, whatever order they were heard of in.
pub(super) fn endpoints(index: &Index, trust_domain: &TrustDomain, name: &str, target: &Target<'_>) -> ClusterLoadAssignment {
    let members = match target {
        Target::Service(service, port) => of_service(index, service, &port.name),
        Target::Pod(pod, address, _) => [(*address, Member { zone: "", draining: false, pod: Some(pod) })].into_iter().collect(),
    };
    let mut zones: BTreeMap<&str, Vec<LbEndpoint>> = BTreeMap::new();
    for (address, member) in members {
        zones.entry(member.zone).or_default().push(endpoint(trust_domain, address, &member));
    }
    let locality = |(zone, lb_endpoints): (&str, Vec<LbEndpoint>)| LocalityLbEndpoints {
        locality: Some(Locality { zone: zone.to_owned(), ..Default::default() }),
        lb_endpoints,
        ..Default::default()
    };
    ClusterLoadAssignment { cluster_name: name.to_owned(), endpoints: zones.into_iter().map(locality).collect() }
}

/// One endpoint.
struct Member<'a> {
    zone: &'a str,
    draining: bool,
    pod: Option<&'a Pod>,
}

/// Ready endpoints, and those that are going and still answer. Those not ready are left out.
fn of_service<'a>(index: &'a Index, service: &Service, port: &str) -> BTreeMap<SocketAddr, Member<'a>> {
    let mut members = BTreeMap::new();
    for slice in index.slices(&service.key) {
        let Some(port) = slice.ports.iter().find(|known| known.name == port) else { continue };
        for endpoint in &slice.endpoints {
            let index::Endpoint { address, zone, ready, draining, .. } = endpoint;
            if !(*ready || *draining || service.publish_not_ready) {
                continue;
            }
            // A pod that has not been heard of yet could not say whom it must prove to be, and would be dialled in plaintext.
            let Ok(pod) = whose(index, endpoint) else { continue };
            let member = Member { zone, draining: !ready && *draining, pod };
            members.entry(SocketAddr::new(*address, port.port)).or_insert(member);
        }
    }
    members
}

/// The pod that an endpoint is, if it is one. An error when that pod is not known.
fn whose<'a>(index: &'a Index, endpoint: &index::Endpoint) -> Result<Option<&'a Pod>, ()> {
    match &endpoint.pod {
        Some(pod) => index.pod(pod).map(Some).ok_or(()),
        None => Ok(index.pods_at(endpoint.address).next()),
    }
}

fn endpoint(trust_domain: &TrustDomain, address: SocketAddr, member: &Member<'_>) -> LbEndpoint {
    let health = if member.draining { HealthStatus::Draining } else { HealthStatus::Healthy };
    LbEndpoint {
        host_identifier: Some(HostIdentifier::Endpoint(Endpoint { address: Some(socket(address)) })),
        health_status: health.into(),
        metadata: member.pod.map(|pod| introduced(pod, trust_domain)),
        ..Default::default()
    }
}

/// Who a pod is. Its identity is there when it can prove it.
fn introduced(pod: &Pod, trust_domain: &TrustDomain) -> Metadata {
    let identity = SpiffeId::new(trust_domain, &pod.key.namespace, &pod.service_account);
    // A name that cannot be written is told as it is: what cannot be read is never dialled in plaintext.
    let identity = identity.map_or_else(|_| String::from("unnameable"), |identity| identity.to_string());
    let mut texts =
        vec![(names::WORKLOAD, pod.workload.as_str()), (names::NAMESPACE, &pod.key.namespace), (names::POD, &pod.key.name)];
    if pod.meshed {
        texts.push((names::IDENTITY, &identity));
    }
    names::metadata(texts)
}
