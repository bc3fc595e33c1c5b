//! Worlds and requests, drawn from alphabets so small that routes overlap.

use control::manifest::{
    kinds::Metadata,
    routes::{
        BackendReference, Filter, Fraction, GrantFrom, GrantTo, Header, HeaderModifier, HttpRoute, HttpRouteSpec, Match, Mirror,
        ParentReference, PathMatch, PathModifier, Redirect, ReferenceGrant, ReferenceGrantSpec, Rewrite, Rule, Timeouts,
        ValueMatch,
    },
};
use proptest::{
    collection::{btree_map, vec},
    option::{of, weighted},
    prelude::*,
    sample::select,
};

use crate::world::{Asked, World};

/// A regular expression, and what it means.
type Expression = (&'static str, fn(&str) -> bool);

/// All there are, of paths and of values: the reference must not ask whoever matches them in the product.
const EXPRESSIONS: [Expression; 9] = [
    (".*", |_| true),
    ("/a(/.*)?", |text| text == "/a" || text.starts_with("/a/")),
    ("/[ab]", |text| ["/a", "/b"].contains(&text)),
    ("/a|/a/b", |text| ["/a", "/a/b"].contains(&text)),
    ("[0-9]+", |text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())),
    ("1|2,.*", |text| text == "1" || text.starts_with("2,")),
    ("S([.]T)?", |text| ["S", "S.T"].contains(&text)),
    ("M|m", |text| ["M", "m"].contains(&text)),
    ("(?i)/A/?", |text| ["/a", "/A", "/a/", "/A/"].contains(&text)),
];

/// Whether `text` is what the expression means.
pub fn expression(expression: &str, text: &str) -> bool {
    EXPRESSIONS.iter().find(|(known, _)| *known == expression).is_some_and(|(_, means)| means(text))
}

/// Routes of the services, and grants.
pub fn world() -> impl Strategy<Value = World> {
    (http_routes(4), weighted(0.5, grant())).prop_map(|(routes, grant)| World {
        routes,
        calls: Vec::new(),
        grants: grant.into_iter().collect(),
    })
}

/// Fewer than so many.
pub fn http_routes(many: usize) -> impl Strategy<Value = Vec<(HttpRoute, i64)>> {
    let route = |((namespace, name), (spec, made))| (HttpRoute { metadata: metadata(namespace, name), spec }, made);
    btree_map(name(), (spec(), 0..2_i64), 0..many).prop_map(move |routes| routes.into_iter().map(route).collect())
}

/// Namespace and name of a route.
pub fn name() -> impl Strategy<Value = (&'static str, &'static str)> {
    (select(&["shop", "shop", "hall"][..]), select(&["a", "b", "c"][..]))
}

pub fn metadata(namespace: &str, name: &str) -> Metadata {
    Metadata { name: name.to_owned(), namespace: Some(namespace.to_owned()), ..Metadata::default() }
}

fn texts(all: &'static [&'static str]) -> impl Strategy<Value = String> {
    select(all).prop_map(str::to_owned)
}

fn grant() -> impl Strategy<Value = ReferenceGrant> {
    (texts(&["HTTPRoute", "TCPRoute"]), texts(&["shop", "hall"]), of(texts(&["stock", "other"]))).prop_map(
        |(kind, namespace, name)| {
            let from = vec![GrantFrom { group: String::from("gateway.networking.k8s.io"), kind, namespace }];
            let to = vec![GrantTo { group: String::new(), kind: String::from("Service"), name }];
            ReferenceGrant { metadata: metadata("depot", "grant"), spec: ReferenceGrantSpec { from, to } }
        },
    )
}

fn spec() -> impl Strategy<Value = HttpRouteSpec> {
    (vec(parent(), 1..3), vec(rule(), 0..4)).prop_map(|(parent_refs, rules)| HttpRouteSpec { parent_refs, rules })
}

pub fn parent() -> impl Strategy<Value = ParentReference> {
    let kind = prop_oneof![9 => Just(Some("Service")), 1 => Just(Some("Gateway"))];
    let name = prop_oneof![6 => Just("cart"), 1 => Just("v2")];
    let namespace = prop_oneof![3 => Just(Some("shop")), 1 => Just(None)];
    (kind, namespace, name, weighted(0.3, select(&[80, 81][..])), weighted(0.1, texts(&["http", "admin"]))).prop_map(
        |(kind, namespace, name, port, section_name)| ParentReference {
            group: Some(String::new()),
            kind: kind.map(str::to_owned),
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
            section_name,
            port,
        },
    )
}

