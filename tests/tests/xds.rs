//! Clients of others that follow xDS themselves, without a sidecar: gRPC's own, and Envoy.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
};

use serde_json::json;
use tests::{App, ECHO_FILE, Mesh, Running, echo_as, eventually, manifests, program, python, script, service};

/// Who answered, and how often; what failed.
#[derive(Debug, Default)]
struct Told {
    plain: BTreeMap<String, u64>,
    trial: BTreeMap<String, u64>,
    failed: BTreeMap<String, u64>,
}

impl Told {
    /// What `lines` of the client say together.
    fn of<'a>(lines: impl IntoIterator<Item = &'a str>) -> Self {
        let mut told = Self::default();
        for line in lines {
            let line: BTreeMap<String, BTreeMap<String, u64>> = serde_json::from_str(line).expect("a line of the client");
            for (into, word) in [(&mut told.plain, "plain"), (&mut told.trial, "trial"), (&mut told.failed, "failed")] {
                line[word].iter().for_each(|(name, count)| *into.entry(name.clone()).or_default() += count);
            }
        }
        told
    }

    /// Everybody who answered.
    fn who(&self) -> BTreeSet<&str> {
        self.plain.keys().chain(self.trial.keys()).map(String::as_str).collect()
    }
}

fn grpc_server(name: &str) -> App {
    App::new(name, 50051, &[&python(), &script("xds/server.py"), "50051"])
}

/// Where gRPC's clients run.
fn client() -> App {
    App::new("client", 1, &["sleep", "infinity"]).with_agent().workload("ports", json!([]))
}

/// gRPC's own client in the pod of [`client`], with the bootstrap that `weft xds-bootstrap` prints.
fn calls(mesh: &Mesh, target: &str, seconds: u32) -> Command {
    let printed = program("weft").args(["xds-bootstrap", "--pod", "client-0", "--namespace", "shop"]).output().expect("weft");
    let bootstrap = String::from_utf8(printed.stdout).expect("text");
    let variable = format!("GRPC_XDS_BOOTSTRAP_CONFIG={bootstrap}");
    mesh.inside("client-0", &["env", &variable, &python(), &script("xds/client.py"), target, &seconds.to_string()])
}

fn told(mesh: &Mesh, target: &str, seconds: u32) -> Told {
    let output = calls(mesh, target, seconds).output().expect("nsenter");
    Told::of(mesh.told(&["client.py"], &output).lines())
}

#[test]
fn grpc_balances_over_endpoints_and_follows_them_without_a_failure() {
    let mesh = Mesh::up(&manifests([&grpc_server("echo").workload("replicas", json!(3)), &client()]));
    ["echo-0", "echo-1", "echo-2", "client-0"].iter().for_each(|pod| mesh.ready(pod));
    for target in ["xds:///echo.shop:50051", "xds:///echo.shop.svc:50051", "xds:///echo.shop.svc.cluster.local:50051"] {
        let told = told(&mesh, target, 2);
        let counts: Vec<u64> = told.plain.values().copied().collect();
        assert!(told.failed.is_empty() && counts.len() == 3, "{target}: {told:?}");
        assert!(counts.iter().max() <= counts.iter().min().map(|least| least * 2).as_ref(), "{target}: {told:?}");
    }
    // Each is replaced by another, one after the other.
    let mut running = Running::start(calls(&mesh, "xds:///echo.shop:50051", 15));
    let renamed = json!([{"name": "NAME", "value": "another"}]);
    mesh.edit(&manifests([&grpc_server("echo").workload("replicas", json!(3)).workload("env", renamed), &client()]));
    ["echo-0", "echo-1", "echo-2"].iter().for_each(|pod| mesh.says(&format!("shop/{pod} is gone")));
    let said = mesh.told(&["client.py"], &running.output());
    let (all, last) = (Told::of(said.lines()), Told::of(said.lines().last()));
    assert!(all.failed.is_empty() && all.who().len() == 4, "{said}");
    assert!(last.who() == ["another"].into(), "{said}");
    assert!(!mesh.log().contains("cannot use what it was sent"), "{}", mesh.log());
}

#[test]
fn grpc_goes_on_following_when_the_agents_certificate_is_renewed() {
    let one = grpc_server("echo");
    let mesh = Mesh::up_in(&manifests([&one, &client()]), &[], &[("WEFT_LEAF_LIFETIME_SECONDS", "10"), ("WEFT_LOG", "info")]);
    ["echo-0", "client-0"].iter().for_each(|pod| mesh.ready(pod));
    let mut running = Running::start(calls(&mesh, "xds:///echo.shop:50051", 20));
    // The first connection of the agent has ended with its certificate, and another takes its place.
    eventually("the agent's certificate is renewed", || {
        let log = mesh.log();
        let of_agent =
            log.lines().filter(|line| line.starts_with("shop/client-0 agent") && line.contains("certificate in force"));
        (of_agent.count() >= 2).then_some(())
    });
    mesh.edit(&manifests([&one.workload("replicas", json!(2)), &client()]));
    let said = mesh.told(&["client.py"], &running.output());
    let (all, last) = (Told::of(said.lines()), Told::of(said.lines().last()));
    assert!(all.failed.is_empty() && last.who() == ["echo-0", "echo-1"].into(), "{said}");
}

