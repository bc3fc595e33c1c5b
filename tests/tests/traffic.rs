//! What traffic policies say, and filters of routes that concern browsers, through sidecars.

use std::{collections::BTreeMap, thread, time::Duration};

use tests::{ECHO_FILE, Mesh, echo, manifests};

/// A route of the service `echo`, by whose rule `slow` policies of single rules are tried.
const ROUTE: &str = r#"
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: echo, namespace: shop}
spec:
  parentRefs: [{group: "", kind: Service, name: echo}]
  rules:
  - name: slow
    matches: [{path: {value: /slow}}]
    backendRefs: [{name: echo, port: 80}]
  - name: open
    matches: [{path: {value: /open}}]
    filters: [{type: CORS, cors: {allowOrigins: ["*"]}}]
    backendRefs: [{name: echo, port: 80}]
  - matches: [{path: {value: /put}, method: PUT}]
    filters: [{type: CORS, cors: {allowOrigins: ["https://www.shop.example"], allowMethods: [PUT]}}]
    backendRefs: [{name: echo, port: 80}]
  - matches: [{path: {value: /put}}]
    backendRefs: [{name: nobody, port: 80}]
  - name: shared
    matches: [{path: {value: /shared}}]
    filters:
    - type: CORS
      cors: {allowOrigins: ["https://*.shop.example"], allowMethods: [PUT], allowHeaders: [x-a], exposeHeaders: [x-b], allowCredentials: true, maxAge: 60}
    backendRefs: [{name: echo, port: 80}]
  - backendRefs: [{name: echo, port: 80}]
"#;

/// A policy for `target`, as YAML has it in one line.
fn policy(name: &str, target: &str, sections: &str) -> String {
    format!(
        "---\napiVersion: weft.dev/v1alpha1\nkind: TrafficPolicy\nmetadata: {{name: {name}, namespace: shop}}\nspec:\n  \
         targetRefs: [{{{target}}}]\n{sections}"
    )
}

const SERVICE: &str = "kind: Service, name: echo";
const RULE: &str = "group: gateway.networking.k8s.io, kind: HTTPRoute, name: echo, sectionName: slow";
const WHOLE_ROUTE: &str = "group: gateway.networking.k8s.io, kind: HTTPRoute, name: echo";

fn text(policies: &[String]) -> String {
    manifests([&echo("echo")]) + ROUTE + &policies.concat()
}

fn mesh(policies: &[String]) -> Mesh {
    let mesh = Mesh::up_with(&text(policies), &[ECHO_FILE]);
    mesh.ready("echo-0");
    mesh
}

/// So many calls of one client, by what they were answered: the status, and the reason if the mesh answered.
fn counted(mesh: &Mesh, client: &str, path: &str, calls: u32, more: &[&str]) -> BTreeMap<String, u32> {
    let url = format!("http://echo{path}?[1-{calls}]");
    let shown = "%{http_code} %header{weft-reason} %header{retry-after}\n";
    let curl = ["curl", "-s", "-m", "60", "-o", "/dev/null", "-w", shown, &url];
    let said = mesh.succeed(client, &[&curl[..], more].concat());
    let mut counts = BTreeMap::new();
    said.lines().for_each(|line| *counts.entry(line.trim().to_owned()).or_default() += 1);
    counts
}

/// How many were answered by the app.
fn let_through(counts: &BTreeMap<String, u32>) -> u32 {
    counts.get("200").copied().unwrap_or(0)
}

#[test]
fn faults_strike_the_share_that_they_should_and_say_what_they_are() {
    let mesh = mesh(&[
        policy("abort", SERVICE, "  faults: {abort: {status: 503, percent: 20}}\n"),
        policy("delay", RULE, "  faults: {delay: {time: 300ms}}\n"),
    ]);
    let counts = counted(&mesh, "client", "/", 1_000, &[]);
    assert!(counts["503 fault"].abs_diff(200) < 60 && counts.len() == 2, "{counts:?}");
    let times = "http://echo/slow?[1-5]";
    let times =
        mesh.succeed("client", &["curl", "-s", "-m", "60", "-o", "/dev/null", "-w", "%{http_code} %{time_total}\n", times]);
    let times: Vec<(&str, f64)> =
        times.lines().filter_map(|line| line.split_once(' ')).map(|(code, time)| (code, time.parse().expect("a time"))).collect();
    assert!(times.len() == 5 && times.iter().all(|(code, time)| *code == "200" && *time >= 0.3 && *time < 5.0), "{times:?}");
}

#[test]
fn a_client_of_grpc_is_told_a_fault_in_its_own_words() {
    let mesh = mesh(&[policy("abort", SERVICE, "  faults: {abort: {grpc: data-loss}}\n")]);
    let grpc = ["curl", "-s", "-m", "10", "-D", "-", "-H", "content-type: application/grpc", "http://echo/a.B/C"];
    let headers = mesh.succeed("client", &grpc);
    assert!(headers.contains("grpc-status: 15") && headers.starts_with("HTTP/1.1 200"), "{headers}");
    assert_eq!(counted(&mesh, "client", "/", 3, &[])["500 fault"], 3, "others are told what is nearest to it");
}

