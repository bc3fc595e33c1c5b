//! HTTPRoute: which rule a request is for, and what becomes of it.

use std::collections::BTreeMap;

use serde_json::json;
use tests::{App, ECHO_FILE, Mesh, echo, eventually, manifests, python, script};

use crate::case::{Case, case, client, told, try_all};

const MANIFESTS: &str = include_str!("http.yaml");

const SCHEME: &str = "MeshHTTPRouteSchemeRedirect HTTPRouteSchemeRedirect";
const PORT: &str = "MeshHTTPRouteRedirectPort HTTPRoutePortRedirect";
const PATH: &str = "MeshHTTPRouteRedirectPath HTTPRoutePathRedirect";
const REWRITE: &str = "MeshHTTPRouteRewritePath HTTPRoutePathRewrite";
const QUERY: &str = "MeshHTTPRouteQueryParamMatching HTTPRouteQueryParamMatching";
const BACKEND: &str = "MeshHTTPRouteBackendRequestHeaderModification HTTPRouteBackendRequestHeaderModification";
const NAMED: &str = "MeshHTTPRouteNamedRouteRule HTTPRouteNamedRouteRule";

pub const CASES: [Case; 77] = [
    case("Mesh HTTPRoute", "a prefix", "http://echo/two/a", "200 v2 GET /two/a"),
    case("HTTPRoute", "all of a prefix", "http://echo/two", "200 v2"),
    case("HTTPRoute", "a slash behind it", "http://echo/two/", "200 v2 /two/"),
    case("HTTPRoute", "a prefix ends with an element", "http://echo/twofold", "404 why=no_route"),
    case("HTTPRoute", "a prefix is where a path begins", "http://echo/a/two", "404"),
    case("HTTPRoute", "an exact path goes first", "http://echo/two/exactly", "200 v1"),
    case("HTTPRoute", "an exact path is all of it", "http://echo/two/exactly/", "200 v2"),
    case("HTTPRoute", "a path by regular expression", "http://echo/n/42", "200 v2"),
    case("HTTPRoute", "which is for all of the path", "http://echo/n/42/x", "404"),
    case("HTTPRoute", "a header", "http://echo/header -H x-version:two", "200 v2"),
    case("HTTPRoute", "its name in any letters", "http://echo/header -H X-VERSION:two", "200 v2"),
    case("HTTPRoute", "its value as it is", "http://echo/header -H x-version:Two", "200 v1"),
    case("HTTPRoute", "all of the value", "http://echo/header -H x-version:twofold", "200 v1"),
    case("HTTPRoute", "more headers go first", "http://echo/header -H x-version:two -H x-more:yes", "200 v1"),
    case("HTTPRoute", "either of two matches", "http://echo/or", "200 v2"),
    case("HTTPRoute", "and all of each", "http://echo/either", "404"),
    case("HTTPRoute", "what no rule is for", "http://echo/", "404 why=no_route"),
    case("HTTPRoute", "no weight is no share", "http://echo/all-or-nothing", "200 v2"),
    case("HTTPRoute", "nobody has a share", "http://echo/nothing", "500"),
    case(QUERY, "a parameter", "http://echo/query?a=b&version=two", "200 v2 /query?a=b&version=two"),
    case(QUERY, "another value", "http://echo/query?version=one", "404"),
    case(QUERY, "all of a value", "http://echo/query?version=twofold", "404"),
    case(QUERY, "no parameter", "http://echo/query", "404"),
    case(QUERY, "more parameters go first", "http://echo/query?more=yes&version=two", "200 v1"),
    case(QUERY, "the first of several values", "http://echo/query?version=two&version=one", "200 v2"),
    case(QUERY, "by regular expression", "http://echo/query?number=42", "200 v1"),
    case("HTTPRouteMethodMatching", "a method", "http://echo/method -d x", "200 v2 POST"),
    case("HTTPRouteMethodMatching", "another", "http://echo/method -X DELETE", "200 v1 DELETE"),
    case("HTTPRouteMethodMatching", "one that no match names", "http://echo/method", "404"),
    case("HTTPRoute", "request headers", "http://echo/edited -H x-gone:here", "200 v1 added=set gone="),
    case("HTTPRoute", "set is in place of the client's", "http://echo/edited -H x-added:mine", "200 added=set adds=1"),
    case("HTTPRoute", "add is beside it", "http://echo/longer -H x-added:mine", "200 added=too adds=2"),
    case("HTTPRouteResponseHeaderModification", "set, add", "http://echo/edited", "200 set=set more=more"),
    case("HTTPRouteResponseHeaderModification", "remove", "http://echo/edited", "200 unwanted="),
    case("HTTPRouteResponseHeaderModification", "of others nothing", "http://echo/two", "200 set= more= unwanted=yes"),
    case(BACKEND, "add", "http://echo/backend", "200 v2 added=by-backend"),
    case(BACKEND, "remove", "http://echo/backend -H x-gone:here", "200 v2 gone="),
    case("HTTPRouteResponseHeaderModification", "of a backend", "http://echo/backend", "200 v2 set=by-backend"),
    case(REWRITE, "a prefix", "http://echo/prefix/a?q=1", "200 v1 /new/a?q=1 host=echo"),
    case(REWRITE, "all of the path is the prefix", "http://echo/prefix", "200 v1 /new"),
    case(REWRITE, "all of it", "http://echo/full/a?q=1", "200 v1 /all?q=1"),
    case(REWRITE, "a prefix that becomes nothing", "http://echo/root/a?q=1", "200 v1 /a?q=1 added=100%"),
    case(REWRITE, "and nothing is left", "http://echo/root", "200 v1 /"),
    case("HTTPRouteHostRewrite", "the host", "http://echo/host/a", "200 v1 /host/a host=other.example"),
    case("HTTPRouteHostRewrite", "and the path", "http://echo/host-and-path/a", "200 v1 /new/a host=other.example"),
    case(SCHEME, "and the scheme's usual port", "http://echo/scheme", "302 https://echo/scheme"),
    case(SCHEME, "whatever port was called", "http://echo:8080/scheme", "302 https://echo/scheme"),
    case(SCHEME, "and the host", "http://echo/scheme-and-host", "301 https://there.example/scheme-and-host"),
    case(SCHEME, "and the query", "http://echo/scheme?a=b", "302 https://echo/scheme?a=b"),
    case(PORT, "alone", "http://echo/port", "302 http://echo:8083/port"),
    case(PORT, "and the host", "http://echo/port-and-host", "301 http://there.example:8083/port-and-host"),
    case(PORT, "and the scheme", "http://echo/scheme-and-port", "302 https://echo:8443/scheme-and-port"),
    case(PORT, "the usual one is not said", "http://echo/usual-port", "302 https://echo/usual-port"),
    case(PATH, "a prefix", "http://echo/old/a?q=1", "302 http://echo/new/a?q=1"),
    case(PATH, "all of the path is the prefix", "http://echo/old", "302 http://echo/new"),
    case(PATH, "all of it", "http://echo/old/all/a", "302 http://echo/everything"),
    case(PATH, "and the host", "http://echo/old-and-host/a", "302 http://there.example/new/a"),
    case(PATH, "and the status", "http://echo/old-and-status/a", "301 http://echo/everything"),
    case(PATH, "all together", "http://echo/moved/a", "301 https://there.example:8443/to/a"),
    case("HTTPRoute", "a redirect's host", "http://echo/there", "302 http://there.example/there"),
    case("HTTPRoute", "at the port that was called", "http://echo:8080/there", "302 http://there.example:8080/there"),
    case("HTTPRoute", "its status", "http://echo/there/301", "301 http://there.example/there/301"),
    case("HTTPRoute303RedirectStatusCode", "its status", "http://echo/there/303", "303 http://there.example/there/303"),
    case("HTTPRoute307RedirectStatusCode", "its status", "http://echo/there/307", "307 http://there.example/there/307"),
    case("HTTPRoute308RedirectStatusCode", "its status", "http://echo/there/308", "308 http://there.example/there/308"),
    case("HTTPRouteRequestTimeout", "too slow", "http://echo/tarpit/request", "504"),
    case("HTTPRouteRequestTimeout", "none", "http://echo/tarpit/none", "200"),
    case("HTTPRouteBackendTimeout", "too slow", "http://echo/tarpit/backend-request", "504"),
    case("HTTPRouteBackendTimeout HTTPRouteRequestTimeout", "in time", "http://echo/tarpit/patient", "200"),
    case(NAMED, "one with a name", "http://echo/named", "200 v1"),
    case(NAMED, "one without", "http://echo/unnamed", "200 v2"),
    case(NAMED, "a policy names it", "http://echo/spoilt", "503 why=fault"),
    case(
        "HTTPRouteCORS",
        "a preflight",
        "http://echo/pages -X OPTIONS -H origin:https://www.shop.example -H access-control-request-method:PUT",
        "204 origin=https://www.shop.example PUT",
    ),
    case(
        "HTTPRouteCORS",
        "of another origin",
        "http://echo/pages -X OPTIONS -H origin:https://www.other.example -H access-control-request-method:PUT",
        "204 origin= methods=",
    ),
    case(
        "HTTPRouteCORS",
        "an answer",
        "http://echo/pages -H origin:https://www.shop.example",
        "200 v1 origin=https://www.shop.example",
    ),
    case("HTTPRouteCORS", "to another origin", "http://echo/pages -H origin:https://www.other.example", "200 v1 origin="),
    case("HTTPRouteBackendProtocolH2C", "a client of HTTP/2", "http://echo/h2c --http2-prior-knowledge", "200 v1 version=2.0"),
];

