//! HTTPRoutes of the Gateway API, through sidecars: named after the features of its conformance profile for meshes.

use std::collections::BTreeMap;

use tests::{App, Mesh, manifests};

/// Tells what it was asked.
const HAPROXY: &str = r#"
defaults
  mode http
  timeout client 30s
  timeout server 30s
  timeout connect 5s
frontend echo
  bind :::8080 v4v6
  http-request set-header x-none -
  http-request return status 200 hdr x-from "${NAME}" hdr x-unwanted yes content-type text/plain lf-string "${NAME} %HM %[url] host=%[req.hdr(host)] added=%[req.hdr(x-added)] gone=%[req.hdr(x-gone)]\n"
"#;

/// Routes of the service `echo`, whose own endpoints are `v1`'s.
const ROUTES: &str = r#"
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: echo, namespace: shop}
spec:
  parentRefs: [{group: "", kind: Service, name: echo, port: 80}]
  rules:
  - name: by-path
    matches: [{path: {type: PathPrefix, value: /two}}]
    backendRefs: [{name: v2, port: 80}]
  - matches: [{path: {type: Exact, value: /two/exactly}}]
    backendRefs: [{name: v1, port: 80}]
  - matches: [{path: {type: RegularExpression, value: "/n/[0-9]+"}}]
    backendRefs: [{name: v2, port: 80}]
  - matches: [{path: {value: /header}, headers: [{name: X-Version, value: two}]}]
    backendRefs: [{name: v2, port: 80}]
  - matches: [{path: {value: /header}}]
    backendRefs: [{name: v1, port: 80}]
  - matches: [{path: {value: /query}, queryParams: [{name: version, value: two}]}]
    backendRefs: [{name: v2, port: 80}]
  - matches: [{path: {value: /method}, method: POST}]
    backendRefs: [{name: v2, port: 80}]
  - matches: [{path: {value: /shared}}]
    backendRefs: [{name: v1, port: 80, weight: 9}, {name: v2, port: 80, weight: 1}]
  - matches: [{path: {value: /partly}}]
    backendRefs: [{name: v1, port: 80}, {name: nobody, port: 80}]
  - matches: [{path: {value: /edited}}]
    filters:
    - type: RequestHeaderModifier
      requestHeaderModifier: {set: [{name: x-added, value: "set"}], remove: [x-gone]}
    - type: ResponseHeaderModifier
      responseHeaderModifier: {add: [{name: x-more, value: "more"}], remove: [x-unwanted]}
    backendRefs: [{name: v1, port: 80}]
  - matches: [{path: {value: /backend}}]
    backendRefs:
    - name: v2
      port: 80
      filters: [{type: RequestHeaderModifier, requestHeaderModifier: {add: [{name: x-added, value: "by-backend"}]}}]
  - matches: [{path: {value: /prefix}}]
    filters: [{type: URLRewrite, urlRewrite: {hostname: other.example, path: {type: ReplacePrefixMatch, replacePrefixMatch: /new}}}]
    backendRefs: [{name: v1, port: 80}]
  - matches: [{path: {value: /full}}]
    filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplaceFullPath, replaceFullPath: /all}}}]
    backendRefs: [{name: v1, port: 80}]
  - matches: [{path: {value: /root}}]
    filters:
    - {type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /}}}
    - {type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: x-added, value: "100%"}]}}
    backendRefs: [{name: v1, port: 80}]
  - matches: [{path: {value: /moved}}]
    filters: [{type: RequestRedirect, requestRedirect: {scheme: https, hostname: there.example, port: 8443, path: {type: ReplacePrefixMatch, replacePrefixMatch: /to}, statusCode: 301}}]
"#;

