//! The Gateway API through sidecars. Every case carries the names of features that the API's own conformance suite has.
//!
//! ```text
//! features     what there is, and which tests show it; held against docs/operating/conformance.md
//! case         a call, and what it must come to
//! callers      whose calls a route is for: Mesh, MeshClusterIPMatching, MeshConsumerRoute, ports, grants
//! http         HTTPRoute: which rule, and what becomes of requests
//! grpc         GRPCRoute
//! connections  TCPRoute, TLSRoute
//! ```

mod callers;
mod case;
#[path = "../opaque/certificate.rs"]
mod certificate;
mod connections;
mod features;
mod grpc;
mod http;