fn rule() -> impl Strategy<Value = Rule> {
    let filters = (weighted(0.2, changes("RequestHeaderModifier")), weighted(0.2, changes("ResponseHeaderModifier")), target());
    let timeouts = weighted(0.2, (of(time()), of(time())));
    (vec(wanted(), 0..4), filters, vec(backend(), 0..4), timeouts).prop_map(
        |(matches, (request, response, target), backend_refs, timeouts)| Rule {
            matches,
            filters: request.into_iter().chain(response).chain(target).collect(),
            backend_refs,
            timeouts: timeouts.map(|(request, backend_request)| Timeouts { request, backend_request }),
            ..Rule::default()
        },
    )
}

fn time() -> impl Strategy<Value = String> {
    texts(&["0s", "250ms", "1s", "1m30s"])
}

fn wanted() -> impl Strategy<Value = Match> {
    let method = weighted(0.2, texts(&["GET", "POST"]));
    let headers = vec(value(&["x-a", "X-A", "x-b", "host"], &["1", "2", "1,2", "cart"]), 0..3);
    let parameters = vec(value(&["q", "r"], &["1", "2", "a%20b", ""]), 0..2);
    (weighted(0.8, path()), headers, parameters, method).prop_map(|(path, headers, query_params, method)| Match {
        path,
        headers,
        query_params,
        method,
    })
}

fn path() -> impl Strategy<Value = PathMatch> {
    let paths = &["/", "/a", "/a/", "/b", "/a/b", "/a/b/", "/ab", "/A"];
    // The last is none.
    prop_oneof![
        15 => (of(Just("PathPrefix")), texts(paths)),
        15 => (Just(Some("Exact")), texts(paths)),
        5 => (Just(Some("RegularExpression")), expressions()),
        1 => (Just(Some("Suffix")), texts(paths)),
    ]
    .prop_map(|(kind, value)| PathMatch { kind: kind.map(str::to_owned), value: Some(value) })
}

pub fn expressions() -> impl Strategy<Value = String> {
    select(&EXPRESSIONS[..]).prop_map(|(expression, _)| expression.to_owned())
}

pub fn value(names: &'static [&'static str], values: &'static [&'static str]) -> impl Strategy<Value = ValueMatch> {
    let value = prop_oneof![4 => (of(Just("Exact")), texts(values)), 1 => (Just(Some("RegularExpression")), expressions())];
    (texts(names), value).prop_map(|(name, (kind, value))| ValueMatch { kind: kind.map(str::to_owned), name, value })
}

pub fn changes(kind: &'static str) -> impl Strategy<Value = Filter> {
    let header = || {
        (texts(&["x-a", "X-A", "x-b", "x-c"]), texts(&["1", "3", "50%", "$1\\1"]))
            .prop_map(|(name, value)| Header { name, value })
    };
    (vec(header(), 0..3), vec(header(), 0..3), vec(texts(&["x-a", "X-B"]), 0..2)).prop_map(move |(set, add, remove)| {
        let said = Some(HeaderModifier { set, add, remove });
        let kind = kind.to_owned();
        match kind.as_str() {
            "RequestHeaderModifier" => Filter { kind, request_header_modifier: said, ..Filter::default() },
            _ => Filter { kind, response_header_modifier: said, ..Filter::default() },
        }
    })
}

/// What changes where a request goes, and what means nothing.
fn target() -> impl Strategy<Value = Option<Filter>> {
    let unknown = Filter { kind: String::from("ExtensionRef"), ..Filter::default() };
    prop_oneof![
        12 => Just(None),
        4 => redirect().prop_map(Some),
        4 => rewrite().prop_map(Some),
        2 => mirror().prop_map(Some),
        1 => Just(Some(unknown)),
    ]
}

