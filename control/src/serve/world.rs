//! State of the world: the older variant of xDS, in which every answer holds everything of a type.
//!
//! gRPC's own clients and many Envoys speak it. One stream, no socket.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use wire::envoy::service::discovery::v3::{DiscoveryRequest, DiscoveryResponse};

use crate::plan::{Kind, Resource};

/// Where resources are looked up.
pub(super) trait Source {
    /// The resource called `name`.
    fn resource(&self, kind: Kind, name: &str) -> Option<Arc<Resource>>;
    /// Every name of `kind`.
    fn every_name(&self, kind: Kind) -> Vec<String>;
}

/// One client's conversation.
#[derive(Debug, Default)]
pub(super) struct Session {
    types: BTreeMap<Kind, Subscription>,
    nonce: u64,
}

#[derive(Debug, Default)]
struct Subscription {
    /// `None` stands for all.
    names: Option<BTreeSet<String>>,
    /// Names and versions of the last answer.
    sent: Option<BTreeMap<String, String>>,
    last_nonce: String,
}

impl Session {
    /// Takes in a request. Returns the client's complaint, if it is one.
    pub(super) fn heard(&mut self, request: DiscoveryRequest) -> Option<(Option<Kind>, String)> {
        let kind = Kind::from_type_url(&request.type_url);
        let complaint = request.error_detail.map(|error| (kind, error.message));
        let Some(kind) = kind else { return complaint };
        let subscription = self.types.entry(kind).or_default();
        // An answer to anything but our last word has been overtaken.
        if !request.response_nonce.is_empty() && request.response_nonce != subscription.last_nonce {
            return complaint;
        }
        let names: BTreeSet<String> = request.resource_names.into_iter().collect();
        let everything = names.is_empty() && matches!(kind, Kind::Cluster | Kind::Listener) || names.contains("*");
        let names = (!everything).then_some(names);
        if names != subscription.names {
            subscription.names = names;
            subscription.sent = None;
        }
        complaint
    }

    /// Everything this client should hear now.
    pub(super) fn flush(&mut self, source: &impl Source) -> Vec<(Kind, DiscoveryResponse)> {
        let mut responses = Vec::new();
        for kind in Kind::ALL {
            let Some(subscription) = self.types.get_mut(&kind) else { continue };
            let names: Vec<String> = match &subscription.names {
                Some(names) => names.iter().cloned().collect(),
                None => source.every_name(kind),
            };
            let found: Vec<_> = names.iter().filter_map(|name| Some((name, source.resource(kind, name)?))).collect();
            let versions = found.iter().map(|(name, resource)| ((*name).clone(), resource.version.clone())).collect();
            if subscription.sent.as_ref() == Some(&versions)
                || (subscription.sent.is_none() && names.is_empty() && subscription.names.is_some())
            {
                continue;
            }
            subscription.sent = Some(versions);
            self.nonce += 1;
            subscription.last_nonce = self.nonce.to_string();
            let response = DiscoveryResponse {
                version_info: self.nonce.to_string(),
                resources: found.iter().map(|(_, resource)| resource.body.clone()).collect(),
                type_url: kind.type_url().to_owned(),
                nonce: subscription.last_nonce.clone(),
                ..Default::default()
            };
            responses.push((kind, response));
        }
        responses
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Shelf(Vec<(&'static str, &'static str)>);

    impl Source for Shelf {
        fn resource(&self, _: Kind, name: &str) -> Option<Arc<Resource>> {
            let (_, version) = self.0.iter().find(|(known, _)| *known == name)?;
            Some(Arc::new(Resource { version: (*version).to_owned(), body: prost_types::Any::default() }))
        }

        fn every_name(&self, _: Kind) -> Vec<String> {
            self.0.iter().map(|(name, _)| (*name).to_owned()).collect()
        }
    }

    fn ask(kind: Kind, names: &[&str], nonce: &str) -> DiscoveryRequest {
        DiscoveryRequest {
            type_url: kind.type_url().to_owned(),
            resource_names: names.iter().map(|name| (*name).to_owned()).collect(),
            response_nonce: nonce.to_owned(),
            ..Default::default()
        }
    }

    #[test]
    fn an_answer_holds_everything_that_was_asked_for() {
        let mut session = Session::default();
        session.heard(ask(Kind::Cluster, &["a", "b"], ""));
        let responses = session.flush(&Shelf(vec![("a", "1"), ("b", "1"), ("c", "1")]));
        assert_eq!(responses[0].1.resources.len(), 2);
    }

    #[test]
    fn an_acknowledgement_brings_no_answer_and_a_change_does() {
        let mut session = Session::default();
        session.heard(ask(Kind::Cluster, &[], ""));
        let shelf = Shelf(vec![("a", "1")]);
        let nonce = session.flush(&shelf)[0].1.nonce.clone();
        session.heard(ask(Kind::Cluster, &[], &nonce));
        assert!(session.flush(&shelf).is_empty());
        assert_eq!(session.flush(&Shelf(vec![("a", "2")])).len(), 1);
    }

    #[test]
    fn a_word_that_was_overtaken_is_not_heeded() {
        let mut session = Session::default();
        session.heard(ask(Kind::Cluster, &["a"], ""));
        let shelf = Shelf(vec![("a", "1"), ("b", "1")]);
        session.flush(&shelf);
        session.heard(ask(Kind::Cluster, &["b"], "not the last"));
        assert!(session.flush(&shelf).is_empty());
    }
}
