//! What the reference and the product are both told, and what both say.

use std::net::{IpAddr, Ipv4Addr};

use control::manifest::routes::{GrpcRoute, HttpRoute, ReferenceGrant};

/// A service: namespace, name, ports by number and name.
pub type Service = (&'static str, &'static str, &'static [(u16, &'static str)]);

/// All services there are. The first one is called.
pub const SERVICES: [Service; 4] = [
    ("shop", "cart", &[(80, "http"), (81, "admin")]),
    ("shop", "v2", &[(80, "http")]),
    ("shop", "v3", &[(80, "http")]),
    ("depot", "stock", &[(80, "http")]),
];

/// Where it is called.
pub const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 96, 0, 5));

/// All that is said of routes.
#[derive(Clone, Debug)]
pub struct World {
    /// Routes, and the second in which each was made.
    pub routes: Vec<(HttpRoute, i64)>,
    /// The same of calls.
    pub calls: Vec<(GrpcRoute, i64)>,
    pub grants: Vec<ReferenceGrant>,
}

/// A request by a pod of `namespace` to a port of the first service.
#[derive(Clone, Debug)]
pub struct Asked {
    pub namespace: &'static str,
    pub port: u16,
    pub method: &'static str,
    pub path: &'static str,
    pub query: Option<String>,
    pub host: &'static str,
    pub headers: Fields,
    /// Whether the host is in the request's target, as in HTTP/2, and not in a header field.
    pub is_http2: bool,
}

/// Header fields.
pub type Fields = Vec<(String, String)>;

/// What the server of a request that goes on answers with.
pub const ANSWER: [(&str, &str); 3] = [("x-a", "1"), ("x-a", "2"), ("x-b", "1")];

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    Forwarded(Forwarded),
    /// Status, location, and other header fields.
    Redirected(u16, String, Fields),
    Refused(u16),
}

/// A request that goes on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Forwarded {
    pub cluster: String,
    pub target: String,
    pub host: String,
    pub headers: Fields,
    pub answer: Fields,
    /// In milliseconds, for all of it and for one try.
    pub timeouts: [Option<u64>; 2],
}

/// The same fields in one order: that of their names, and of one name as they came.
pub fn ordered(mut fields: Fields) -> Fields {
    fields.sort_by(|(one, _), (other, _)| one.cmp(other));
    fields
}
