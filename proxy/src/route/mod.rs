//! Where may this go, and may it go at all?
//!
//! In: a destination of the snapshot and who is calling. Out: [`Routed`], which carries the [`Permit`]. Pure.

mod permit;

use std::{net::SocketAddr, sync::Arc};

use certs::name::SpiffeId;

use crate::{
    refusal::{Reason, Refusal},
    snapshot::{Cluster, Destination, RouteTable},
};

pub use permit::Permit;

/// Who is calling, as far as it was proved.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Where the connection comes from.
    pub address: SocketAddr,
    /// What mesh TLS proved; `None` in plaintext.
    pub identity: Option<SpiffeId>,
}

/// A decision: where it goes, and proof that it may.
#[derive(Debug)]
pub struct Routed {
    /// The endpoints to balance over.
    pub cluster: Arc<Cluster>,
    /// Held for as long as what was permitted goes on.
    pub permit: Permit,
}

/// Routes a request for `path`.
///
/// # Errors
/// [`Reason::NoRoute`] when nothing matches, or the destination takes no requests; or the caller may not go there.
pub fn request(destination: &Destination, path: &str, caller: &Caller) -> Result<Routed, Refusal> {
    let table = destination.requests.as_deref();
    let matching = table.and_then(|table| find(table, path));
    let cluster = matching.ok_or_else(|| {
        let detail = format!("no route of {} matches the path {path}", destination.label());
        Refusal::new(Reason::NoRoute, detail)
    })?;
    Ok(Routed { cluster: cluster.clone(), permit: permit::grant(destination, caller)? })
}

/// Routes an opaque connection.
///
/// # Errors
/// [`Reason::NoRoute`] when the destination was declared to take only requests; or the caller may not go there.
pub fn connection(destination: &Destination, caller: &Caller) -> Result<Routed, Refusal> {
    let cluster = destination.bytes.as_ref().ok_or_else(|| {
        let detail = format!("{} is declared to speak HTTP, and this connection does not", destination.label());
        Refusal::new(Reason::NoRoute, detail)
    })?;
    Ok(Routed { cluster: cluster.clone(), permit: permit::grant(destination, caller)? })
}

fn find<'a>(table: &'a RouteTable, path: &str) -> Option<&'a Arc<Cluster>> {
    table.routes.iter().find(|route| path.starts_with(&route.prefix)).map(|route| &route.cluster)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::{Admits, Protocol};

    fn caller() -> Caller {
        Caller { address: "10.77.0.9:40000".parse().unwrap(), identity: None }
    }

    #[test]
    fn requests_and_bytes_go_only_where_they_are_declared() {
        let address = "10.77.0.5:80".parse().unwrap();
        let http = Destination::local(address, Protocol::Http, Admits::Everybody);
        assert!(request(&http, "/", &caller()).is_ok());
        assert_eq!(connection(&http, &caller()).unwrap_err().reason, Reason::NoRoute);
        let opaque = Destination::local(address, Protocol::Opaque, Admits::Everybody);
        assert!(connection(&opaque, &caller()).is_ok());
        assert_eq!(request(&opaque, "/", &caller()).unwrap_err().reason, Reason::NoRoute);
    }
}
