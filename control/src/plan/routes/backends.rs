//! Who is meant by a reference.

use wire::names;

use crate::index::{
    Index,
    routes::{Reference, Route},
};

/// Why nobody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::plan) enum Unresolved {
    /// It is no service.
    InvalidKind,
    /// It is in another namespace, and nobody there grants it.
    NotPermitted,
    /// There is no such service, or it has no such port.
    NotFound,
}

/// The cluster that `to`, in `route`, means.
pub(in crate::plan) fn resolve(index: &Index, route: &Route, to: &Reference) -> Result<String, Unresolved> {
    let Reference::Service(key, port) = to else { return Err(Unresolved::InvalidKind) };
    // Before it is looked for: whoever may not name it is not told whether it exists.
    if !index.may_name(route, key) {
        return Err(Unresolved::NotPermitted);
    }
    let service = index.service(key).ok_or(Unresolved::NotFound)?;
    let port = service.ports.iter().find(|known| Some(known.port) == *port).ok_or(Unresolved::NotFound)?;
    Ok(names::service_port(&key.name, &key.namespace, port.port))
}
