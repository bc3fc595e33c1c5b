//! State of the world: the older variant of xDS, in which every answer holds everything of a type.
//!
//! gRPC's own clients and many Envoys speak it. One stream, no socket. Source: the xDS transport protocol, "Basic Protocol
//! Overview".

use std::collections::{BTreeMap, BTreeSet};

use wire::envoy::service::discovery::v3::{DiscoveryRequest, DiscoveryResponse};

use super::conversation::{Conversation, Heard, Source};
use crate::{
    index::{Key, Subject, Touched},
    plan::{self, Kind},
};

/// Names one client may subscribe to on one stream.
const NAMES_MAX: usize = 50_000;

/// One client's conversation.
#[derive(Debug)]
pub(super) struct Session {
    viewer: Option<Key>,
    types: BTreeMap<Kind, Subscription>,
    nonce: u64,
}

#[derive(Debug, Default)]
struct Subscription {
    wanted: Wanted,
    /// Something it is made of was touched, or something else is wanted.
    due: bool,
    /// Version of the last answer; `None` when an answer is owed whatever it is.
    sent: Option<String>,
    /// How many resources it held.
    count: usize,
    last_nonce: String,
    /// Whether the client has said of the last answer what it thinks of it.
    answered: bool,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Wanted {
    /// Nothing was said yet.
    #[default]
    Unsaid,
    Everything,
    /// These, and what they are made of.
    Names(BTreeSet<String>, BTreeSet<Subject>),
}

impl Conversation for Session {
    type Request = DiscoveryRequest;
    type Answer = DiscoveryResponse;
    const VARIANT: &'static str = "state of the world";

    fn new(viewer: Option<Key>) -> Self {
        Self { viewer, types: BTreeMap::new(), nonce: 0 }
    }

    fn node_id(request: &DiscoveryRequest) -> Option<&str> {
        request.node.as_ref().map(|node| node.id.as_str())
    }

    fn heard(&mut self, request: DiscoveryRequest) -> Heard {
        let kind = Kind::from_type_url(&request.type_url);
        let nack = request.error_detail.as_ref().map(|error| error.message.clone());
        if request.resource_names.len() > NAMES_MAX {
            return Heard::Refused(format!("more than {NAMES_MAX} subscriptions on one stream"));
        }
        if let Some(kind) = kind {
            self.types.entry(kind).or_default().heard(kind, self.viewer.as_ref(), request);
        }
        nack.map_or(Heard::Fine, |message| Heard::Nack { kind, message })
    }

    fn touched(&mut self, touched: &Touched) {
        for subscription in self.types.values_mut() {
            subscription.due |= match &subscription.wanted {
                Wanted::Unsaid => false,
                Wanted::Everything => true,
                Wanted::Names(_, made_of) => !made_of.is_disjoint(touched),
            };
        }
    }

    fn all_touched(&mut self) {
        for subscription in self.types.values_mut() {
            subscription.due = true;
        }
    }

    fn flush(&mut self, source: &impl Source) -> Vec<(Kind, DiscoveryResponse)> {
        let mut responses = Vec::new();
        for kind in Kind::ALL {
            let Some(subscription) = self.types.get_mut(&kind).filter(|subscription| subscription.due) else { continue };
            if let Some(mut response) = subscription.news(kind, source) {
                self.nonce += 1;
                response.nonce = self.nonce.to_string();
                subscription.last_nonce.clone_from(&response.nonce);
                subscription.answered = false;
                responses.push((kind, response));
            }
        }
        responses
    }

    fn subscriptions(&self) -> BTreeMap<Kind, usize> {
        self.types.iter().map(|(kind, subscription)| (*kind, subscription.count)).collect()
    }

    fn resources(answer: &DiscoveryResponse) -> usize {
        answer.resources.len()
    }
}

impl Subscription {
    fn heard(&mut self, kind: Kind, viewer: Option<&Key>, request: DiscoveryRequest) {
        // An answer to anything but our last word has been overtaken.
        if !request.response_nonce.is_empty() && request.response_nonce != self.last_nonce {
            return;
        }
        let names: BTreeSet<String> = request.resource_names.iter().cloned().collect();
        // Naming nothing means everything, unless something was named before: then it means nothing any more.
        let by_naming_none = names.is_empty() && kind.has_wildcard() && !matches!(self.wanted, Wanted::Names(..));
        let wanted = if by_naming_none || names.contains("*") {
            Wanted::Everything
        } else {
            let made_of = names.iter().filter_map(|name| plan::subject(viewer, kind, name)).collect();
            Wanted::Names(names, made_of)
        };
        // Whoever has acknowledged an answer and comes with the same words once more has forgotten it: an Envoy does, of the endpoints of a
        // cluster that has changed, and keeps the old cluster until it hears them again.
        let again = std::mem::replace(&mut self.answered, !request.response_nonce.is_empty()) && request.error_detail.is_none();
        if wanted != self.wanted || again {
            self.wanted = wanted;
            self.sent = None;
            self.due = true;
        }
    }