fn apps() -> String {
    let chat = App::new("chat", 9000, &[&python(), "-u", &script("websocket/echo.py")]);
    let chat = chat.ports(json!([{"port": 80, "targetPort": 9000, "appProtocol": "kubernetes.io/ws"}]));
    manifests(&[echo("v1"), echo("v2"), echo("v3"), chat, client("client", "shop")])
}

fn mesh() -> Mesh {
    let mesh = Mesh::up_with(&(apps() + MANIFESTS), &[ECHO_FILE]);
    ["v1-0", "v2-0", "v3-0", "chat-0", "client-0"].iter().for_each(|pod| mesh.ready(pod));
    mesh
}

#[test]
fn requests_go_where_rules_say_and_become_what_filters_say() {
    try_all(&mesh(), &CASES, &[]);
}

/// So many calls, by the status and who answered.
fn counted(mesh: &Mesh, path: &str, calls: u32) -> BTreeMap<String, u32> {
    let url = format!("http://echo{path}?[1-{calls}]");
    let curl = ["curl", "-s", "-m", "60", "-o", "/dev/null", "-w", "%{http_code} %header{x-from}\n", &url];
    let said = mesh.succeed_inside("client-0", &curl);
    let mut counts = BTreeMap::new();
    said.lines().for_each(|line| *counts.entry(line.trim().to_owned()).or_default() += 1);
    counts
}

