//! The client's side of incremental xDS, as a state machine without a socket or a clock.
//!
//! ```text
//! want(name) ──▶ subscribe            received(response) ──▶ ACK or NACK, then subscribe to what it points at
//! connected() ──▶ subscribe to everything again, telling which versions are held, so that only news is sent
//! ```
//!
//! Source: the xDS transport protocol, "Incremental xDS".

use std::collections::{BTreeMap, BTreeSet};

use wire::{
    envoy::{
        config::core::v3::Node,
        service::discovery::v3::{DeltaDiscoveryRequest, DeltaDiscoveryResponse},
    },
    google::rpc::Status,
};

use super::resources::{Kind, Resources};

/// gRPC's INVALID_ARGUMENT, what a NACK carries.
const INVALID_ARGUMENT: i32 = 3;

/// What to send, and whether anything changed.
#[derive(Debug, Default)]
pub(super) struct Step {
    /// Requests to send, in order.
    pub(super) requests: Vec<DeltaDiscoveryRequest>,
    /// Whether the resources held have changed.
    pub(super) changed: bool,
    /// What was wrong with what we were sent.
    pub(super) mistakes: Vec<String>,
}

/// One proxy's conversation with control, over any number of streams.
#[derive(Debug)]
pub(super) struct Client {
    node: Node,
    resources: Resources,
    subscribed: BTreeMap<Kind, BTreeSet<String>>,
}

impl Client {
    /// A client that holds nothing.
    pub(super) fn new(node: Node) -> Self {
        Self { node, resources: Resources::default(), subscribed: BTreeMap::new() }
    }

    /// What is held.
    pub(super) fn resources(&self) -> &Resources {
        &self.resources
    }

    /// A listener that somebody wants to know. Nothing is sent for what was asked before.
    pub(super) fn want(&mut self, listener: String) -> Step {
        let fresh = self.subscribed.entry(Kind::Listener).or_default().insert(listener.clone());
        let requests = if fresh { vec![subscription(Kind::Listener, vec![listener], Vec::new())] } else { Vec::new() };
        Step { requests, ..Step::default() }
    }

    /// Lets go of a listener that nobody wants any more.
    pub(super) fn forget(&mut self, listener: &str) -> Step {
        if !self.subscribed.entry(Kind::Listener).or_default().remove(listener) {
            return Step::default();
        }
        self.resources.forget(Kind::Listener, listener);
        let mut requests = vec![subscription(Kind::Listener, Vec::new(), vec![listener.to_owned()])];
        requests.extend(self.follow_pointers());
        Step { requests, changed: true, ..Step::default() }
    }

    /// A new stream is open: what to say first.
    pub(super) fn connected(&mut self) -> Step {
        let mut requests: Vec<_> = Kind::ALL
            .into_iter()
            .filter_map(|kind| {
                let names = self.subscribed.get(&kind).filter(|names| !names.is_empty())?;
                let mut request = subscription(kind, names.iter().cloned().collect(), Vec::new());
                request.initial_resource_versions = self.resources.versions(kind).into_iter().collect();
                Some(request)
            })
            .collect();
        if let Some(first) = requests.first_mut() {
            first.node = Some(self.node.clone());
        }
        Step { requests, ..Step::default() }
    }

    /// Control sent something.
    pub(super) fn received(&mut self, response: DeltaDiscoveryResponse) -> Step {
        let Some(kind) = Kind::from_type_url(&response.type_url) else {
            let mistake = format!("resources of the type {} were not asked for", response.type_url);
            let reply = acknowledgement(&response, std::slice::from_ref(&mistake));
            return Step { requests: vec![reply], mistakes: vec![mistake], ..Step::default() };
        };
        let mistakes = self.apply(kind, &response);
        let mut requests = vec![acknowledgement(&response, &mistakes)];
        requests.extend(self.follow_pointers());
        Step { requests, changed: true, mistakes }
    }

    fn apply(&mut self, kind: Kind, response: &DeltaDiscoveryResponse) -> Vec<String> {
        let subscribed = self.subscribed.entry(kind).or_default();
        let mut mistakes = Vec::new();
        for resource in response.resources.iter().filter(|resource| subscribed.contains(&resource.name)) {
            let body = resource.resource.as_ref().map_or(&[][..], |any| &any.value);
            mistakes.extend(self.resources.insert(kind, &resource.name, &resource.version, body).err());
        }
        for name in response.removed_resources.iter().filter(|name| subscribed.contains(*name)) {
            self.resources.absent(kind, name);
        }
        mistakes
    }