/// What a policy says of the service `echo`.
fn policy(said: &str) -> String {
    format!(
        "---\napiVersion: weft.dev/v1alpha1\nkind: TrafficPolicy\nmetadata: {{name: echo, namespace: shop}}\nspec:\n  \
         targetRefs: [{{group: '', kind: Service, name: echo}}]\n  {said}\n"
    )
}

#[test]
fn grpc_stays_with_an_endpoint_by_a_header_where_a_policy_says_so() {
    let three = manifests([&grpc_server("echo").workload("replicas", json!(3)), &client()]);
    let mesh = Mesh::up(&(three + &policy("balancer: {type: RingHash, hashOn: [{header: x-trial}]}")));
    ["echo-0", "echo-1", "echo-2", "client-0"].iter().for_each(|pod| mesh.ready(pod));
    let told = told(&mesh, "xds:///echo.shop:50051", 3);
    assert!(told.failed.is_empty(), "{told:?}");
    assert!(told.trial.len() == 1 && told.plain.len() == 3, "those with a header to one, all others to any: {told:?}");
}

const ROUTE: &str = r#"
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: echo, namespace: shop}
spec:
  parentRefs: [{group: "", kind: Service, name: echo}]
  rules:
  - matches: [{path: {value: /shop.Echo}, method: POST, headers: [{name: x-trial, value: "yes"}]}]
    timeouts: {request: 10s}
    backendRefs: [TRIAL]
  - matches: [{path: {value: /shop.Echo}}]
    backendRefs: [{name: v1, port: 50051, weight: 9}, {name: v2, port: 50051, weight: 1}]
  - matches: [{path: {value: /else}, queryParams: [{name: a, value: b}]}]
    filters: [{type: RequestRedirect, requestRedirect: {scheme: https}}]
"#;

#[test]
fn grpc_follows_a_route_by_header_and_by_weight() {
    let (v1, v2, client) = (grpc_server("v1"), grpc_server("v2"), client());
    let echo = service("echo", &json!({"selector": {"app": "v1"}, "ports": [{"port": 50051}]}));
    let apps = manifests([&v1, &v2, &client]) + &echo;
    let to = |trial: &str| format!("{apps}{}", ROUTE.replace("TRIAL", trial));
    let mesh = Mesh::up(&apps);
    ["v1-0", "v2-0", "client-0"].iter().for_each(|pod| mesh.ready(pod));
    let before = told(&mesh, "xds:///echo.shop:50051", 1);
    assert!(before.failed.is_empty() && before.who() == ["v1-0"].into(), "{before:?}");

    mesh.edit(&to("{name: v2, port: 50051}"));
    eventually("the route is followed", || told(&mesh, "xds:///echo.shop:50051", 1).plain.contains_key("v2-0").then_some(()));
    let after = told(&mesh, "xds:///echo.shop:50051", 10);
    let all: u64 = after.plain.values().sum();
    let share = after.plain["v2-0"] as f64 / all as f64;
    assert!(all > 500 && (share - 0.1).abs() < 0.05, "{after:?}");
    assert!(after.failed.is_empty() && after.trial.keys().eq(["v2-0"]), "{after:?}");

    mesh.edit(&to("{name: v2, port: 50051}, {name: nobody, port: 50051}"));
    let halved = eventually("half of the calls have nobody", || {
        let told = told(&mesh, "xds:///echo.shop:50051", 2);
        (!told.failed.is_empty()).then_some(told)
    });
    assert!(
        halved.failed.keys().all(|why| why.starts_with("trial UNAVAILABLE")) && halved.trial.contains_key("v2-0"),
        "{halved:?}"
    );
    assert!(!mesh.log().contains("cannot use what it was sent"), "{}", mesh.log());
}

const EDGE_ROUTE: &str = r#"
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: echo, namespace: shop}
spec:
  parentRefs: [{group: "", kind: Service, name: echo}]
  rules:
  - matches: [{path: {value: /two}, headers: [{name: x-trial, value: "yes"}]}]
    timeouts: {request: 10s}
    filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /new}}}]
    backendRefs: [{name: v2, port: 80}]
  - matches: [{path: {value: /shared}}]
    backendRefs: [{name: v1, port: 80, weight: 9}, {name: v2, port: 80, weight: 1}]
  - matches: [{path: {value: /partly}}]
    backendRefs: [{name: v1, port: 80}, {name: nobody, port: 80}]
