//! What is read of routes and grants, and what of them is told to mean nothing.

use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::index::routes::{Action, CallMatch, Forward, Match, PathChange, PathMatch, Reference, Session, ToldBy, ValueMatch};

fn read(spec: Value) -> (Route, Vec<Mistake>) {
    let key = Key { namespace: "shop".into(), name: "r".into() };
    http_route(key, 1, &serde_json::from_value(spec).unwrap())
}

/// The one rule of a route, in which there is no mistake.
fn rule(rule: Value) -> crate::index::routes::Rule {
    let (mut route, mistakes) = read(json!({ "rules": [rule] }));
    assert_eq!(mistakes, []);
    route.rules.remove(0)
}

fn forward(said: Value) -> Forward {
    match rule(said).action {
        Action::Forward(forward) => forward,
        other => panic!("not forwarded: {other:?}"),
    }
}

/// Where a rule's mistakes are, and what becomes of it.
fn wrong(rule: Value) -> (Vec<String>, crate::index::routes::Rule) {
    let (mut route, mistakes) = read(json!({ "rules": [{}, rule] }));
    assert_eq!(mistakes.len(), route.rules[1].mistakes.len());
    assert!(route.rules[0].mistakes.is_empty(), "its neighbour is spoilt");
    (mistakes.into_iter().map(|mistake| mistake.field).collect(), route.rules.remove(1))
}

#[test]
fn parents_are_services_and_nothing_else() {
    let (route, mistakes) = read(json!({ "hostnames": ["x"], "parentRefs": [
        { "name": "gateway" },
        { "group": "", "kind": "Service", "name": "cart" },
        { "group": "", "kind": "Service", "name": "till", "namespace": "other", "port": 80, "sectionName": "http" },
    ] }));
    let told: Vec<_> = route.parents.iter().map(|parent| (parent.service.to_string(), parent.port)).collect();
    assert_eq!(told, [("shop/cart".to_owned(), None), ("other/till".to_owned(), Some(80))]);
    assert_eq!(route.parents[1].port_name.as_deref(), Some("http"));
    assert_eq!((mistakes, route.rules.len()), (Vec::new(), 1), "without rules there is one for all requests");
}

#[test]
fn matches_are_read() {
    let read = rule(json!({ "name": "n", "matches": [
        { "path": { "type": "Exact", "value": "/a/" }, "method": "GET" },
        { "path": { "value": "/a/" }, "headers": [
            { "name": "X-A", "value": "1" }, { "name": "x-a", "value": "2" }, { "name": "b", "type": "RegularExpression", "value": "2.*" },
        ] },
        { "path": { "type": "RegularExpression", "value": "/a.*" }, "queryParams": [{ "name": "Q", "value": "1" }] },
        {},
    ] }));
    let paths: Vec<PathMatch> = read.matches.iter().map(|wanted| wanted.path.clone()).collect();
    let text = str::to_owned;
    let expected = [
        PathMatch::Exact(text("/a/")),
        PathMatch::Prefix(text("/a")),
        PathMatch::Regex(text("/a.*")),
        PathMatch::Prefix(text("")),
    ];
    assert_eq!((read.name.as_str(), paths), ("n", expected.to_vec()));
    let headers = [(text("x-a"), ValueMatch::Exact(text("1"))), (text("b"), ValueMatch::Regex(text("2.*")))];
    assert_eq!(read.matches[1].headers, headers, "of two with one name the first counts");
    assert_eq!(read.matches[2].query, [(text("Q"), ValueMatch::Exact(text("1")))]);
    assert_eq!(read.matches[0].method.as_deref(), Some("GET"));
}

#[test]
fn filters_are_read() {
    let read = rule(json!({ "filters": [
        { "type": "RequestHeaderModifier", "requestHeaderModifier": {
            "set": [{ "name": "A", "value": "1" }], "add": [{ "name": "b", "value": "2" }], "remove": ["C"] } },
        { "type": "ResponseHeaderModifier", "responseHeaderModifier": { "remove": ["d"] } },
        { "type": "RequestRedirect", "requestRedirect": {
            "scheme": "https", "hostname": "h", "port": 8443, "statusCode": 301,
            "path": { "type": "ReplaceFullPath", "replaceFullPath": "/b" } } },
    ] }));
    assert_eq!((read.request.set, read.request.add), (vec![("a".into(), "1".into())], vec![("b".into(), "2".into())]));
    assert_eq!((read.request.remove, read.response.remove), (vec!["c".to_owned()], vec!["d".to_owned()]));
    let Action::Redirect(redirect) = read.action else { panic!("not sent elsewhere") };
    assert_eq!((redirect.status, redirect.port, redirect.path), (301, Some(8443), Some(PathChange::Full("/b".into()))));
    let rewritten = forward(json!({ "filters": [{ "type": "URLRewrite", "urlRewrite": {
        "hostname": "h", "path": { "type": "ReplacePrefixMatch", "replacePrefixMatch": "/b/" } } }] }));
    assert_eq!((rewritten.rewrite.host.as_deref(), rewritten.rewrite.path), (Some("h"), Some(PathChange::Prefix("/b".into()))));
}