/// What a call is answered: with curl's arguments after the path, in `echo`'s words or with a status.
const CALLS: [(&str, &str, &[&str], &str); 20] = [
    ("HTTPRoute, path prefix", "/two/a", &[], "v2 GET /two/a"),
    ("path prefix ends at an element", "/twofold", &[], "404"),
    ("an exact path goes first", "/two/exactly", &[], "v1 GET /two/exactly"),
    ("path by regular expression", "/n/42", &[], "v2 GET /n/42"),
    ("all of the path", "/n/42/x", &[], "404"),
    ("header", "/header", &["-H", "x-version: two"], "v2 GET /header"),
    ("another header", "/header", &["-H", "x-version: twofold"], "v1 GET /header"),
    ("MeshHTTPRouteQueryParamMatching", "/query?a=b&version=two", &[], "v2 GET /query?a=b&version=two"),
    ("another parameter", "/query?version=one", &[], "404"),
    ("method", "/method", &["-d", "x"], "v2 POST /method"),
    ("another method", "/method", &[], "404"),
    ("a Service with a route answers 404 to what no rule is for", "/", &[], "404"),
    ("request headers", "/edited", &["-H", "x-gone: still here"], "v1 GET /edited host=echo added=set gone="),
    ("MeshHTTPRouteBackendRequestHeaderModification", "/backend", &[], "v2 GET /backend host=echo added=by-backend gone="),
    ("MeshHTTPRouteRewritePath, prefix", "/prefix/a?q=1", &[], "v1 GET /new/a?q=1 host=other.example"),
    ("MeshHTTPRouteRewritePath, full", "/full/a?q=1", &[], "v1 GET /all?q=1"),
    ("a prefix that becomes nothing", "/root/a?q=1", &[], "v1 GET /a?q=1 host=echo added=100% gone="),
    ("all of the path is the prefix", "/root", &[], "v1 GET / "),
    ("MeshHTTPRouteSchemeRedirect, port, path", "/moved/a", &[], "301 https://there.example:8443/to/a"),
    ("the rest of a path alone", "/moved", &[], "301 https://there.example:8443/to"),
];

fn echo(name: &str) -> App {
    let command = ["env", &format!("NAME={name}"), "haproxy", "-db", "-f", "haproxy.cfg"];
    App::new(name, 8080, &command).ports(serde_json::json!([{"port": 80, "targetPort": 8080}]))
}

fn mesh() -> Mesh {
    let service =
        tests::service("echo", &serde_json::json!({"selector": {"app": "v1"}, "ports": [{"port": 80, "targetPort": 8080}]}));
    let text = manifests([&echo("v1"), &echo("v2")]) + &service + ROUTES;
    let mesh = Mesh::up_with(&text, &[("haproxy.cfg", HAPROXY)]);
    mesh.ready("v1-0");
    mesh.ready("v2-0");
    mesh
}

/// The answer in `echo`'s words; of others the status, and where it leads.
const SHOWN: &str = "%{http_code} %{redirect_url}\n";

fn told(mesh: &Mesh, path: &str, more: &[&str]) -> String {
    let url = format!("http://echo{path}");
    let said = mesh.succeed("client", &[&["curl", "-s", "-m", "10", "-w", SHOWN, &url][..], more].concat());
    let mut lines = said.lines();
    match (lines.next(), said.lines().last()) {
        (Some(words), Some(status)) if status.starts_with("200") => words.to_owned(),
        (_, status) => status.unwrap_or_default().trim().to_owned(),
    }
}

#[test]
fn every_clause_is_kept_through_sidecars() {
    let mesh = mesh();
    let mut wrong = Vec::new();
    for (feature, path, more, expected) in CALLS {
        let answer = told(&mesh, path, more);
        if !answer.starts_with(expected) {
            wrong.push(format!("{feature}: {path} {more:?}: {answer}, expected {expected}"));
        }
    }
    let headers = mesh.succeed("client", &["curl", "-s", "-m", "10", "-D", "-", "-o", "/dev/null", "http://echo/edited"]);
    assert!(headers.contains("x-more: more") && !headers.contains("x-unwanted"), "response headers: {headers}");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn shares_are_what_weights_say_and_an_invalid_backend_answers_its_own() {
    let mesh = mesh();
    let counted = |path: &str, calls: u32| -> BTreeMap<String, u32> {
        let url = format!("http://echo{path}?[1-{calls}]");
        let said = mesh
            .succeed("counting", &["curl", "-s", "-m", "60", "-o", "/dev/null", "-w", "%{http_code} %header{x-from}\n", &url]);
        let mut counts = BTreeMap::new();
        said.lines().for_each(|line| *counts.entry(line.trim().to_owned()).or_default() += 1);
        counts
    };
    let shared = counted("/shared", 10_000);
    let second = f64::from(shared["200 v2"]);
    assert!((second - 1000.0).abs() < 150.0 && shared.len() == 2, "{shared:?}");
    let partly = counted("/partly", 1000);
    assert!(partly.len() == 2 && partly["500"].abs_diff(500) < 100, "{partly:?}");
}

#[test]
fn a_route_is_followed_as_it_is_edited() {
    let mesh = mesh();
    assert_eq!(told(&mesh, "/elsewhere", &[]), "404");
    let text = manifests([&echo("v1"), &echo("v2")])
        + &tests::service("echo", &serde_json::json!({"selector": {"app": "v1"}, "ports": [{"port": 80, "targetPort": 8080}]}));
    mesh.edit(&text);
    tests::eventually("without a route all go to its endpoints", || {
        told(&mesh, "/elsewhere", &[]).starts_with("v1 GET /elsewhere").then_some(())
    });
}