fn redirect() -> impl Strategy<Value = Filter> {
    let port = weighted(0.4, select(&[80, 443, 8080][..]));
    let status = of(select(&[301, 302, 303, 307, 308][..]));
    (weighted(0.4, texts(&["http", "https"])), host(), weighted(0.6, new_path()), port, status).prop_map(
        |(scheme, hostname, path, port, status_code)| Filter {
            kind: String::from("RequestRedirect"),
            request_redirect: Some(Redirect { scheme, hostname, path, port, status_code }),
            ..Filter::default()
        },
    )
}

fn rewrite() -> impl Strategy<Value = Filter> {
    (host(), weighted(0.8, new_path())).prop_map(|(hostname, path)| Filter {
        kind: String::from("URLRewrite"),
        url_rewrite: Some(Rewrite { hostname, path }),
        ..Filter::default()
    })
}

fn host() -> impl Strategy<Value = Option<String>> {
    weighted(0.4, texts(&["there.example"]))
}

fn new_path() -> impl Strategy<Value = PathModifier> {
    let full = texts(&["/", "/x", "/x/", "/$1\\1", "/%41"]).prop_map(|path| PathModifier {
        kind: String::from("ReplaceFullPath"),
        replace_full_path: Some(path),
        replace_prefix_match: None,
    });
    let prefix = texts(&["", "/", "/x", "/x/", "/x/y", "/$1\\1"]).prop_map(|prefix| PathModifier {
        kind: String::from("ReplacePrefixMatch"),
        replace_full_path: None,
        replace_prefix_match: Some(prefix),
    });
    prop_oneof![1 => full, 2 => prefix]
}

/// Copies change nothing of what becomes of a request.
fn mirror() -> impl Strategy<Value = Filter> {
    (backend(), of(0..=100_u32)).prop_map(|(backend_ref, numerator)| {
        let fraction = numerator.map(|numerator| Fraction { numerator, denominator: None });
        let backend_ref = BackendReference { filters: Vec::new(), ..backend_ref };
        Filter {
            kind: String::from("RequestMirror"),
            request_mirror: Some(Mirror { backend_ref, percent: None, fraction }),
            ..Filter::default()
        }
    })
}

pub fn backend() -> impl Strategy<Value = BackendReference> {
    let port = prop_oneof![8 => Just(Some(80)), 1 => Just(Some(81)), 1 => Just(None)];
    let kind = prop_oneof![9 => Just(None), 1 => Just(Some("Bucket"))];
    let namespace = prop_oneof![6 => Just(None), 3 => Just(Some("shop")), 2 => Just(Some("depot"))];
    let filters = (weighted(0.1, changes("RequestHeaderModifier")), weighted(0.1, changes("ResponseHeaderModifier")));
    let name = texts(&["cart", "v2", "v3", "stock", "gone"]);
    (name, port, kind, namespace, of(0..4_u32), filters).prop_map(|(name, port, kind, namespace, weight, (request, response))| {
        BackendReference {
            kind: kind.map(str::to_owned),
            namespace: namespace.map(str::to_owned),
            name,
            port,
            weight,
            filters: request.into_iter().chain(response).collect(),
            ..BackendReference::default()
        }
    })
}

/// A request.
pub fn asked() -> impl Strategy<Value = Asked> {
    let path = select(
        &["/", "/a", "/a/", "/b", "/a/b", "/a/b/", "/a/b/c", "/ab", "/abc", "/A", "/a//b", "//a", "/a%2Fb", "/elsewhere"][..],
    );
    let parameter = select(&["q=1", "q=2", "q", "r=a%20b", "r=1", "Q=1", ""][..]);
    let query = weighted(0.5, vec(parameter, 0..3).prop_map(|parameters| parameters.join("&")));
    let field = (texts(&["x-a", "X-A", "x-b", "x-c"]), texts(&["1", "2", "1,2", "22"]));
    let method = select(&["GET", "GET", "POST", "PUT"][..]);
    let called = (select(&["shop", "hall", "depot"][..]), prop_oneof![3 => Just(80_u16), 1 => Just(81)]);
    (called, method, path, query, select(&["cart", "cart:80", "cart.shop"][..]), vec(field, 0..4), any::<bool>()).prop_map(
        |((namespace, port), method, path, query, host, headers, is_http2)| Asked {
            namespace,
            port,
            method,
            path,
            query,
            host,
            headers,
            is_http2,
        },
    )
}
