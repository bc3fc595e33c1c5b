//! The server's side of incremental xDS for one stream, without a socket.
//!
//! ```text
//! heard(request)        remembers subscriptions, counts NACKs
//! flush(lookup)         what this client lacks or has in another version, what points last
//! ```
//!
//! Source: the xDS transport protocol, "Incremental xDS".

use std::collections::{BTreeMap, BTreeSet};

use wire::envoy::service::discovery::v3::{DeltaDiscoveryRequest, DeltaDiscoveryResponse, Resource as ResourceMessage};

use super::world::Source;
use crate::plan::Kind;

/// Names one client may subscribe to on one stream.
const NAMES_MAX: usize = 50_000;

/// One client's conversation.
#[derive(Debug, Default)]
pub(super) struct Session {
    types: BTreeMap<Kind, Subscription>,
    nonce: u64,
}

/// What a client wants of one type, and what it has.
#[derive(Debug, Default)]
struct Subscription {
    names: BTreeSet<String>,
    /// It wants all of them.
    wildcard: bool,
    /// It has spoken of this type before.
    known: bool,
    /// Version by name that it was sent or said it has; `None` where it was told that there is none.
    held: BTreeMap<String, Option<String>>,
}

/// What came of a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// A subscription or an acknowledgement.
    Fine,
    /// The client could not use what it was sent.
    Nack { kind: Option<Kind>, message: String },
    /// The request cannot be served.
    Refused(String),
}

impl Session {
    /// Takes in a request.
    pub(super) fn heard(&mut self, request: DeltaDiscoveryRequest) -> Heard {
        let kind = Kind::from_type_url(&request.type_url);
        if let Some(error) = &request.error_detail {
            return Heard::Nack { kind, message: error.message.clone() };
        }
        // Types that we do not have are subscribed to in vain, and that is all: a client may know more than we do.
        let Some(kind) = kind else { return Heard::Fine };
        let subscription = self.types.entry(kind).or_default();
        if !subscription.known {
            subscription.known = true;
            // Old clients say "everything" by naming nothing in their first request.
            subscription.wildcard = request.resource_names_subscribe.is_empty() && matches!(kind, Kind::Cluster | Kind::Listener);
            subscription.held =
                request.initial_resource_versions.into_iter().map(|(name, version)| (name, Some(version))).collect();
        }
        for name in request.resource_names_subscribe {
            if name == "*" {
                subscription.wildcard = true;
            } else if !subscription.names.insert(name.clone()) {
                // Whoever subscribes again wants to be told again.
                subscription.held.remove(&name);
            }
        }
        for name in request.resource_names_unsubscribe {
            if name == "*" {
                subscription.wildcard = false;
            }
            subscription.names.remove(&name);
            subscription.held.remove(&name);
        }
        if subscription.names.len() > NAMES_MAX {
            return Heard::Refused(format!("more than {NAMES_MAX} subscriptions on one stream"));
        }
        Heard::Fine
    }

    /// Everything this client should hear now, in the order in which it should.
    pub(super) fn flush(&mut self, source: &impl Source) -> Vec<(Kind, DeltaDiscoveryResponse)> {
        let mut responses = Vec::new();
        for kind in Kind::ALL {
            let Some(subscription) = self.types.get_mut(&kind) else { continue };
            let (resources, removed) = subscription.news(kind, source);
            if resources.is_empty() && removed.is_empty() {
                continue;
            }
            self.nonce += 1;
            let response = DeltaDiscoveryResponse {
                type_url: kind.type_url().to_owned(),
                nonce: self.nonce.to_string(),
                resources,
                removed_resources: removed,
                ..Default::default()
            };
            responses.push((kind, response));
        }
        responses
    }
}

