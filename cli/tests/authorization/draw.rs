//! Policies, callers and requests of few words, so that they meet.

use std::{cell::OnceCell, collections::BTreeSet, net::SocketAddr};

use certs::name::SpiffeId;
use control::manifest::authorization::AuthorizationPolicy;
use http::Request;
use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::{Value, json};

/// All that is said.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) policies: Vec<AuthorizationPolicy>,
}

/// Somebody who asks.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) identity: Option<&'static str>,
    pub(crate) address: SocketAddr,
    pub(crate) port: u16,
    /// What he asks; `None` of a connection.
    pub(crate) request: Option<Wanted>,
}

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) method: &'static str,
    pub(crate) host: &'static str,
    pub(crate) path: String,
    /// Values of the field `x-a`.
    pub(crate) fields: Vec<&'static str>,
    /// In which ways the path may be read, once somebody has looked.
    pub(crate) readings: OnceCell<Option<BTreeSet<String>>>,
}

impl Asked {
    pub(crate) fn identity(&self) -> Option<SpiffeId> {
        self.identity.map(|identity| format!("spiffe://{identity}").parse().expect("an identity"))
    }

    pub(crate) fn request(&self) -> Option<Request<()>> {
        self.request.as_ref().map(|wanted| {
            let request = Request::builder().method(wanted.method).uri(&wanted.path).header("host", wanted.host);
            let request = wanted.fields.iter().fold(request, |request, value| request.header("x-a", *value));
            request.body(()).expect("a request")
        })
    }
}

fn list(values: &'static [&'static str]) -> impl Strategy<Value = Value> {
    vec(select(values), 1..3).prop_map(|values| json!(values))
}

/// An object of some of these lists, one at least.
fn some(lists: &'static [(&'static str, &'static [&'static str])]) -> impl Strategy<Value = Value> {
    let one = select(lists).prop_flat_map(|(name, values)| (Just(name), any::<bool>(), list(values)));
    vec(one, 1..3).prop_map(|chosen| {
        let named = chosen.into_iter().map(|(name, not, values)| {
            let name = if not { format!("not{}{}", name[..1].to_uppercase(), &name[1..]) } else { name.to_owned() };
            (name, values)
        });
        Value::Object(named.collect())
    })
}

const SOURCES: &[(&str, &[&str])] = &[
    ("principals", &["*", "cluster.local/ns/shop/sa/web", "*/sa/web", "cluster.local/ns/bank/*", "other/*"]),
    ("namespaces", &["shop", "bank", "sh*", "*nk", "*"]),
    ("serviceAccounts", &["web", "bank/web", "till"]),
    ("trustDomains", &["cluster.local", "oth*", "*local"]),
    ("ipBlocks", &["10.77.0.0/16", "10.77.1.0/24", "10.77.1.5", "0.0.0.0/0", "fd77::/16"]),
];

const OPERATIONS: &[(&str, &[&str])] = &[
    ("ports", &["80", "81"]),
    ("hosts", &["a.shop", "*.shop", "B.*", "*"]),
    ("methods", &["GET", "POST", "P*"]),
    ("paths", &["/a", "/a/*", "*.txt", "/a/{*}/c", "/{**}/c", "/b/{**}", "*"]),
    ("grpc", &["s.A", "s.A/M"]),
];

fn when() -> impl Strategy<Value = Value> {
    let keys = select(
        &[
            ("source.ip", &["10.77.1.0/24"] as &'static [&'static str]),
            ("source.namespace", &["shop", "b*"]),
            ("destination.port", &["80"]),
            ("request.headers[X-A]", &["1", "1*", "*2", "*"]),
        ][..],
    );
    keys.prop_flat_map(|(key, values)| (Just(key), any::<bool>(), list(values)))
        .prop_map(|(key, not, values)| json!({"key": key, if not { "notValues" } else { "values" }: values}))
}

fn rule() -> impl Strategy<Value = Value> {
    let from = vec(some(SOURCES).prop_map(|source| json!({"source": source})), 0..3);
    let to = vec(some(OPERATIONS).prop_map(|operation| json!({"operation": operation})), 0..3);
    (from, to, vec(when(), 0..2)).prop_map(|(from, to, when)| json!({"from": from, "to": to, "when": when}))
}

fn policy() -> impl Strategy<Value = Value> {
    let reach = select(&[None, Some("cart"), Some("till")][..]);
    let action = select(&["ALLOW", "ALLOW", "DENY", "AUDIT"][..]);
    let namespace = select(&["shop", "shop", "weft-system", "bank"][..]);
    (reach, action, namespace, vec(rule(), 0..4)).prop_map(|(app, action, namespace, rules)| {
        let mut spec = json!({"action": action, "rules": rules});
        if let Some(app) = app {
            spec["selector"] = json!({"matchLabels": {"app": app}});
        }
        json!({"apiVersion": "weft.dev/v1alpha1", "kind": "AuthorizationPolicy", "metadata": {"name": "", "namespace": namespace}, "spec": spec})
    })
}

pub(crate) fn world() -> impl Strategy<Value = World> {
    vec(policy(), 1..5).prop_map(|policies| {
        let named = policies.into_iter().enumerate().map(|(number, mut policy)| {
            policy["metadata"]["name"] = json!(format!("p{number}"));
            serde_json::from_value(policy).expect("a policy")
        });
        World { policies: named.collect() }
    })
}

fn wanted() -> impl Strategy<Value = Wanted> {
    let segments = &[
        "a",
        "b",
        "c",
        "A",
        "",
        ".",
        "..",
        "%2e%2e",
        "%2E",
        "a;x=1",
        "..;",
        "%61",
        "x.txt",
        "x.TXT",
        "%00",
        "%zz",
        "s.A",
        "M",
        "a%2fc",
        "a%5c..",
        "%252e%252e",
        "%2561",
        "100%25",
        "%2500",
    ][..];
    let path = vec(select(segments), 1..5).prop_map(|segments| format!("/{}", segments.join("/")));
    let plain =
        vec(select(&["a", "b", "c", "s.A", "M", "x.txt"][..]), 1..4).prop_map(|segments| format!("/{}", segments.join("/")));
    let hosts = select(&["a.shop", "A.shop:80", "b.bank", "c.shop."][..]);
    let method = select(&["GET", "POST", "PUT"][..]);
    (method, hosts, prop_oneof![path, plain], vec(select(&["1", "12", "2"][..]), 0..3))
        .prop_map(|(method, host, path, fields)| Wanted { method, host, path, fields, readings: OnceCell::new() })
}

pub(crate) fn asked() -> impl Strategy<Value = Asked> {
    let identity = select(
        &[
            None,
            Some("cluster.local/ns/shop/sa/web"),
            Some("cluster.local/ns/shop/sa/till"),
            Some("cluster.local/ns/bank/sa/web"),
            Some("other/ns/shop/sa/web"),
        ][..],
    );
    let address = select(&["10.77.1.5:4000", "10.77.1.6:4000", "10.77.2.5:4000", "10.78.0.1:4000", "[fd77::1]:4000"][..]);
    let request = prop_oneof![1 => Just(None), 9 => wanted().prop_map(Some)];
    (identity, address, select(&[80_u16, 81][..]), request).prop_map(|(identity, address, port, request)| Asked {
        identity,
        address: address.parse().expect("an address"),
        port,
        request,
    })
}