#[test]
fn shares_are_what_weights_say_and_an_invalid_backend_answers_its_own() {
    let mesh = mesh();
    let shared = counted(&mesh, "/shared", 10_000);
    assert!(shared["200 v2"].abs_diff(1000) < 150 && shared.len() == 2, "{shared:?}");
    let partly = counted(&mesh, "/partly", 1000);
    assert!(partly.len() == 2 && partly["500"].abs_diff(500) < 100, "{partly:?}");
}

#[test]
fn copies_go_to_every_mirror_and_to_as_many_as_are_wanted() {
    let mesh = mesh();
    let copies = |of: &str| -> u32 {
        let told = mesh.succeed_inside("client-0", &["curl", "-sS", "-m", "20", &format!("http://{of}/copies")]);
        told.trim().parse().expect("a number")
    };
    for (path, calls, second, third) in [
        ("/copied/once", 20, 20, 0),
        ("/copied/twice", 20, 20, 20),
        ("/copied/partly", 1000, 200, 0),
        ("/copied/fraction", 500, 250, 0),
    ] {
        let (before, before_third) = (copies("v2"), copies("v3"));
        let answers = counted(&mesh, path, calls);
        assert_eq!(answers, [("200 v1".to_owned(), calls)].into(), "{path}: a copy is nobody's answer");
        // Of all requests exactly as many; of a part of them about as many.
        let about = if second == calls { 0 } else { 60 };
        eventually(&format!("copies of {path}"), || {
            let arrived = copies("v2") - before;
            (arrived.abs_diff(second) <= about && copies("v3") - before_third == third).then_some(())
        });
    }
}

#[test]
fn a_websocket_goes_where_its_route_says() {
    let mesh = mesh();
    let told = mesh.succeed_inside("client-0", &[&python(), &script("websocket/cases.py"), "ws://echo/chat"]);
    assert_eq!(told, "126 cases\n");
}

#[test]
fn a_route_is_followed_as_it_is_edited() {
    let mesh = mesh();
    let [with, without] = [case("HTTPRoute", "edited", "", "404"), case("HTTPRoute", "edited", "", "200 v1")];
    let now = || told(&mesh, "client-0", "http://echo/elsewhere", &[]);
    assert_eq!(with.wrong(&now()), None);
    let services = MANIFESTS.split("---\napiVersion: gateway").next().expect("services before routes");
    mesh.edit(&(apps() + services));
    eventually("without a route all go to its endpoints", || without.wrong(&now()).is_none().then_some(()));
}