impl Subscription {
    fn news(&mut self, kind: Kind, source: &impl Source) -> (Vec<ResourceMessage>, Vec<String>) {
        let every = if self.wildcard { source.every_name(kind) } else { Vec::new() };
        let wanted: BTreeSet<&String> = self.names.iter().chain(&every).collect();
        let mut resources = Vec::new();
        let mut removed = Vec::new();
        for name in wanted.iter().copied() {
            let held = self.held.get(name);
            match source.resource(kind, name) {
                Some(resource) if held.is_some_and(|held| held.as_ref() == Some(&resource.version)) => {}
                Some(resource) => {
                    self.held.insert(name.clone(), Some(resource.version.clone()));
                    resources.push(ResourceMessage {
                        name: name.clone(),
                        version: resource.version.clone(),
                        resource: Some(resource.body.clone()),
                    });
                }
                None if held == Some(&None) => {}
                None => {
                    self.held.insert(name.clone(), None);
                    removed.push(name.clone());
                }
            }
        }
        // What it holds by the wildcard and is no more.
        let stale: Vec<String> = self.held.keys().filter(|name| !wanted.contains(name)).cloned().collect();
        for name in stale {
            if self.held.remove(&name).flatten().is_some() {
                removed.push(name);
            }
        }
        (resources, removed)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use wire::google::rpc::Status;

    use super::*;
    use crate::plan::Resource;

    /// Resources by name, the same for every kind.
    #[derive(Default)]
    struct Shelf(BTreeMap<String, String>);

    impl Source for Shelf {
        fn resource(&self, _: Kind, name: &str) -> Option<Arc<Resource>> {
            let version = self.0.get(name)?.clone();
            Some(Arc::new(Resource { version, body: prost_types::Any::default() }))
        }

        fn every_name(&self, _: Kind) -> Vec<String> {
            self.0.keys().cloned().collect()
        }
    }

    fn shelf(resources: &[(&str, &str)]) -> Shelf {
        Shelf(resources.iter().map(|(name, version)| ((*name).to_owned(), (*version).to_owned())).collect())
    }

    fn subscribe(kind: Kind, names: &[&str]) -> DeltaDiscoveryRequest {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        DeltaDiscoveryRequest { type_url: kind.type_url().to_owned(), resource_names_subscribe: names, ..Default::default() }
    }

    fn told(responses: Vec<(Kind, DeltaDiscoveryResponse)>) -> Vec<(String, Vec<String>, Vec<String>)> {
        let names = |response: &DeltaDiscoveryResponse| response.resources.iter().map(|resource| resource.name.clone()).collect();
        let one = |(kind, response): (Kind, DeltaDiscoveryResponse)| {
            (kind.word().to_owned(), names(&response), response.removed_resources)
        };
        responses.into_iter().map(one).collect()
    }

    #[test]
    fn only_what_changed_is_sent_again() {
        let mut session = Session::default();
        session.heard(subscribe(Kind::Cluster, &["a", "b"]));
        assert_eq!(session.flush(&shelf(&[("a", "1"), ("b", "1")])).len(), 1);
        assert!(session.flush(&shelf(&[("a", "1"), ("b", "1")])).is_empty());
        let news = told(session.flush(&shelf(&[("a", "1"), ("b", "2")])));
        assert_eq!(news, [("cluster".into(), vec!["b".into()], vec![])]);
    }

    #[test]
    fn what_does_not_exist_is_said_once_and_sent_when_it_comes_to_be() {
        let mut session = Session::default();
        session.heard(subscribe(Kind::Listener, &["a"]));
        assert_eq!(told(session.flush(&shelf(&[]))), [("listener".into(), vec![], vec!["a".into()])]);
        assert!(session.flush(&shelf(&[])).is_empty());
        assert_eq!(told(session.flush(&shelf(&[("a", "1")]))), [("listener".into(), vec!["a".into()], vec![])]);
    }

    #[test]
    fn a_client_that_comes_back_is_told_only_the_news() {
        let mut session = Session::default();
        let held = [("a".to_owned(), "1".to_owned()), ("b".to_owned(), "1".to_owned())];
        let request = DeltaDiscoveryRequest {
            initial_resource_versions: held.into_iter().collect(),
            ..subscribe(Kind::Cluster, &["a", "b"])
        };
        session.heard(request);
        assert_eq!(told(session.flush(&shelf(&[("a", "1")]))), [("cluster".into(), vec![], vec!["b".into()])]);
    }

    #[test]
    fn whoever_subscribes_again_is_told_again() {
        let mut session = Session::default();
        session.heard(subscribe(Kind::Cluster, &["a"]));
        session.flush(&shelf(&[("a", "1")]));
        session.heard(subscribe(Kind::Cluster, &["a"]));
        assert_eq!(session.flush(&shelf(&[("a", "1")])).len(), 1);
    }

    #[test]
    fn what_points_at_others_goes_after_them() {
        let mut session = Session::default();
        for kind in [Kind::Route, Kind::Listener, Kind::Endpoints, Kind::Cluster] {
            session.heard(subscribe(kind, &["a"]));
        }
        let order: Vec<_> = session.flush(&shelf(&[("a", "1")])).into_iter().map(|(kind, _)| kind).collect();
        assert_eq!(order, [Kind::Cluster, Kind::Endpoints, Kind::Listener, Kind::Route]);
    }

    #[test]
    fn a_wildcard_follows_everything() {
        let mut session = Session::default();
        session.heard(subscribe(Kind::Cluster, &[]));
        assert_eq!(told(session.flush(&shelf(&[("a", "1"), ("b", "1")])))[0].1, ["a", "b"]);
        assert_eq!(told(session.flush(&shelf(&[("a", "1")])))[0].2, ["b"]);
    }

    #[test]
    fn a_nack_is_told_apart_and_changes_nothing() {
        let mut session = Session::default();
        session.heard(subscribe(Kind::Cluster, &["a"]));
        session.flush(&shelf(&[("a", "1")]));
        let error = Some(Status { code: 3, message: "no".into(), ..Default::default() });
        let nack = DeltaDiscoveryRequest { error_detail: error, ..subscribe(Kind::Cluster, &[]) };
        assert_eq!(session.heard(nack), Heard::Nack { kind: Some(Kind::Cluster), message: "no".into() });
        assert!(session.flush(&shelf(&[("a", "1")])).is_empty());
    }

    proptest! {
        #[test]
        fn nobody_is_sent_what_he_did_not_ask_for(
            steps in prop::collection::vec((0..4_usize, prop::collection::vec("[a-e]", 1..3), any::<bool>()), 1..40),
        ) {
            let mut session = Session::default();
            let all = shelf(&[("a", "1"), ("b", "1"), ("c", "1")]);
            let mut wanted: BTreeSet<(Kind, String)> = BTreeSet::new();
            for (kind, names, subscribing) in steps {
                let kind = Kind::ALL[kind];
                // A type's first request must name something, or it means everything.
                session.heard(subscribe(kind, &["first"]));
                wanted.insert((kind, "first".to_owned()));
                let mut request = subscribe(kind, &[]);
                for name in names {
                    if subscribing {
                        wanted.insert((kind, name.clone()));
                        request.resource_names_subscribe.push(name);
                    } else {
                        wanted.remove(&(kind, name.clone()));
                        request.resource_names_unsubscribe.push(name);
                    }
                }
                session.heard(request);
                for (kind, response) in session.flush(&all) {
                    for resource in response.resources {
                        prop_assert!(wanted.contains(&(kind, resource.name)));
                    }
                }
            }
        }
    }
}
