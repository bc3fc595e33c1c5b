//! The server's side of incremental xDS for one stream, without a socket.
//!
//! ```text
//! heard(request)      remembers subscriptions and what the client holds, tells NACKs apart
//! touched(subjects)   marks what has to be looked at again
//! flush(source)       what the client lacks or has in another version: first what is new, what points at others last;
//!                     then what is gone, what is pointed at last
//! ```
//!
//! Source: the xDS transport protocol, "Incremental xDS" and "Eventual consistency considerations".

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
};

use prost::Message;
use wire::envoy::service::discovery::v3::{DeltaDiscoveryRequest, DeltaDiscoveryResponse, Resource as ResourceMessage};

use super::conversation::{Conversation, Heard, Source};
use crate::{
    index::{Key, Subject, Touched},
    plan::{self, Kind},
};

/// Names one client may subscribe to on one stream.
const NAMES_MAX: usize = 50_000;

/// A response is closed when it holds this much: clients of gRPC take 4 MiB unless they are told otherwise.
const RESPONSE_BYTES: usize = 2 << 20;

/// One client's conversation.
#[derive(Debug)]
pub(super) struct Session {
    viewer: Option<Key>,
    types: BTreeMap<Kind, Subscription>,
    nonce: u64,
}

/// What a client wants of one type, and what it has.
#[derive(Debug, Default)]
struct Subscription {
    /// It has spoken of this type before.
    known: bool,
    /// What it asked for by name.
    names: BTreeSet<String>,
    /// It wants all of them.
    wildcard: bool,
    /// Version by name that it was sent or said it has; `None` where it was told that there is none.
    held: BTreeMap<String, Option<String>>,
    /// The names it asked for, by what they are made of.
    made_of: BTreeMap<Subject, BTreeSet<String>>,
    /// Names to look at.
    due: BTreeSet<String>,
    /// Names to be told of whatever is held.
    owed: BTreeSet<String>,
    /// Everything is to be looked at, for the wildcard's sake.
    all_due: bool,
}

impl Conversation for Session {
    type Request = DeltaDiscoveryRequest;
    type Answer = DeltaDiscoveryResponse;
    const VARIANT: &'static str = "delta";

    fn new(viewer: Option<Key>) -> Self {
        Self { viewer, types: BTreeMap::new(), nonce: 0 }
    }

    fn node_id(request: &DeltaDiscoveryRequest) -> Option<&str> {
        request.node.as_ref().map(|node| node.id.as_str())
    }

    /// A NACK may subscribe, too: both parts of a request count.
    fn heard(&mut self, request: DeltaDiscoveryRequest) -> Heard {
        let kind = Kind::from_type_url(&request.type_url);
        let nack = request.error_detail.as_ref().map(|error| error.message.clone());
        // Types that we do not have are subscribed to in vain, and that is all: a client may know more than we do.
        if let Some(kind) = kind {
            let subscription = self.types.entry(kind).or_default();
            subscription.heard(kind, self.viewer.as_ref(), request);
            if subscription.names.len() > NAMES_MAX {
                return Heard::Refused(format!("more than {NAMES_MAX} subscriptions on one stream"));
            }
        }
        nack.map_or(Heard::Fine, |message| Heard::Nack { kind, message })
    }

    fn touched(&mut self, touched: &Touched) {
        for subscription in self.types.values_mut() {
            subscription.all_due |= subscription.wildcard;
            let names = touched.iter().filter_map(|subject| subscription.made_of.get(subject));
            subscription.due.extend(names.flatten().cloned());
        }
    }

    fn all_touched(&mut self) {
        for subscription in self.types.values_mut() {
            subscription.all_due |= subscription.wildcard;
            subscription.due.extend(subscription.names.iter().cloned());
        }
    }

    fn flush(&mut self, source: &impl Source) -> Vec<(Kind, DeltaDiscoveryResponse)> {
        let (mut fresh, mut gone) = (Vec::new(), Vec::new());
        for kind in Kind::ALL {
            let Some(subscription) = self.types.get_mut(&kind) else { continue };
            let News { resources, removed } = subscription.news(kind, source);
            fresh.extend(in_portions(resources).into_iter().map(|portion| (kind, portion, Vec::new())));
            if !removed.is_empty() {
                gone.push((kind, Vec::new(), removed));
            }
        }
        gone.reverse();
        fresh.extend(gone);
        fresh.into_iter().map(|(kind, resources, removed)| (kind, self.response(kind, resources, removed))).collect()
    }