#[test]
fn a_route_is_asked_no_more_often_than_it_allows_by_each_sidecar() {
    let limited = |more: &str| {
        let route = policy("often", WHOLE_ROUTE, "  rateLimits: [{requests: 10, per: 10m}]\n");
        text(&[route, policy("other", SERVICE, more)])
    };
    let mesh = Mesh::up_with(&limited("  timeouts: {request: 5s}\n"), &[ECHO_FILE]);
    mesh.ready("echo-0");
    for client in ["first", "second"] {
        let counts = counted(&mesh, client, "/", 30, &[]);
        assert_eq!((let_through(&counts), counts["429 rate_limited 60"]), (10, 20), "{counts:?}");
    }
    thread::scope(|scope| {
        // Four seconds of calls, while something else of the route's is changed.
        let counting = scope.spawn(|| counted(&mesh, "third", "/", 40, &["--rate", "10/s"]));
        thread::sleep(Duration::from_secs(2));
        mesh.edit(&limited("  timeouts: {request: 6s}\n"));
        let counts = counting.join().expect("counts");
        assert_eq!(let_through(&counts), 10, "what was taken is not given back by a change: {counts:?}");
    });
}

#[test]
fn a_pod_keeps_count_of_each_of_its_clients_or_of_all_together() {
    let limits = |by: &str| policy("often", SERVICE, &format!("  rateLimits: [{{requests: 5, per: 10m, by: {by}}}]\n"));
    let mesh = mesh(&[limits("Client")]);
    for client in ["first", "second"] {
        let counts = counted(&mesh, client, "/", 20, &[]);
        assert_eq!(let_through(&counts), 5, "{client}: {counts:?}");
        // As another pod of the same account, that is, as the same client.
        assert_eq!(let_through(&counted(&mesh, client, "/", 3, &[])), 0, "{client} again");
    }
    mesh.edit(&text(&[limits("All")]));
    tests::eventually("the new limit is in force", || (let_through(&counted(&mesh, "first", "/", 1, &[])) == 1).then_some(()));
    let both = let_through(&counted(&mesh, "first", "/", 2, &[])) + let_through(&counted(&mesh, "second", "/", 20, &[]));
    assert_eq!(both, 4, "with the one that was let through before");
}

/// The status, and what is told of access control.
fn cors(mesh: &Mesh, path: &str, method: &str, origin: &str) -> (String, Vec<String>) {
    let origin = format!("origin: {origin}");
    let url = format!("http://echo{path}");
    let mut curl = vec!["curl", "-s", "-m", "10", "-o", "/dev/null", "-D", "-", "-X", method, "-H", &origin, &url];
    if method == "OPTIONS" {
        curl.extend(["-H", "access-control-request-method: PUT", "-H", "access-control-request-headers: x-a"]);
    }
    let said = mesh.succeed("client", &curl);
    let status = said.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut told: Vec<String> =
        said.lines().filter_map(|line| line.trim().strip_prefix("access-control-")).map(str::to_owned).collect();
    told.sort();
    (status, told)
}

#[test]
fn pages_that_may_see_the_apps_answers_may_see_the_meshs() {
    let rule = |name: &str| format!("group: gateway.networking.k8s.io, kind: HTTPRoute, name: echo, sectionName: {name}");
    let mesh = mesh(&[
        policy("abort", &rule("shared"), "  faults: {abort: {status: 503}}\n"),
        policy("often", &rule("open"), "  rateLimits: [{requests: 1, per: 10m}]\n"),
    ]);
    let (status, told) = cors(&mesh, "/shared", "PUT", "https://www.shop.example");
    assert!(status == "503" && told.contains(&String::from("allow-origin: https://www.shop.example")), "{status} {told:?}");
    let (status, told) = cors(&mesh, "/shared", "PUT", "https://www.other.example");
    assert_eq!((status.as_str(), told.len()), ("503", 0), "{told:?}");
    let twice =
        ["curl", "-s", "-m", "10", "-o", "/dev/null", "-D", "-", "-H", "origin: https://a.example", "http://echo/open?[1-2]"];
    let said = mesh.succeed("client", &twice);
    let (_, refused) = said.split_once("HTTP/1.1 429").unwrap_or_else(|| panic!("{said}"));
    assert!(refused.contains("access-control-allow-origin: *"), "{said}");
}

#[test]
fn browsers_are_told_which_pages_may_ask() {
    let mesh = mesh(&[]);
    let told = |status: &str, told: &[&str]| (status.to_owned(), told.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>());
    let (ours, theirs) = ("https://www.shop.example", "https://www.other.example");
    let preflight = [
        "allow-credentials: true",
        "allow-headers: x-a",
        "allow-methods: PUT",
        "allow-origin: https://www.shop.example",
        "max-age: 60",
    ];
    assert_eq!(cors(&mesh, "/shared", "OPTIONS", ours), told("204", &preflight));
    assert_eq!(cors(&mesh, "/shared", "OPTIONS", theirs), told("204", &[]));
    let actual = ["allow-credentials: true", "allow-origin: https://www.shop.example", "expose-headers: x-b"];
    assert_eq!(cors(&mesh, "/shared", "PUT", ours), told("200", &actual));
    assert_eq!(cors(&mesh, "/shared", "PUT", theirs), told("200", &[]));
    assert_eq!(cors(&mesh, "/open", "OPTIONS", theirs), told("204", &["allow-origin: *", "max-age: 5"]));
    assert_eq!(cors(&mesh, "/open", "GET", theirs), told("200", &["allow-origin: *"]));
    let by_method = ["allow-methods: PUT", "allow-origin: https://www.shop.example", "max-age: 5"];
    assert_eq!(cors(&mesh, "/put", "OPTIONS", ours), told("204", &by_method), "for the rule whose method is meant");
    assert_eq!(cors(&mesh, "/", "OPTIONS", ours), told("200", &[]), "the app's own to answer");
}
