//! The types of resources.

use wire::names;

/// A resource type, in the order in which resources of several types are sent: what is pointed at goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    Cluster,
    Endpoints,
    Listener,
    Route,
}

impl Kind {
    pub(crate) const ALL: [Kind; 4] = [Kind::Cluster, Kind::Endpoints, Kind::Listener, Kind::Route];

    pub(crate) fn type_url(self) -> &'static str {
        match self {
            Self::Cluster => names::CLUSTER,
            Self::Endpoints => names::CLUSTER_LOAD_ASSIGNMENT,
            Self::Listener => names::LISTENER,
            Self::Route => names::ROUTE_CONFIGURATION,
        }
    }

    pub(crate) fn from_type_url(url: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.type_url() == url)
    }

    /// Whether xDS lets clients ask for all of this type by naming none.
    pub(crate) fn has_wildcard(self) -> bool {
        matches!(self, Self::Cluster | Self::Listener)
    }

    /// The word in metrics and logs.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Cluster => "cluster",
            Self::Endpoints => "endpoints",
            Self::Listener => "listener",
            Self::Route => "route",
        }
    }
}
