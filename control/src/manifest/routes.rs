//! The kinds of the Gateway API that say where what is asked goes, in group `gateway.networking.k8s.io`: `HTTPRoute`, `GRPCRoute`,
//! `TCPRoute`, `TLSRoute`, `ReferenceGrant`.
//!
//! Read leniently: who made them follows a release of the Gateway API that may be newer than what is known here, so that unknown
//! fields cost nothing, and unknown words are for whoever reads these to judge.

use serde::{Deserialize, Serialize};

use super::kinds::Metadata;

/// Group of these kinds.
pub const GROUP: &str = "gateway.networking.k8s.io";

/// `HTTPRoute`: what becomes of requests to a Service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpRoute {
    /// Name and namespace.
    pub metadata: Metadata,
    /// What is said.
    #[serde(default)]
    pub spec: HttpRouteSpec,
}

/// Its `spec`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HttpRouteSpec {
    /// Whose requests it is about.
    pub parent_refs: Vec<ParentReference>,
    /// What becomes of them.
    pub rules: Vec<Rule>,
}

/// `GRPCRoute`: what becomes of gRPC calls to a Service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrpcRoute {
    /// Name and namespace.
    pub metadata: Metadata,
    /// What is said.
    #[serde(default)]
    pub spec: GrpcRouteSpec,
}

/// Its `spec`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GrpcRouteSpec {
    /// Whose calls it is about.
    pub parent_refs: Vec<ParentReference>,
    /// What becomes of them.
    pub rules: Vec<GrpcRule>,
}

/// What becomes of some calls.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GrpcRule {
    /// Its name.
    pub name: Option<String>,
    /// Which calls it is for: those that any of these is for; all without one.
    pub matches: Vec<GrpcMatch>,
    /// What is done to them.
    pub filters: Vec<Filter>,
    /// Where they go.
    pub backend_refs: Vec<BackendReference>,
    /// How their clients stay with an endpoint.
    pub session_persistence: Option<SessionPersistence>,
}

/// Calls, by all of what is said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GrpcMatch {
    /// What is called; anything when absent.
    pub method: Option<MethodMatch>,
    /// Header fields, all of them.
    pub headers: Vec<ValueMatch>,
}

/// What is called.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MethodMatch {
    /// `Exact` (also when absent) or `RegularExpression`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// The service, with its package; any when absent.
    pub service: Option<String>,
    /// The method; any when absent.
    pub method: Option<String>,
}

/// `TCPRoute` and `TLSRoute`: what becomes of connections to a Service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionRoute {
    /// Name and namespace.
    pub metadata: Metadata,
    /// What is said.
    #[serde(default)]
    pub spec: ConnectionRouteSpec,
}

/// Its `spec`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConnectionRouteSpec {
    /// Whose connections it is about.
    pub parent_refs: Vec<ParentReference>,
    /// Of a `TLSRoute`: the servers that TLS may ask for; all without one.
    pub hostnames: Vec<String>,
    /// What becomes of them. The first counts.
    pub rules: Vec<ConnectionRule>,
}

/// What becomes of connections.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConnectionRule {
    /// Its name.
    pub name: Option<String>,
    /// Where they go.
    pub backend_refs: Vec<BackendReference>,
}

/// Whose requests a route is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ParentReference {
    /// Group of its kind; that of the Gateway API when absent.
    pub group: Option<String>,
    /// Its kind; `Gateway` when absent.
    pub kind: Option<String>,
    /// Its namespace; the route's own when absent.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// Name of the Service's port; any when absent.
    pub section_name: Option<String>,
    /// The Service's port; any when absent.
    pub port: Option<u16>,
}

/// What becomes of some requests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Rule {
    /// Its name.
    pub name: Option<String>,
    /// Which requests it is for: those that any of these is for; all without one.
    pub matches: Vec<Match>,
    /// What is done to them.
    pub filters: Vec<Filter>,
    /// Where they go.
    pub backend_refs: Vec<BackendReference>,
    /// How long they may take.
    pub timeouts: Option<Timeouts>,
    /// When they are tried again.
    pub retry: Option<Retry>,
    /// How their clients stay with an endpoint.
    pub session_persistence: Option<SessionPersistence>,
}

/// Requests, by all of what is said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Match {
    /// Path; any when absent.
    pub path: Option<PathMatch>,
    /// Header fields, all of them.
    pub headers: Vec<ValueMatch>,
    /// Parameters of the query, all of them.
    pub query_params: Vec<ValueMatch>,
    /// Method; any when absent.
    pub method: Option<String>,
}

/// Paths.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PathMatch {
    /// `Exact`, `PathPrefix` (also when absent) or `RegularExpression`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// The path; `/` when absent.
    pub value: Option<String>,
}

/// A header field or a parameter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ValueMatch {
    /// `Exact` (also when absent) or `RegularExpression`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// Something that is done to a request or its answer: `type` says what, the field of that name how.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Filter {
    /// What it is.
    #[serde(rename = "type")]
    pub kind: String,
    /// Of `CORS`.
    pub cors: Option<Cors>,
    /// Of `RequestHeaderModifier`.
    pub request_header_modifier: Option<HeaderModifier>,
    /// Of `ResponseHeaderModifier`.
    pub response_header_modifier: Option<HeaderModifier>,
    /// Of `RequestMirror`.
    pub request_mirror: Option<Mirror>,
    /// Of `RequestRedirect`.
    pub request_redirect: Option<Redirect>,
    /// Of `URLRewrite`.
    pub url_rewrite: Option<Rewrite>,
}

