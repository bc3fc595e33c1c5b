//! What the Gateway API has for meshes, and which tests show it: `docs/operating/conformance.md` says the same, line by line.
//!
//! Source of the names: `pkg/features` of kubernetes-sigs/gateway-api, release 1.5. What has no name there has its proposal's.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use crate::{callers, case::Case, connections, grpc, http};

/// The tables of cases, and what is called by whom.
const TABLES: [(&str, &[Case]); 4] =
    [("callers", &callers::CASES), ("http", &http::CASES), ("grpc", &grpc::CASES), ("connections", &connections::CASES)];

/// How much a feature binds: what everybody must have, what is optional, and what may change.
#[derive(Clone, Copy, Debug)]
enum Level {
    Core,
    Extended,
    Experimental,
}

/// A feature, and tests that show it beside cases: by their file below `tests/tests` and their name.
type Feature = (&'static str, Level, &'static [&'static str]);

const COPIES: &str = "conformance/http::copies_go_to_every_mirror_and_to_as_many_as_are_wanted";

const FEATURES: [Feature; 43] = [
    ("Mesh", Level::Core, &[]),
    ("MeshClusterIPMatching", Level::Extended, &[]),
    ("MeshConsumerRoute", Level::Extended, &[]),
    ("MeshHTTPRouteBackendRequestHeaderModification", Level::Extended, &[]),
    ("MeshHTTPRouteNamedRouteRule", Level::Extended, &[]),
    ("MeshHTTPRouteQueryParamMatching", Level::Extended, &[]),
    ("MeshHTTPRouteRedirectPath", Level::Extended, &[]),
    ("MeshHTTPRouteRedirectPort", Level::Extended, &[]),
    ("MeshHTTPRouteRewritePath", Level::Extended, &[]),
    ("MeshHTTPRouteSchemeRedirect", Level::Extended, &[]),
    (
        "HTTPRoute",
        Level::Core,
        &[
            "conformance/http::shares_are_what_weights_say_and_an_invalid_backend_answers_its_own",
            "conformance/http::a_route_is_followed_as_it_is_edited",
        ],
    ),
    ("HTTPRoute303RedirectStatusCode", Level::Extended, &[]),
    ("HTTPRoute307RedirectStatusCode", Level::Extended, &[]),
    ("HTTPRoute308RedirectStatusCode", Level::Extended, &[]),
    ("HTTPRouteBackendProtocolH2C", Level::Extended, &[]),
    ("HTTPRouteBackendProtocolWebSocket", Level::Extended, &["conformance/http::a_websocket_goes_where_its_route_says"]),
    ("HTTPRouteBackendRequestHeaderModification", Level::Extended, &[]),
    ("HTTPRouteBackendTimeout", Level::Extended, &[]),
    ("HTTPRouteCORS", Level::Experimental, &["traffic::browsers_are_told_which_pages_may_ask"]),
    ("HTTPRouteDestinationPortMatching", Level::Experimental, &[]),
    ("HTTPRouteHostRewrite", Level::Extended, &[]),
    ("HTTPRouteMethodMatching", Level::Extended, &[]),
    ("HTTPRouteNamedRouteRule", Level::Extended, &[]),
    ("HTTPRouteParentRefPort", Level::Extended, &[]),
    ("HTTPRoutePathRedirect", Level::Extended, &[]),
    ("HTTPRoutePathRewrite", Level::Extended, &[]),
    ("HTTPRoutePortRedirect", Level::Extended, &[]),
    ("HTTPRouteQueryParamMatching", Level::Extended, &[]),
    ("HTTPRouteRequestMirror", Level::Extended, &[COPIES, "resilience::whatever_becomes_of_a_copy_the_original_does_not_notice"]),
    ("HTTPRouteRequestMultipleMirrors", Level::Extended, &[COPIES]),
    ("HTTPRouteRequestPercentageMirror", Level::Extended, &[COPIES]),
    ("HTTPRouteRequestTimeout", Level::Extended, &[]),
    ("HTTPRouteResponseHeaderModification", Level::Extended, &[]),
    ("HTTPRouteSchemeRedirect", Level::Extended, &[]),
    (
        "GRPCRoute",
        Level::Core,
        &[
            "conformance/grpc::shares_are_what_weights_say_and_an_invalid_backend_answers_unavailable",
            "conformance/grpc::beside_a_grpc_route_an_http_route_counts_for_nothing",
        ],
    ),
    ("GRPCRouteNamedRouteRule", Level::Extended, &[]),
    ("TLSRoute", Level::Core, &[]),
    (
        "TCPRoute",
        Level::Experimental,
        &[
            "conformance/connections::connections_are_shared_as_weights_say",
            "conformance/connections::the_share_of_an_invalid_backend_is_broken_off",
            "conformance/connections::a_tcp_route_leaves_a_port_of_http_alone",
        ],
    ),
    ("ReferenceGrant", Level::Core, &[]),
    ("GEP-1619, session persistence by cookie", Level::Experimental, &["sessions::a_client_stays_with_its_endpoint_by_a_cookie"]),
    ("GEP-1619, session persistence by header", Level::Experimental, &["sessions::a_client_stays_with_its_endpoint_by_a_header"]),
    ("GEP-1731, retries", Level::Experimental, &["resilience::a_request_is_tried_again_as_its_route_says_and_no_more"]),
    ("GEP-3388, retry budgets", Level::Experimental, &["resilience::where_everybody_fails_no_more_than_a_fifth_is_tried_again"]),
];

/// What is not done, and why.
const MISSING: [(&str, Level, &str); 2] = [
    ("UDPRoute", Level::Experimental, "the mesh carries TCP"),
    ("BackendTLSPolicy", Level::Extended, "pods of the mesh prove who they are by mesh TLS; an app's own TLS is left to it"),
];

/// Names of tables, and how many cases each has, by the features that they show.
fn shown() -> BTreeMap<&'static str, BTreeMap<&'static str, usize>> {
    let mut shown: BTreeMap<_, BTreeMap<_, usize>> = BTreeMap::new();
    for (table, cases) in TABLES {
        for feature in cases.iter().flat_map(Case::features) {
            *shown.entry(feature).or_default().entry(table).or_default() += 1;
        }
    }
    shown
}

/// The lines of the page.
fn lines() -> Vec<String> {
    let shown = shown();
    let done = FEATURES.iter().map(|(name, level, tests)| {
        let cases = shown.get(name).into_iter().flatten();
        let cases =
            cases.map(|(table, count)| format!("`conformance/{table}`: {count} {}", if *count == 1 { "case" } else { "cases" }));
        let by: Vec<String> = cases.chain(tests.iter().map(|test| format!("`{test}`"))).collect();
        format!("| {name} | {level:?} | yes | {} |", by.join("; "))
    });
    done.chain(MISSING.iter().map(|(name, level, why)| format!("| {name} | {level:?} | no | {why} |"))).collect()
}

fn read(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn every_feature_that_is_said_to_be_supported_is_shown_by_a_test() {
    let shown = shown();
    let mut names = BTreeSet::new();
    for (name, _, tests) in FEATURES {
        assert!(names.insert(name), "{name} is there twice");
        assert!(shown.contains_key(name) || !tests.is_empty(), "nothing shows {name}");
        for test in tests {
            let (file, function) = test.split_once("::").expect("a file and a test");
            let is_there = read(&format!("tests/tests/{file}.rs")).contains(&format!("#[test]\nfn {function}() {{"));
            assert!(is_there, "{name} is shown by {test}, which is not there");
        }
    }
    let unknown: Vec<_> = shown.keys().filter(|feature| !names.contains(*feature)).collect();
    assert!(unknown.is_empty(), "cases show what is no feature: {unknown:?}");
}

#[test]
fn the_page_says_what_the_tests_show() {
    let page = read("docs/operating/conformance.md");
    let said: Vec<&str> = page.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
    let right = lines();
    assert!(said == right, "docs/operating/conformance.md has to say\n{}", right.join("\n"));
}
