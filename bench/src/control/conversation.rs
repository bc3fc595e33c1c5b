//! What a sidecar says to control, as `proxy/src/feed` does: listeners first, then what they point at, and every answer is
//! acknowledged. No socket, no clock.

use std::collections::BTreeMap;

use wire::{
    envoy::{
        config::core::v3::Node,
        service::discovery::v3::{DeltaDiscoveryRequest, DeltaDiscoveryResponse},
    },
    names,
};

use super::manifests::{NAMESPACE, POPULAR, edit_told, service_address, service_name, subscriber_name};

/// Types of resources, each pointed at by the one before it.
const KINDS: [&str; 4] = [names::LISTENER, names::ROUTE_CONFIGURATION, names::CLUSTER, names::CLUSTER_LOAD_ASSIGNMENT];

/// A sidecar's side of any number of streams.
#[derive(Debug)]
pub struct Conversation {
    node: Node,
    /// Versions of what is held, by type and name.
    held: BTreeMap<&'static str, BTreeMap<String, String>>,
    /// Types subscribed to so far.
    subscribed: usize,
}

/// What an answer amounts to.
#[derive(Debug, Default)]
pub struct Heard {
    /// What to say to it, in order.
    pub requests: Vec<DeltaDiscoveryRequest>,
    /// With this answer everything is there.
    pub complete: bool,
    /// Edits it tells of.
    pub edits: Vec<u16>,
}

impl Conversation {
    /// Of a subscriber that holds nothing.
    pub fn new(subscriber: u16) -> Self {
        let name = subscriber_name(subscriber);
        let node = Node { id: names::node_id(&name, NAMESPACE), cluster: name, ..Default::default() };
        Self { node, held: BTreeMap::new(), subscribed: 1 }
    }

    /// What to say on a new stream: everything that was subscribed to, and what is held of it.
    pub fn opening(&self) -> Vec<DeltaDiscoveryRequest> {
        let mut requests: Vec<_> = KINDS[..self.subscribed].iter().map(|kind| self.subscription(kind)).collect();
        if let Some(first) = requests.first_mut() {
            first.node = Some(self.node.clone());
        }
        requests
    }

    /// Takes in an answer.
    pub fn heard(&mut self, answer: DeltaDiscoveryResponse) -> Heard {
        let acknowledgement = DeltaDiscoveryRequest {
            type_url: answer.type_url.clone(),
            response_nonce: answer.nonce.clone(),
            ..Default::default()
        };
        let mut heard = Heard { requests: vec![acknowledgement], ..Heard::default() };
        let Some(place) = KINDS.iter().position(|kind| *kind == answer.type_url) else { return heard };
        let was_complete = self.is_complete();
        let held = self.held.entry(KINDS[place]).or_default();
        for resource in answer.resources {
            if KINDS[place] == names::CLUSTER_LOAD_ASSIGNMENT {
                heard.edits.extend(resource.resource.as_ref().and_then(|body| edit_told(&body.value)));
            }
            held.insert(resource.name, resource.version);
        }
        if place + 1 == self.subscribed && self.subscribed < KINDS.len() && held.len() == wanted(KINDS[place]).len() {
            heard.requests.push(self.subscription(KINDS[self.subscribed]));
            self.subscribed += 1;
        }
        heard.complete = !was_complete && self.is_complete();
        heard
    }

    fn is_complete(&self) -> bool {
        KINDS.iter().all(|kind| self.held.get(kind).is_some_and(|held| held.len() == wanted(kind).len()))
    }

    fn subscription(&self, kind: &str) -> DeltaDiscoveryRequest {
        DeltaDiscoveryRequest {
            type_url: kind.to_owned(),
            resource_names_subscribe: wanted(kind),
            initial_resource_versions: self.held.get(kind).cloned().unwrap_or_default(),
            ..Default::default()
        }
    }
}

/// What every subscriber wants to know of a type: its own ports, and the popular services.
fn wanted(kind: &str) -> Vec<String> {
    if kind == names::LISTENER {
        let address = |number| names::address((service_address(number), 80).into());
        return std::iter::once(names::INBOUND.to_owned()).chain((0..POPULAR).map(address)).collect();
    }
    (0..POPULAR).map(|number| names::service_port(&service_name(number), NAMESPACE, 80)).collect()
}

#[cfg(test)]
mod tests {
    use wire::envoy::service::discovery::v3::Resource;

    use super::*;

    fn answer(kind: &str) -> DeltaDiscoveryResponse {
        let resource = |name| Resource { name, version: String::from("1"), ..Default::default() };
        let resources = wanted(kind).into_iter().map(resource).collect();
        DeltaDiscoveryResponse { type_url: kind.to_owned(), nonce: String::from("n"), resources, ..Default::default() }
    }

    #[test]
    fn what_is_pointed_at_is_asked_for_when_all_that_points_is_there() {
        let mut conversation = Conversation::new(7);
        assert_eq!(conversation.opening()[0].type_url, KINDS[0]);
        for (place, kind) in KINDS.iter().enumerate() {
            let heard = conversation.heard(answer(kind));
            assert_eq!(heard.requests[0].response_nonce, "n");
            assert_eq!(heard.requests.get(1).map(|request| request.type_url.as_str()), KINDS.get(place + 1).copied());
            assert_eq!(heard.complete, place + 1 == KINDS.len());
        }
        assert!(!conversation.heard(answer(KINDS[3])).complete, "it is complete once");
    }

    #[test]
    fn a_new_stream_is_told_what_is_held() {
        let mut conversation = Conversation::new(7);
        conversation.heard(answer(KINDS[0]));
        let opening = conversation.opening();
        assert_eq!(opening.len(), 2);
        assert_eq!(opening[0].initial_resource_versions.len(), wanted(KINDS[0]).len());
        assert!(opening[0].node.is_some() && opening[1].node.is_none());
    }
}