/// Pages of which other origins may ask, and for what. `*` stands for all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Cors {
    /// Origins: a scheme, a host in which `*` stands for whatever may be there, and a port.
    pub allow_origins: Vec<String>,
    /// Whether with credentials.
    pub allow_credentials: Option<bool>,
    /// Methods.
    pub allow_methods: Vec<String>,
    /// Header fields of requests.
    pub allow_headers: Vec<String>,
    /// Header fields of answers that they may see.
    pub expose_headers: Vec<String>,
    /// Seconds for which a browser need not ask about that again; 5 when absent.
    pub max_age: Option<u32>,
}

/// Changes of header fields.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HeaderModifier {
    /// Fields that get another value.
    pub set: Vec<Header>,
    /// Fields that get one more value.
    pub add: Vec<Header>,
    /// Names of fields that go.
    pub remove: Vec<String>,
}

/// A header field.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Header {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// Who gets a copy of requests, and of how many: all when neither is said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Mirror {
    /// Who.
    pub backend_ref: BackendReference,
    /// Of a hundred.
    pub percent: Option<u32>,
    /// Of any number.
    pub fraction: Option<Fraction>,
}

/// A part of a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Fraction {
    /// The part.
    pub numerator: u32,
    /// The whole; a hundred when absent.
    pub denominator: Option<u32>,
}

/// Where a caller is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Redirect {
    /// `http` or `https`; as it was when absent.
    pub scheme: Option<String>,
    /// Name of the host; as it was when absent.
    pub hostname: Option<String>,
    /// Path; as it was when absent.
    pub path: Option<PathModifier>,
    /// Port.
    pub port: Option<u16>,
    /// Status of the answer; 302 when absent.
    pub status_code: Option<u16>,
}

/// What a request is made into.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rewrite {
    /// Name of the host; as it was when absent.
    pub hostname: Option<String>,
    /// Path; as it was when absent.
    pub path: Option<PathModifier>,
}

/// Another path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PathModifier {
    /// `ReplaceFullPath` or `ReplacePrefixMatch`.
    #[serde(rename = "type")]
    pub kind: String,
    /// In place of all of it.
    pub replace_full_path: Option<String>,
    /// In place of the prefix that was matched.
    pub replace_prefix_match: Option<String>,
}

/// Who answers requests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BackendReference {
    /// Group of its kind; that of Services when absent.
    pub group: Option<String>,
    /// Its kind; `Service` when absent.
    pub kind: Option<String>,
    /// Its namespace; the route's own when absent.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// Port of a Service.
    pub port: Option<u16>,
    /// How many of the requests, in proportion to the others' weights; 1 when absent.
    pub weight: Option<u32>,
    /// What is done to these requests.
    pub filters: Vec<Filter>,
}

/// How long requests may take: `10s`, `1h30m`. Nothing is no limit, and so is zero.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Timeouts {
    /// All of it.
    pub request: Option<String>,
    /// One try.
    pub backend_request: Option<String>,
}

/// When requests are tried again: when nobody answers, or with one of these codes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Retry {
    /// Statuses of answers.
    pub codes: Vec<u16>,
    /// Tries beyond the first; one when absent.
    pub attempts: Option<u32>,
    /// How long is waited before another, at least: `100ms`.
    pub backoff: Option<String>,
}

/// How clients stay with the endpoint that answered them first. Source: GEP-1619.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SessionPersistence {
    /// Name of the cookie or header; one is made when absent.
    pub session_name: Option<String>,
    /// `Cookie` (also when absent) or `Header`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// How long a session lasts.
    pub absolute_timeout: Option<String>,
    /// How long it lasts without a request.
    pub idle_timeout: Option<String>,
    /// Of a cookie.
    pub cookie_config: Option<CookieConfig>,
}

/// How long a client keeps a cookie.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CookieConfig {
    /// `Session` (also when absent): until the client ends; `Permanent`: for the session's absolute timeout.
    pub lifetime_type: Option<String>,
}

/// `ReferenceGrant`: who may name what is in its namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReferenceGrant {
    /// Name and namespace.
    pub metadata: Metadata,
    /// What is said.
    #[serde(default)]
    pub spec: ReferenceGrantSpec,
}

/// Its `spec`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReferenceGrantSpec {
    /// Who may.
    pub from: Vec<GrantFrom>,
    /// What.
    pub to: Vec<GrantTo>,
}

/// Objects that may name others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GrantFrom {
    /// Group of their kind.
    pub group: String,
    /// Their kind.
    pub kind: String,
    /// Their namespace.
    pub namespace: String,
}

/// Objects that may be named.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GrantTo {
    /// Group of their kind.
    pub group: String,
    /// Their kind.
    pub kind: String,
    /// The name of one; all when absent.
    pub name: Option<String>,
}