    fn subscriptions(&self) -> BTreeMap<Kind, usize> {
        self.types.iter().map(|(kind, subscription)| (*kind, subscription.held.len().max(subscription.names.len()))).collect()
    }

    fn resources(answer: &DeltaDiscoveryResponse) -> usize {
        answer.resources.len() + answer.removed_resources.len()
    }
}

impl Session {
    fn response(
        &mut self,
        kind: Kind,
        resources: Vec<ResourceMessage>,
        removed_resources: Vec<String>,
    ) -> DeltaDiscoveryResponse {
        self.nonce += 1;
        DeltaDiscoveryResponse {
            type_url: kind.type_url().to_owned(),
            nonce: self.nonce.to_string(),
            resources,
            removed_resources,
            ..Default::default()
        }
    }
}

/// What there is to say of one type.
#[derive(Default)]
struct News {
    resources: Vec<ResourceMessage>,
    removed: Vec<String>,
}

impl Subscription {
    fn heard(&mut self, kind: Kind, viewer: Option<&Key>, request: DeltaDiscoveryRequest) {
        if !mem::replace(&mut self.known, true) {
            // Old clients say "everything" by naming nothing in their first request.
            if request.resource_names_subscribe.is_empty() && kind.has_wildcard() {
                self.wants_all();
            }
            let held = request.initial_resource_versions.into_iter();
            self.held = held.map(|(name, version)| (name, Some(version))).collect();
        }
        for name in request.resource_names_subscribe {
            match name.as_str() {
                "*" => self.wants_all(),
                _ => self.wants(kind, viewer, name),
            }
        }
        for name in &request.resource_names_unsubscribe {
            match name.as_str() {
                "*" => {
                    self.wildcard = false;
                    self.held.retain(|name, _| self.names.contains(name));
                }
                _ => self.wants_no_more(kind, viewer, name),
            }
        }
    }

    fn wants_all(&mut self) {
        self.wildcard = true;
        self.all_due = true;
    }

    fn wants(&mut self, kind: Kind, viewer: Option<&Key>, name: String) {
        if !self.names.insert(name.clone()) {
            // Whoever subscribes again wants to be told again.
            self.owed.insert(name.clone());
        }
        if let Some(subject) = plan::subject(viewer, kind, &name) {
            self.made_of.entry(subject).or_default().insert(name.clone());
        }
        self.due.insert(name);
    }

    fn wants_no_more(&mut self, kind: Kind, viewer: Option<&Key>, name: &str) {
        self.names.remove(name);
        self.due.remove(name);
        let subject = plan::subject(viewer, kind, name);
        if let Some((subject, names)) = subject.and_then(|subject| Some((subject.clone(), self.made_of.get_mut(&subject)?))) {
            names.remove(name);
            if names.is_empty() {
                self.made_of.remove(&subject);
            }
        }
        // It may still be wanted as one of all.
        if self.wildcard {
            self.all_due = true;
        } else {
            self.held.remove(name);
        }
    }

    fn news(&mut self, kind: Kind, source: &impl Source) -> News {
        let mut due = mem::take(&mut self.due);
        if mem::take(&mut self.all_due) && self.wildcard {
            due.extend(source.every_name(kind));
            due.extend(self.held.keys().cloned());
        }
        let owed = mem::take(&mut self.owed);
        let mut news = News::default();
        for name in due {
            let owed = owed.contains(&name);
            match source.resource(kind, &name) {
                Some(resource) => {
                    let version = Some(resource.version.clone());
                    if owed || self.held.get(&name) != Some(&version) {
                        self.held.insert(name.clone(), version);
                        news.resources.push(ResourceMessage {
                            name,
                            version: resource.version.clone(),
                            resource: Some(resource.body.clone()),
                        });
                    }
                }
                None if self.names.contains(&name) => {
                    if self.held.insert(name.clone(), None) != Some(None) || owed {
                        news.removed.push(name);
                    }
                }
                None => {
                    if self.held.remove(&name).flatten().is_some() {
                        news.removed.push(name);
                    }
                }
            }
        }
        news
    }
}

/// Splits what would be too much for one response.
fn in_portions(resources: Vec<ResourceMessage>) -> Vec<Vec<ResourceMessage>> {
    let mut portions: Vec<Vec<ResourceMessage>> = Vec::new();
    let mut room = 0;
    for resource in resources {
        let size = resource.encoded_len();
        match portions.last_mut() {
            Some(portion) if size <= room => {
                room -= size;
                portion.push(resource);
            }
            _ => {
                room = RESPONSE_BYTES.saturating_sub(size);
                portions.push(vec![resource]);
            }
        }
    }
    portions
}

#[cfg(test)]
mod tests;