"#;

/// Where the package has its program.
fn envoy() -> String {
    let find = "import envoy, pathlib; print(pathlib.Path(envoy.__file__).parent / '_bin' / 'envoy')";
    let output = Command::new(python()).args(["-c", find]).output().expect("python");
    String::from_utf8(output.stdout).expect("a path").trim().to_owned()
}

#[test]
fn envoy_takes_clusters_endpoints_routes_and_listeners_and_serves() {
    let echo = |name: &str, replicas: u32| echo_as(name, "$HOSTNAME").workload("replicas", json!(replicas));
    let edge = App::new("edge", 10000, &[&envoy(), "-c", &script("xds/envoy.yaml"), "--concurrency", "1", "-l", "warn"]);
    let edge = edge.with_agent().ports(json!([{"name": "http", "port": 10000}, {"name": "admin", "port": 9901}]));
    let apps = |replicas, affinity: &str| {
        let ports = json!([{"port": 80, "targetPort": 8080}]);
        let parent = service("echo", &json!({"selector": {"app": "v1"}, "ports": ports, "sessionAffinity": affinity}));
        manifests([&echo("v1", replicas), &echo("v2", 1), &edge]) + &parent
    };
    let mesh = Mesh::up_with(&apps(2, "None"), &[ECHO_FILE]);
    ["v1-0", "v1-1", "v2-0", "edge-0"].iter().for_each(|pod| mesh.ready(pod));
    let answers = |path: &str, calls: u32, more: &[&str]| -> BTreeMap<String, u32> {
        let url = format!("http://127.0.0.1:10000{path}?[1-{calls}]");
        let said = mesh.succeed_inside("edge-0", &[&["curl", "-s", "-m", "60", "-w", "%{http_code}\n", &url][..], more].concat());
        let mut counts = BTreeMap::new();
        // Who answered, and the path that was asked for; or the status.
        let words = |line: &str| line.split('?').next().unwrap_or_default().replace(" GET ", " ");
        said.lines()
            .filter(|line| *line != "200" && !line.is_empty())
            .for_each(|line| *counts.entry(words(line)).or_default() += 1);
        counts
    };
    let both = answers("/", 100, &[]);
    assert!(both.keys().eq(["v1-0 /", "v1-1 /"]), "{both:?}");

    mesh.edit(&(apps(3, "None") + EDGE_ROUTE));
    mesh.ready("v1-2");
    eventually("the route is followed", || answers("/", 1, &[]).contains_key("404").then_some(()));
    assert!(answers("/two/a", 20, &["-H", "x-trial: yes"]).keys().eq(["v2-0 /new/a"]));
    eventually("a new endpoint is called", || answers("/shared", 50, &[]).contains_key("v1-2 /shared").then_some(()));
    let shared = answers("/shared", 2000, &[]);
    assert!(shared.len() == 4 && shared["v2-0 /shared"].abs_diff(200) < 60, "{shared:?}");
    let partly = answers("/partly", 1000, &[]);
    assert!(partly["500"].abs_diff(500) < 100, "as sidecars: {partly:?}");

    // Another cluster by that name is put in force without waiting in vain for endpoints that have been told already.
    mesh.edit(&(apps(3, "ClientIP") + EDGE_ROUTE));
    let stats = || -> BTreeMap<String, u64> {
        let url = "http://127.0.0.1:9901/stats?filter=(rejected|update_success|total_listeners_active|init_fetch_timeout|warming_clusters)";
        let told = mesh.succeed_inside("edge-0", &["curl", "-s", url]);
        let stat = |line: &str| Some((line.rsplit_once(": ")?.0.to_owned(), line.rsplit_once(": ")?.1.parse().ok()?));
        told.lines().filter_map(stat).collect()
    };
    let stats = eventually("the changed cluster is in force", || {
        let stats = stats();
        (stats["cluster_manager.cds.update_success"] == 2 && stats["cluster_manager.warming_clusters"] == 0).then_some(stats)
    });
    let unwanted = |name: &str| name.ends_with("update_rejected") || name.ends_with("init_fetch_timeout");
    let unwanted: Vec<_> = stats.iter().filter(|(name, count)| unwanted(name) && **count > 0).collect();
    assert!(unwanted.is_empty(), "{unwanted:?}");
    // Its own, and one for each address and port of the services.
    assert_eq!(stats["listener_manager.total_listeners_active"], 6);
    assert!(!mesh.log().contains("cannot use what it was sent"), "{}", mesh.log());
}