    /// Subscribes to what the held resources point at, and lets go of what none of them does.
    fn follow_pointers(&mut self) -> Vec<DeltaDiscoveryRequest> {
        let mut requests = Vec::new();
        for kind in [Kind::Route, Kind::Cluster, Kind::Endpoints] {
            let wanted = self.resources.pointed_at(kind);
            let subscribed = self.subscribed.entry(kind).or_default();
            let fresh: Vec<_> = wanted.difference(subscribed).cloned().collect();
            let stale: Vec<_> = subscribed.difference(&wanted).cloned().collect();
            for name in &stale {
                self.resources.forget(kind, name);
            }
            if !fresh.is_empty() || !stale.is_empty() {
                requests.push(subscription(kind, fresh, stale));
            }
            *subscribed = wanted;
        }
        requests
    }
}

fn subscription(kind: Kind, names: Vec<String>, gone: Vec<String>) -> DeltaDiscoveryRequest {
    DeltaDiscoveryRequest {
        type_url: kind.type_url().to_owned(),
        resource_names_subscribe: names,
        resource_names_unsubscribe: gone,
        ..Default::default()
    }
}

fn acknowledgement(response: &DeltaDiscoveryResponse, mistakes: &[String]) -> DeltaDiscoveryRequest {
    let error =
        (!mistakes.is_empty()).then(|| Status { code: INVALID_ARGUMENT, message: mistakes.join("; "), ..Default::default() });
    DeltaDiscoveryRequest {
        type_url: response.type_url.clone(),
        response_nonce: response.nonce.clone(),
        error_detail: error,
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use prost::Message;
    use wire::envoy::{
        config::{cluster::v3::Cluster, listener::v3::Listener},
        service::discovery::v3::Resource,
    };

    use super::*;

    fn client() -> Client {
        Client::new(Node { id: "web-0.shop".into(), ..Default::default() })
    }

    fn response(kind: Kind, resources: Vec<(&str, Vec<u8>)>, removed: &[&str]) -> DeltaDiscoveryResponse {
        let resources = resources.into_iter().map(|(name, value)| Resource {
            name: name.into(),
            version: "1".into(),
            resource: Some(prost_types::Any { type_url: kind.type_url().into(), value }),
        });
        DeltaDiscoveryResponse {
            type_url: kind.type_url().into(),
            nonce: "n1".into(),
            resources: resources.collect(),
            removed_resources: removed.iter().map(|name| (*name).into()).collect(),
            ..Default::default()
        }
    }

    #[test]
    fn the_same_question_is_asked_once() {
        let mut client = client();
        assert_eq!(client.want("address/10.96.0.5:80".into()).requests.len(), 1);
        assert!(client.want("address/10.96.0.5:80".into()).requests.is_empty());
    }

    #[test]
    fn what_cannot_be_read_is_refused_and_named() {
        let mut client = client();
        client.want("address/10.96.0.5:80".into());
        let step = client.received(response(Kind::Listener, vec![("address/10.96.0.5:80", vec![0xff, 0xff])], &[]));
        let error = step.requests[0].error_detail.as_ref().unwrap();
        assert!(error.message.contains("address/10.96.0.5:80"));
        assert_eq!(step.requests[0].response_nonce, "n1");
        assert!(client.resources().listeners.is_empty());
    }

    #[test]
    fn what_was_not_asked_for_is_not_kept() {
        let mut client = client();
        let step = client.received(response(Kind::Cluster, vec![("stray", Cluster::default().encode_to_vec())], &[]));
        assert!(step.requests[0].error_detail.is_none());
        assert!(client.resources().clusters.is_empty());
    }

    #[test]
    fn a_new_stream_is_told_who_we_are_and_what_we_hold() {
        let mut client = client();
        client.want("inbound".into());
        client.received(response(Kind::Listener, vec![("inbound", Listener::default().encode_to_vec())], &[]));
        let first = client.connected().requests.remove(0);
        assert_eq!(first.node.unwrap().id, "web-0.shop");
        assert_eq!(first.initial_resource_versions["inbound"], "1");
        assert_eq!(first.resource_names_subscribe, ["inbound"]);
    }

    #[test]
    fn nothing_that_control_sends_makes_the_client_panic() {
        use proptest::prelude::*;
        proptest!(|(kinds in prop::collection::vec((0..5_usize, "[a-c]", prop::collection::vec(any::<u8>(), 0..40), any::<bool>()), 0..30))| {
            let mut client = client();
            for (kind, name, body, removed) in kinds {
                client.want(name.clone());
                let kind = Kind::ALL.get(kind);
                let mut message = response(kind.copied().unwrap_or(Kind::Listener), vec![(&name, body)], if removed { &["a"] } else { &[] });
                if kind.is_none() {
                    message.type_url = "unheard of".into();
                }
                let step = client.received(message);
                prop_assert!(!step.requests.is_empty(), "every response is acknowledged");
            }
        });
    }
}
