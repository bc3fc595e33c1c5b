//! Which opaque connections go where.
//!
//! As with routes of requests, what is named are clusters of the type `C`: their names while `feed` has not seen them all.

use std::sync::Arc;

use smallvec::{SmallVec, smallvec};

use super::{Backend, Cluster};

/// Which opaque connections go where.
#[derive(Clone, Debug)]
pub struct ConnectionTable<C = Arc<Cluster>> {
    /// In order; the first that is for a connection is taken.
    pub routes: SmallVec<[ConnectionRoute<C>; 1]>,
}

/// Where some connections go.
#[derive(Clone, Debug)]
pub struct ConnectionRoute<C> {
    /// For which server the app's own TLS must be; `None` for all connections.
    pub server: Option<ServerName>,
    /// Each gets a part of the connections.
    pub backends: SmallVec<[Backend<C>; 1]>,
}

/// What the name of a server must be, in small letters. Names are the same however they are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerName {
    /// This.
    Exact(Box<str>),
    /// It ends with this, which begins with a dot.
    Under(Box<str>),
}

impl<C> ConnectionTable<C> {
    /// Every connection goes to `cluster`.
    pub fn to(cluster: C) -> Self {
        Self { routes: smallvec![ConnectionRoute { server: None, backends: smallvec![Backend::only(cluster)] }] }
    }

    /// Every cluster that a connection may go to.
    pub fn clusters(&self) -> impl Iterator<Item = &C> {
        self.routes.iter().flat_map(|route| &route.backends).filter_map(|backend| backend.cluster.as_ref())
    }

    /// Whether it depends on the name of a server where a connection goes.
    pub fn needs_names(&self) -> bool {
        self.routes.iter().any(|route| route.server.is_some())
    }

    /// The same table to the clusters that `find` knows: of each whether there is one, or `None` when that is not known yet.
    pub fn toward<D>(&self, find: impl Fn(&C) -> Option<Option<D>>) -> Option<ConnectionTable<D>> {
        let routes = self.routes.iter().map(|route| {
            let backends = route.backends.iter().map(|backend| backend.toward(&find));
            Some(ConnectionRoute { server: route.server.clone(), backends: backends.collect::<Option<_>>()? })
        });
        Some(ConnectionTable { routes: routes.collect::<Option<_>>()? })
    }
}

impl ServerName {
    /// The name that is written so; after the wildcard `*.` any name may stand in front.
    pub fn read(text: &str) -> Self {
        let text = text.to_ascii_lowercase();
        match text.strip_prefix('*') {
            Some(suffix) => Self::Under(suffix.into()),
            None => Self::Exact(text.into()),
        }
    }

    /// Whether `name` is one.
    pub fn is(&self, name: &str) -> bool {
        match self {
            Self::Exact(exact) => name.eq_ignore_ascii_case(exact),
            Self::Under(suffix) => {
                let (name, suffix) = (name.as_bytes(), suffix.as_bytes());
                name.len() > suffix.len() && name[name.len() - suffix.len()..].eq_ignore_ascii_case(suffix)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_is_for_every_name_under_it_and_not_for_itself() {
        let under = ServerName::read("*.Shop.example");
        assert!(under.is("a.shop.example") && under.is("B.A.SHOP.EXAMPLE"));
        assert!(!under.is("shop.example") && !under.is(".shop.example") && !under.is("workshop.example") && !under.is(""));
        let exact = ServerName::read("shop.example");
        assert!(exact.is("Shop.Example") && !exact.is("a.shop.example"));
    }

    #[test]
    fn a_table_is_whole_when_every_cluster_is_known_or_known_not_to_be() {
        let names = ConnectionTable {
            routes: smallvec![ConnectionRoute {
                server: None,
                backends: smallvec![Backend::only("here"), Backend::only("nowhere")],
            }],
        };
        assert!(names.toward(|name| (*name == "here").then_some(Some(1))).is_none());
        let known = names.toward(|name| Some((*name == "here").then_some(1))).unwrap();
        assert_eq!(known.clusters().collect::<Vec<_>>(), [&1]);
        assert_eq!(known.routes[0].backends.len(), 2, "the share of nobody stays");
    }
}
