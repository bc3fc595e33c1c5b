//! GRPCRoute, with gRPC's own client and server.

use std::collections::BTreeMap;

use serde_json::json;
use tests::{App, Mesh, eventually, manifests, python, script, service};

use crate::case::{Case, case};

/// Routes of the service `echo`, whose own endpoints are `v1`'s.
const ROUTES: &str = r#"
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: echo, namespace: shop}
spec:
  parentRefs: [{group: "", kind: Service, name: echo}]
  rules:
  - name: by-service
    matches: [{method: {service: shop.Cart}}]
    backendRefs: [{name: v1, port: 50051}]
  - matches: [{method: {service: shop.Cart, method: Add}}]
    backendRefs: [{name: v2, port: 50051}]
  - matches: [{method: {service: shop.Cart, method: Add}, headers: [{name: x-version, value: one}]}]
    backendRefs: [{name: v1, port: 50051}]
  - matches: [{method: {method: Watch}}]
    backendRefs: [{name: v2, port: 50051}]
  - matches: [{method: {type: RegularExpression, service: "depot[.].*", method: "(Get|Put).*"}}]
    backendRefs: [{name: v2, port: 50051}]
  - matches: [{method: {service: shop.Edited}}]
    filters:
    - {type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: x-added, value: "set"}]}}
    - {type: ResponseHeaderModifier, responseHeaderModifier: {add: [{name: x-more, value: "more"}], remove: [x-unwanted]}}
    backendRefs: [{name: v1, port: 50051}]
  - matches: [{method: {service: shop.Backend}}]
    backendRefs:
    - name: v2
      port: 50051
      filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: x-added, value: by-backend}]}}]
  - matches: [{method: {service: shop.Nobody}}]
    backendRefs: [{name: nobody, port: 50051}]
  - matches: [{method: {service: shop.Shared}}]
    backendRefs: [{name: v1, port: 50051, weight: 9}, {name: v2, port: 50051, weight: 1}]
  - matches: [{method: {service: shop.Partly}}]
    backendRefs: [{name: v1, port: 50051}, {name: nobody, port: 50051}]
  - name: spoilt
    matches: [{method: {service: shop.Spoilt}}]
    backendRefs: [{name: v1, port: 50051}]
  - matches: [{method: {service: shop.Stays}}]
    sessionPersistence: {type: Header, sessionName: x-stay}
    backendRefs: [{name: v1, port: 50051}, {name: v2, port: 50051}]
  - name: retried
    matches: [{method: {service: shop.Retried}}]
    backendRefs: [{name: v1, port: 50051}]
  - matches: [{method: {service: shop.Once}}]
    backendRefs: [{name: v2, port: 50051}]
"#;

const POLICY: &str = r#"
---
apiVersion: weft.dev/v1alpha1
kind: TrafficPolicy
metadata: {name: spoilt, namespace: shop}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: GRPCRoute, name: echo, sectionName: spoilt}]
  faults: {abort: {grpc: data-loss}}
"#;

const RETRIED: &str = r#"
---
apiVersion: weft.dev/v1alpha1
kind: TrafficPolicy
metadata: {name: retried, namespace: shop}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: GRPCRoute, name: echo, sectionName: retried}]
  retries: {attempts: 1, grpc: [unavailable], backoff: {base: 1ms, max: 1ms}}
"#;

/// A call is a path, and a header.
pub const CASES: [Case; 14] = [
    case("Mesh GRPCRoute", "a service", "/shop.Cart/Drop", "v1 /shop.Cart/Drop"),
    case("GRPCRoute", "an exact method", "/shop.Cart/Add", "v2 /shop.Cart/Add"),
    case("GRPCRoute", "a header", "/shop.Cart/Add x-version=one", "v1 /shop.Cart/Add"),
    case("GRPCRoute", "another value", "/shop.Cart/Add x-version=two", "v2 /shop.Cart/Add"),
    case("GRPCRoute", "a service is all of a name", "/shop.Cartoon/Add", "UNIMPLEMENTED no_route"),
    case("GRPCRoute", "a method of any service", "/any.Thing/Watch", "v2 /any.Thing/Watch"),
    case("GRPCRoute", "a service counts more than a method", "/shop.Cart/Watch", "v1 /shop.Cart/Watch"),
    case("GRPCRoute", "regular expressions", "/depot.Stock/GetAll", "v2 /depot.Stock/GetAll"),
    case("GRPCRoute", "which are for all of a method", "/depot.Stock/Forget", "UNIMPLEMENTED no_route"),
    case("GRPCRoute", "header modifiers", "/shop.Edited/Do", "v1 /shop.Edited/Do added=set headers=x-more"),
    case("GRPCRoute", "of a backend", "/shop.Backend/Do", "v2 /shop.Backend/Do added=by-backend headers=x-unwanted"),
    case("GRPCRoute", "what no rule is for", "/nobodys.Business/Do", "UNIMPLEMENTED no_route"),
    case("GRPCRoute", "a backend that cannot be found", "/shop.Nobody/Do", "UNAVAILABLE no_backend"),
    case("GRPCRouteNamedRouteRule", "a policy names it", "/shop.Spoilt/Do", "DATA_LOSS fault"),
];