#[test]
fn backends_are_read() {
    let read = forward(json!({
        "filters": [
            { "type": "RequestMirror", "requestMirror": { "backendRef": { "name": "copy", "port": 80 }, "percent": 5 } },
            { "type": "RequestMirror", "requestMirror": { "backendRef": { "name": "copy", "port": 80 },
              "fraction": { "numerator": 1, "denominator": 8 } } },
            { "type": "RequestMirror", "requestMirror": { "backendRef": { "name": "copy", "port": 80 } } },
        ],
        "backendRefs": [
            { "name": "cart", "port": 80, "filters": [
                { "type": "RequestHeaderModifier", "requestHeaderModifier": { "remove": ["a"] } } ] },
            { "name": "till", "namespace": "other", "port": 80, "weight": 0 },
            { "group": "example.com", "kind": "Bucket", "name": "b" },
        ],
        "timeouts": { "request": "1h30m", "backendRequest": "0s" },
    }));
    let weights: Vec<u32> = read.backends.iter().map(|backend| backend.weight).collect();
    assert_eq!((weights, read.backends[0].request.remove.len()), (vec![1, 0, 1], 1));
    let till = Key { namespace: "other".into(), name: "till".into() };
    assert_eq!(read.backends[1].to, Reference::Service(till, Some(80)));
    assert_eq!(read.backends[2].to, Reference::Other("Bucket.example.com shop/b".into()));
    let parts: Vec<u32> = read.mirrors.iter().map(|mirror| mirror.millionths).collect();
    assert_eq!(parts, [50_000, 125_000, 1_000_000]);
    assert_eq!((read.timeout, read.try_timeout), (Some(Duration::from_secs(5400)), Some(Duration::ZERO)));
}

#[test]
fn a_match_that_cannot_be_read_takes_its_rule_out() {
    for (said, at) in [
        (json!({ "path": { "type": "RegularExpression", "value": "(" } }), "path"),
        (json!({ "path": { "type": "Glob", "value": "/*" } }), "path"),
        (json!({ "path": { "value": "a" } }), "path"),
        (json!({ "path": { "type": "Exact", "value": "/a?b" } }), "path"),
        (json!({ "headers": [{ "name": "a b", "value": "1" }] }), "headers[0]"),
        (json!({ "headers": [{ "name": "a", "type": "RegularExpression", "value": "*" }] }), "headers[0]"),
        (json!({ "queryParams": [{ "name": "a", "type": "Prefix", "value": "*" }] }), "queryParams[0]"),
        (json!({ "method": "G T" }), "method"),
    ] {
        let (fields, rule) = wrong(json!({ "matches": [{}, said] }));
        assert_eq!((fields, rule.matches), (vec![format!("spec.rules[1].matches[1].{at}")], Vec::new()));
    }
}

