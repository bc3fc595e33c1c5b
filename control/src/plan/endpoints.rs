//! Who answers for a cluster, and whom each of them must prove to be.

use std::{collections::BTreeMap, net::SocketAddr};

use certs::name::{SpiffeId, TrustDomain};
use wire::{
    envoy::config::{
        core::v3::{HealthStatus, Locality, Metadata},
        endpoint::v3::{
            ClusterLoadAssignment, Endpoint, LbEndpoint, LocalityLbEndpoints, cluster_load_assignment::Policy,
            lb_endpoint::HostIdentifier,
        },
    },
    names,
};

use super::{
    nearness::{Counting, Place},
    shape::socket,
    target::Target,
};
use crate::index::{self, Index, Key, Pod, Service};

/// How much more than its part, in percent, an endpoint can take when others are not available. Envoy's default.
const OVERPROVISIONING: u32 = 140;

/// The endpoints of a cluster, by zone and address: in an order of their own, whatever order they were heard of in.
/// Those that count where `viewer` is.
pub(super) fn endpoints(
    index: &Index,
    viewer: Option<&Key>,
    trust_domain: &TrustDomain,
    name: &str,
    target: &Target<'_>,
) -> ClusterLoadAssignment {
    let place = match target {
        Target::Service(service, port) => Place::of(index, viewer, service, port),
        Target::Pod(..) => None,
    };
    let members = match target {
        Target::Service(service, port) => {
            let counting = place.as_ref().map_or(Counting::All, |place| place.counting(index, service));
            of_service(index, service, &port.name, counting)
        }
        Target::Pod(pod, address, _) => [(*address, Member { zone: "", draining: false, pod: Some(pod) })].into_iter().collect(),
    };
    let mut zones: BTreeMap<&str, Vec<LbEndpoint>> = BTreeMap::new();
    for (address, member) in members {
        zones.entry(member.zone).or_default().push(endpoint(trust_domain, address, &member));
    }
    let first = match (target, &place) {
        (Target::Service(service, port), Some(place)) => place.first_zone(index, service, port),
        _ => None,
    };
    // Priorities have no gaps: with nobody in the zone that goes first there is only one.
    let first = first.filter(|zone| zones.contains_key(zone));
    let locality = |(zone, lb_endpoints): (&str, Vec<LbEndpoint>)| LocalityLbEndpoints {
        locality: Some(Locality { zone: zone.to_owned(), ..Default::default() }),
        // gRPC's own clients divide calls among zones by it, and leave out a zone without one.
        load_balancing_weight: u32::try_from(lb_endpoints.len()).ok(),
        lb_endpoints,
        priority: first.map_or(0, |first| u32::from(zone != first)),
    };
    let policy = first.map(|_| Policy { overprovisioning_factor: Some(OVERPROVISIONING) });
    ClusterLoadAssignment { cluster_name: name.to_owned(), endpoints: zones.into_iter().map(locality).collect(), policy }
}

/// One endpoint.
struct Member<'a> {
    zone: &'a str,
    draining: bool,
    pod: Option<&'a Pod>,
}

/// Ready endpoints, and those that are going and still answer. Those not ready are left out. When none is ready, those that are
/// going are what there is, as for kube-proxy.
fn of_service<'a>(index: &'a Index, service: &Service, port: &str, counting: Counting<'_>) -> BTreeMap<SocketAddr, Member<'a>> {
    let mut members = BTreeMap::new();
    for slice in index.slices(&service.key) {
        let Some(port) = slice.ports.iter().find(|known| known.name == port) else { continue };
        for endpoint in slice.endpoints.iter().filter(|endpoint| counting.counts(endpoint)) {
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
    if members.values().all(|member| member.draining) {
        members.values_mut().for_each(|member| member.draining = false);
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