fn echo(name: &str) -> App {
    App::new(name, 50051, &[&python(), &script("grpc_echo_server.py"), "50051", name])
}

fn apps() -> String {
    let service = service("echo", &json!({"selector": {"app": "v1"}, "ports": [{"port": 50051}]}));
    manifests([&echo("v1"), &echo("v2")]) + &service
}

fn told(mesh: &Mesh, calls: &[&str]) -> Vec<String> {
    let (python, script) = (python(), script("grpc_echo_client.py"));
    let told = mesh.succeed("client", &[&[python.as_str(), &script, "echo:50051"][..], calls].concat());
    told.lines().map(str::to_owned).collect()
}

fn mesh(routes: &str) -> Mesh {
    let mesh = Mesh::up(&(apps() + routes));
    mesh.ready("v1-0");
    mesh.ready("v2-0");
    mesh
}

#[test]
fn calls_go_where_rules_say_and_become_what_filters_say() {
    let mesh = mesh(&[ROUTES, POLICY].concat());
    let answers = told(&mesh, &CASES.map(|case| case.call));
    let wrong: Vec<String> = CASES.iter().zip(&answers).filter_map(|(case, answer)| case.wrong(answer)).collect();
    assert!(answers.len() == CASES.len() && wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn shares_are_what_weights_say_and_an_invalid_backend_answers_unavailable() {
    let mesh = mesh(ROUTES);
    let counted = told(&mesh, &["/shop.Shared/Do *2000", "/shop.Partly/Do *600"]);
    let counts = |line: &str| -> BTreeMap<String, u32> {
        let pairs = line.split(' ').filter_map(|pair| pair.split_once('='));
        pairs.map(|(who, count)| (who.to_owned(), count.parse().expect("a number"))).collect()
    };
    let (shared, partly) = (counts(&counted[0]), counts(&counted[1]));
    assert!(shared["v2"].abs_diff(200) < 60 && shared.len() == 2, "{shared:?}");
    assert!(partly["UNAVAILABLE"].abs_diff(300) < 80 && partly.len() == 2, "{partly:?}");
}

#[test]
fn a_client_stays_with_its_endpoint_by_a_header() {
    let counted = told(&mesh(ROUTES), &["/shop.Stays/Do *60", "/shop.Stays/Do ~x-stay"]);
    assert_eq!(counted[0].split(' ').count(), 2, "who tells no session is balanced: {counted:?}");
    assert!(["v1=20", "v2=20"].contains(&counted[1].as_str()), "{counted:?}");
}

#[test]
fn a_call_is_tried_again_by_the_status_that_a_policy_names() {
    let counted = told(&mesh(&[ROUTES, RETRIED].concat()), &["/shop.Retried/Moody *10", "/shop.Once/Moody *10"]);
    assert_eq!(counted, ["v1=10", "UNAVAILABLE=5 v2=5"]);
}

/// Source: "Route types" of GEP-1294.
#[test]
fn beside_a_grpc_route_an_http_route_counts_for_nothing() {
    let http = ROUTES.replace("GRPCRoute", "HTTPRoute").split("  rules:").next().expect("a beginning").to_owned()
        + "  rules: [{backendRefs: [{name: v2, port: 50051}]}]\n";
    let mesh = mesh(&(http.clone() + ROUTES));
    assert!(told(&mesh, &["/shop.Cart/Drop"])[0].starts_with("v1 /shop.Cart/Drop"));
    mesh.edit(&(apps() + &http));
    eventually("the HTTPRoute counts alone", || {
        told(&mesh, &["/shop.Cart/Drop"])[0].starts_with("v2 /shop.Cart/Drop").then_some(())
    });
}