#[test]
fn what_cannot_be_done_fails_its_requests() {
    let modifier = |set: Value| json!([{ "type": "RequestHeaderModifier", "requestHeaderModifier": { "set": [set] } }]);
    let redirect = |said: Value| json!([{ "type": "RequestRedirect", "requestRedirect": said }]);
    let path = |said: Value| json!([{ "type": "URLRewrite", "urlRewrite": { "path": said } }]);
    for (filters, at) in [
        (json!([{ "type": "ExtensionRef" }]), "filters[0].type"),
        (json!([{ "type": "CORS", "cors": { "allowOrigins": ["shop"] } }]), "filters[0].cors.allowOrigins"),
        (modifier(json!({ "name": "a b", "value": "1" })), "filters[0]"),
        (modifier(json!({ "name": "Host", "value": "1" })), "filters[0]"),
        (modifier(json!({ "name": "a", "value": "1\n2" })), "filters[0]"),
        (redirect(json!({ "scheme": "ftp" })), "filters[0].requestRedirect.scheme"),
        (redirect(json!({ "statusCode": 200 })), "filters[0].requestRedirect.statusCode"),
        (path(json!({ "type": "ReplacePrefixMatch" })), "filters[0].urlRewrite.path"),
        (path(json!({ "type": "ReplaceHalf" })), "filters[0].urlRewrite.path.type"),
        (json!([{ "type": "RequestMirror", "requestMirror": { "percent": 101 } }]), "filters[0].requestMirror"),
        (json!([{ "type": "RequestRedirect" }, { "type": "URLRewrite", "urlRewrite": { "hostname": "h" } }]), "filters"),
    ] {
        let (fields, rule) = wrong(json!({ "filters": filters, "matches": [{ "path": { "type": "Exact", "value": "/a" } }] }));
        assert_eq!((fields, rule.action), (vec![format!("spec.rules[1].{at}")], Action::Fail));
        assert_eq!(rule.matches.len(), 1);
    }
    let backend = |said: Value| wrong(json!({ "backendRefs": [said] }));
    let filter = json!([{ "type": "RequestHeaderModifier" }, { "type": "URLRewrite" }]);
    let (fields, rule) = backend(json!({ "name": "a", "filters": filter }));
    assert_eq!((fields, rule.action), (vec!["spec.rules[1].backendRefs[0].filters[1].type".to_owned()], Action::Fail));
    assert_eq!(backend(json!({ "name": "a", "weight": 1_000_001 })).1.action, Action::Fail);
    let (fields, rule) = wrong(json!({ "retry": { "codes": [503, 200], "backoff": "soon" } }));
    assert_eq!(fields, ["spec.rules[1].retry.codes", "spec.rules[1].retry.backoff"]);
    assert!(matches!(rule.action, Action::Forward(Forward { retry: None, .. })), "the first try costs it nothing");
    let (fields, rule) = wrong(json!({ "timeouts": { "request": "soon" } }));
    assert_eq!((fields, rule.action), (vec!["spec.rules[1].timeouts.request".to_owned()], Action::Fail));
}

fn read_grpc(rule: Value) -> (Route, Vec<Mistake>) {
    let key = Key { namespace: "shop".into(), name: "r".into() };
    grpc_route(key, 1, &serde_json::from_value(json!({ "rules": [rule] })).unwrap())
}

#[test]
fn calls_of_grpc_are_read() {
    let (mut read, mistakes) = read_grpc(json!({ "name": "n", "matches": [
        { "method": { "service": "shop.Cart", "method": "Add" }, "headers": [{ "name": "X-A", "value": "1" }] },
        { "method": { "service": "shop.Cart", "method": "" } },
        { "method": { "type": "RegularExpression", "method": "Add|Drop" } },
        {},
    ], "backendRefs": [{ "name": "cart", "port": 80, "weight": 3 }] }));
    let rule = read.rules.remove(0);
    let exact = |text: &str| Some(ValueMatch::Exact(text.to_owned()));
    let call = |service, method| PathMatch::Call(CallMatch { service, method });
    let paths: Vec<PathMatch> = rule.matches.iter().map(|wanted| wanted.path.clone()).collect();
    let expected = [
        call(exact("shop.Cart"), exact("Add")),
        call(exact("shop.Cart"), None),
        call(None, Some(ValueMatch::Regex("Add|Drop".into()))),
        Match::all().path,
    ];
    assert_eq!((read.kind, mistakes, paths), (RouteKind::Grpc, Vec::new(), expected.to_vec()));
    assert_eq!(rule.matches[0].headers, [("x-a".to_owned(), ValueMatch::Exact("1".into()))]);
    assert!(matches!(rule.action, Action::Forward(forward) if forward.backends[0].weight == 3));
}

#[test]
fn what_is_not_of_grpc_is_told() {
    for method in [
        json!({}),
        json!({ "service": "", "method": "" }),
        json!({ "service": "shop/Cart" }),
        json!({ "type": "RegularExpression", "service": "a)(b" }),
        json!({ "type": "Prefix", "service": "shop" }),
    ] {
        let (read, mistakes) = read_grpc(json!({ "matches": [{ "method": method }] }));
        assert_eq!((mistakes.len(), read.rules[0].matches.len()), (1, 0), "{method}");
        assert_eq!(mistakes[0].field, "spec.rules[0].matches[0].method");
    }
    let (read, mistakes) = read_grpc(json!({ "filters": [{ "type": "URLRewrite" }] }));
    assert_eq!((mistakes[0].field.as_str(), &read.rules[0].action), ("spec.rules[0].filters[0].type", &Action::Fail));
}

