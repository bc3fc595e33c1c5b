//! What the two planes say to each other.
//!
//! The messages are a subset of xDS v3, of Istio's certificate service and of gRPC's health service, with the same package names and field numbers, so
//! that others can join the conversation: what we do not name we skip, and what we send they understand (a test holds this
//! against the full definitions). Generated code lives only here. [`names`] holds the words that both planes must agree on.

pub mod names;

/// The generated messages, in modules named after their protobuf packages.
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic, clippy::cast_possible_truncation)]
mod messages {
    include!(concat!(env!("OUT_DIR"), "/messages.rs"));
}

pub use messages::{envoy, google, grpc, istio};
