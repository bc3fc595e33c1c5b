//! From where a resource is looked at, where that matters.

use wire::names;

use super::{kind::Kind, nearness::Place, target::Target};
use crate::index::{Index, Key};

/// From where a resource is looked at. From one view it is the same for everybody.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum View {
    /// Endpoints: from a node and its zone.
    Place(Place),
    /// Routes, and listeners, of which they may be a part: from a namespace that has its own.
    Namespace(String),
}

impl View {
    /// From where `viewer` looks at the resource called `name`; `None` when that looks the same from everywhere else.
    pub(crate) fn of(index: &Index, viewer: Option<&Key>, kind: Kind, name: &str) -> Option<Self> {
        let target = match kind {
            Kind::Listener => match names::parse_address(name) {
                Some(address) => Target::at(index, address),
                None => Target::called(index, name),
            },
            Kind::Route | Kind::Cluster | Kind::Endpoints => Target::behind(index, name),
        };
        let Some(Target::Service(service, port)) = target else { return None };
        match kind {
            Kind::Endpoints => Place::of(index, viewer, service, port).map(Self::Place),
            Kind::Route | Kind::Listener => {
                let namespace = viewer?.namespace.as_str();
                index.consumers(service, port).contains(namespace).then(|| Self::Namespace(namespace.to_owned()))
            }
            Kind::Cluster => None,
        }
    }
}