#[test]
fn sessions_are_read() {
    let session = |said: Value| forward(json!({ "sessionPersistence": said })).session.unwrap();
    let plain = Session { told_by: ToldBy::Cookie, name: String::new(), absolute: None, idle: None };
    assert_eq!(session(json!({})), plain);
    let permanent =
        session(json!({ "sessionName": "stay", "absoluteTimeout": "1h", "cookieConfig": { "lifetimeType": "Permanent" } }));
    let hour = Some(Duration::from_secs(3600));
    assert_eq!(permanent, Session { told_by: ToldBy::PermanentCookie, name: "stay".into(), absolute: hour, idle: None });
    let header = session(json!({ "type": "Header", "sessionName": "x-stay", "idleTimeout": "30s" }));
    assert_eq!((header.told_by, header.idle), (ToldBy::Header, Some(Duration::from_secs(30))));
    for (said, at) in [
        (json!({ "type": "Query" }), "type"),
        (json!({ "sessionName": "a b" }), "sessionName"),
        (json!({ "idleTimeout": "soon" }), "idleTimeout"),
        (json!({ "cookieConfig": { "lifetimeType": "Permanent" } }), "absoluteTimeout"),
        (json!({ "cookieConfig": { "lifetimeType": "Forever" } }), "cookieConfig.lifetimeType"),
    ] {
        let (fields, rule) = wrong(json!({ "sessionPersistence": said }));
        assert_eq!((fields, rule.action), (vec![format!("spec.rules[1].sessionPersistence.{at}")], Action::Fail));
    }
}

#[test]
fn routes_of_connections_are_read() {
    let key = || Key { namespace: "shop".into(), name: "r".into() };
    let spec = |hostnames: Value| {
        let spec = json!({ "hostnames": hostnames, "rules": [{ "backendRefs": [{ "name": "cart", "port": 80, "weight": 3 }] }] });
        serde_json::from_value(spec).unwrap()
    };
    let (tcp, mistakes) = tcp_route(key(), 1, &spec(json!([])));
    assert!(matches!(&tcp.rules[0].action, Action::Forward(forward) if forward.backends[0].weight == 3));
    assert_eq!((tcp.kind, tcp.servers, mistakes), (RouteKind::Tcp, Servers::All, Vec::new()));
    let (tls, mistakes) = tls_route(key(), 1, &spec(json!(["Cart.example", "*.example"])));
    let named = Servers::Named(vec!["cart.example".into(), "*.example".into()]);
    assert_eq!((tls.kind, tls.servers, mistakes), (RouteKind::Tls, named, Vec::new()));
    assert_eq!(tls_route(key(), 1, &spec(json!([]))).0.servers, Servers::All);
    for wrong in ["*", "a.*.example", "10.0.0.1", "cart_1.example", "-a.example", "a..example", ""] {
        let (tls, mistakes) = tls_route(key(), 1, &spec(json!(["cart.example", wrong])));
        assert_eq!((mistakes[0].field.as_str(), tls.servers), ("spec.hostnames[1]", Servers::Named(Vec::new())), "{wrong}");
        assert_eq!(tls.rules[0].mistakes.len(), 1);
    }
}

#[test]
fn a_field_that_is_not_known_costs_nothing() {
    let read = forward(json!({ "retry": { "attempts": 3 }, "backendRefs": [{ "name": "cart", "port": 80, "colour": "red" }] }));
    assert_eq!(read.backends.len(), 1);
}

#[test]
fn a_grant_is_of_services_to_routes() {
    let read = |spec: Value| grant(Key { namespace: "depot".into(), name: "g".into() }, &serde_json::from_value(spec).unwrap());
    let one = read(json!({
        "from": [{ "group": GROUP, "kind": "HTTPRoute", "namespace": "shop" }, { "group": GROUP, "kind": "Gateway", "namespace": "x" }],
        "to": [{ "group": "", "kind": "Service", "name": "stock" }, { "group": "", "kind": "Secret" }],
    }));
    assert_eq!((one.from, one.to, one.to_all), (vec![(RouteKind::Http, "shop".to_owned())], vec!["stock".to_owned()], false));
    assert!(read(json!({ "to": [{ "group": "", "kind": "Service" }] })).to_all);
}

#[test]
fn of_several_changes_of_one_field_the_first_counts() {
    let fields = json!([{ "name": "X-A", "value": "1" }, { "name": "x-a", "value": "2" }, { "name": "b", "value": "3" }]);
    let said = json!({ "type": "RequestHeaderModifier", "requestHeaderModifier": { "set": fields, "add": fields } });
    let read = rule(json!({ "filters": [said] })).request;
    let first = [("x-a".to_owned(), "1".to_owned()), ("b".to_owned(), "3".to_owned())];
    assert_eq!((&read.set[..], &read.add[..]), (&first[..], &first[..]));
}