    fn news(&mut self, kind: Kind, source: &impl Source) -> Option<DiscoveryResponse> {
        self.due = false;
        let names: Vec<String> = match &self.wanted {
            Wanted::Unsaid => return None,
            Wanted::Everything => source.every_name(kind),
            Wanted::Names(names, _) if names.is_empty() => return None,
            Wanted::Names(names, _) => names.iter().cloned().collect(),
        };
        let found: Vec<_> = names.iter().filter_map(|name| Some((name, source.resource(kind, name)?))).collect();
        let content: String = found.iter().map(|(name, resource)| format!("{name} {}\n", resource.version)).collect();
        let version = plan::version(content.as_bytes());
        if self.sent.as_ref() == Some(&version) {
            return None;
        }
        self.sent = Some(version.clone());
        self.count = found.len();
        Some(DiscoveryResponse {
            version_info: version,
            resources: found.iter().map(|(_, resource)| resource.body.clone()).collect(),
            type_url: kind.type_url().to_owned(),
            ..Default::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        super::conversation::tests::{name, shelf, touched},
        *,
    };

    fn session() -> Session {
        Session::new(None)
    }

    fn ask(kind: Kind, which: &[&str], nonce: &str) -> DiscoveryRequest {
        DiscoveryRequest {
            type_url: kind.type_url().to_owned(),
            resource_names: which.iter().map(|which| name(kind, which)).collect(),
            response_nonce: nonce.to_owned(),
            ..Default::default()
        }
    }

    #[test]
    fn an_answer_holds_everything_that_was_asked_for() {
        let mut session = session();
        session.heard(ask(Kind::Cluster, &["a", "b"], ""));
        let responses = session.flush(&shelf(&[("a", "1"), ("b", "1"), ("c", "1")]));
        assert_eq!(responses[0].1.resources.len(), 2);
    }

    #[test]
    fn an_acknowledgement_brings_no_answer_and_a_change_does() {
        let mut session = session();
        session.heard(ask(Kind::Cluster, &[], ""));
        let shelf_before = shelf(&[("a", "1")]);
        let first = session.flush(&shelf_before)[0].1.clone();
        session.heard(ask(Kind::Cluster, &[], &first.nonce));
        assert!(session.flush(&shelf_before).is_empty());
        session.touched(&touched(&["a"]));
        let second = session.flush(&shelf(&[("a", "2")]))[0].1.clone();
        assert_ne!(first.version_info, second.version_info);
    }

    #[test]
    fn who_asks_again_after_he_has_acknowledged_is_answered_again() {
        let mut session = session();
        session.heard(ask(Kind::Endpoints, &["a"], ""));
        let shelf = shelf(&[("a", "1")]);
        let first = session.flush(&shelf)[0].1.clone();
        session.heard(ask(Kind::Endpoints, &["a"], &first.nonce));
        assert!(session.flush(&shelf).is_empty());
        session.heard(ask(Kind::Endpoints, &["a"], &first.nonce));
        let second = session.flush(&shelf)[0].1.clone();
        assert_eq!((&first.version_info, &first.resources), (&second.version_info, &second.resources));
        session.heard(ask(Kind::Endpoints, &["a"], &second.nonce));
        assert!(session.flush(&shelf).is_empty());
    }

    #[test]
    fn a_version_is_the_same_on_every_stream() {
        let version = || {
            let mut session = session();
            session.heard(ask(Kind::Endpoints, &["a"], ""));
            session.flush(&shelf(&[("a", "1")]))[0].1.version_info.clone()
        };
        assert_eq!(version(), version());
    }

    #[test]
    fn a_word_that_was_overtaken_is_not_heeded() {
        let mut session = session();
        session.heard(ask(Kind::Cluster, &["a"], ""));
        let shelf = shelf(&[("a", "1"), ("b", "1")]);
        session.flush(&shelf);
        session.heard(ask(Kind::Cluster, &["b"], "not the last"));
        assert!(session.flush(&shelf).is_empty());
    }

    #[test]
    fn naming_nothing_after_something_lets_go_of_it() {
        let mut session = session();
        session.heard(ask(Kind::Cluster, &["a"], ""));
        let shelf = shelf(&[("a", "1"), ("b", "1")]);
        let nonce = session.flush(&shelf)[0].1.nonce.clone();
        session.heard(ask(Kind::Cluster, &[], &nonce));
        assert!(session.flush(&shelf).is_empty());
    }

    #[test]
    fn what_was_not_touched_is_not_looked_at() {
        let mut session = session();
        session.heard(ask(Kind::Endpoints, &["a"], ""));
        session.flush(&shelf(&[("a", "1")]));
        session.touched(&touched(&["b"]));
        let shelf = shelf(&[("a", "2")]);
        assert!(session.flush(&shelf).is_empty());
        assert_eq!(shelf.asked(), 0);
    }

    proptest! {
        #[test]
        fn no_sequence_of_requests_is_too_odd(
            steps in prop::collection::vec((0..5_usize, prop::collection::vec("[a-c*]", 0..3), "[0-9]{0,1}", any::<bool>()), 0..40),
        ) {
            let mut session = session();
            let shelf = shelf(&[("a", "1"), ("b", "1")]);
            for (kind, which, nonce, nack) in steps {
                let which: Vec<&str> = which.iter().map(String::as_str).collect();
                let mut request = ask(Kind::ALL.get(kind).copied().unwrap_or(Kind::Route), &which, &nonce);
                if kind == 4 {
                    request.type_url = "unheard of".into();
                }
                request.error_detail = nack.then(wire::google::rpc::Status::default);
                session.heard(request);
                session.touched(&touched(&["a"]));
                for (kind, response) in session.flush(&shelf) {
                    prop_assert_eq!(response.type_url, kind.type_url());
                }
            }
        }
    }
}
