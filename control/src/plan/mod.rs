//! From the index to resources. Pure: the same index gives the same bytes, and so the same versions, in every replica of
//! control and after every restart.

mod authorization;
mod balancing;
mod callers;
mod cluster;
mod connections;
mod endpoints;
mod grpc;
mod kind;
mod limits;
mod listener;
mod nearness;
pub(crate) mod routes;
pub(crate) mod security;
mod shape;
mod target;
pub(crate) mod traffic;
mod view;

use std::net::SocketAddr;

use aws_lc_rs::digest::{SHA256, digest};
use certs::name::TrustDomain;
use prost::Message;
use prost_types::Any;
use wire::names;

use crate::index::{DefaultPolicy, Index, Key, Service, Subject};

use callers::Callers;
pub(crate) use kind::Kind;
use target::Target;
pub(crate) use view::View;

/// Bytes of a version. Two contents of one name share a version once in 2^64.
const VERSION_BYTES: usize = 8;

/// What is decided for the whole mesh.
#[derive(Clone, Debug)]
pub(crate) struct Mesh {
    pub(crate) trust_domain: TrustDomain,
    /// Who may call a pod when neither it nor its namespace says so.
    pub(crate) default_policy: DefaultPolicy,
    /// Policies in it are for the whole mesh.
    pub(crate) root_namespace: String,
}

/// A resource, ready to be sent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Resource {
    /// Of its content: it changes when and only when that does.
    pub(crate) version: String,
    /// The resource itself.
    pub(crate) body: Any,
}

/// The resource called `name`, as the proxy of `viewer` is told it; `None` when there is none.
pub(crate) fn resource(index: &Index, viewer: Option<&Key>, mesh: &Mesh, kind: Kind, name: &str) -> Option<Resource> {
    let behind = || Target::behind(index, name);
    let value = match kind {
        Kind::Listener if name == names::INBOUND => {
            let pod = index.pod(viewer?)?;
            let default_policy = index.default_policy(pod).unwrap_or(mesh.default_policy);
            let callers = Callers::of(default_policy, &index.proofs(pod));
            listener::inbound(pod, index.ports_of(pod), &callers, &index.rate_limits_of(pod), &index.authorizations(pod))
                .encode_to_vec()
        }
        Kind::Listener if names::parse_grpc_target(name).is_some() => {
            let target = Target::called(index, name).filter(|target| target.protocol().takes_requests())?;
            grpc::listener(name, routes::configuration(index, viewer, &target.name(), &target)).encode_to_vec()
        }
        Kind::Listener => {
            let target = Target::at(index, names::parse_address(name)?)?;
            listener::listener(name, &target, connections::chains(index, viewer, &target)).encode_to_vec()
        }
        Kind::Route => routes::configuration(index, viewer, name, &behind()?).encode_to_vec(),
        Kind::Cluster => cluster::cluster(index, name, &behind()?).encode_to_vec(),
        Kind::Endpoints => endpoints::endpoints(index, viewer, &mesh.trust_domain, name, &behind()?).encode_to_vec(),
    };
    Some(Resource { version: version(&value), body: Any { type_url: kind.type_url().to_owned(), value } })
}

/// What the resource called `name` is made of: while that is not touched, the resource stays the same. `None` for names
/// that nothing ever has.
pub(crate) fn subject(viewer: Option<&Key>, kind: Kind, name: &str) -> Option<Subject> {
    let address = match kind {
        Kind::Listener if name == names::INBOUND => return viewer.cloned().map(Subject::Pod),
        Kind::Listener => names::parse_address(name),
        _ => names::parse_pod_port(name),
    };
    if let Some(address) = address {
        return Some(Subject::Address(address.ip()));
    }
    let parsed = if kind == Kind::Listener { names::parse_grpc_target(name) } else { names::parse_service_port(name) };
    let (name, namespace, _) = parsed?;
    Some(Subject::Service(Key { namespace: namespace.to_owned(), name: name.to_owned() }))
}

/// Every name of `kind`, for those who ask for all of them.
pub(crate) fn every_name(index: &Index, kind: Kind) -> Vec<String> {
    let listeners = |service: &Service| -> Vec<String> {
        let ports = || service.ports.iter().map(|port| port.port);
        let of_address = |address| ports().map(move |port| names::address(SocketAddr::new(address, port)));
        service.addresses.iter().copied().flat_map(of_address).collect()
    };
    let others = |service: &Service| -> Vec<String> {
        let name = |port| names::service_port(&service.key.name, &service.key.namespace, port);
        service.ports.iter().map(|port| name(port.port)).collect()
    };
    match kind {
        Kind::Listener => index.services().flat_map(listeners).collect(),
        Kind::Route | Kind::Cluster | Kind::Endpoints => index.services().flat_map(others).collect(),
    }
}

/// The version of something that is these bytes.
pub(crate) fn version(bytes: &[u8]) -> String {
    digest(&SHA256, bytes).as_ref()[..VERSION_BYTES].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
pub(crate) mod tests;
