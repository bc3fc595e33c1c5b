//! Traffic policies of services, through sidecars: who gets the requests, who is put out, and how many may be under way.

use std::{collections::BTreeMap, fmt::Write as _, fs};

use serde_json::{Value, json};
use tests::{Mesh, script, service};

const NAMES: [&str; 3] = ["v1", "v2", "v3"];

/// An app that answers with its name.
fn app(name: &str) -> String {
    let spec = json!({
        "command": ["python3", script("moody.py"), "8080", name],
        "serviceAccountName": name,
        "ports": [{"containerPort": 8080}],
    });
    let metadata = json!({"name": name, "namespace": "shop", "labels": {"group": "echo"}});
    format!("---\n{}\n", json!({"apiVersion": "weft.dev/v1alpha1", "kind": "Workload", "metadata": metadata, "spec": spec}))
}

/// A service before all apps, with a policy of its own.
fn policed(name: &str, policy: &Value) -> String {
    let mut spec = json!({"targetRefs": [{"group": "", "kind": "Service", "name": name}]});
    policy.as_object().expect("sections").iter().for_each(|(section, said)| spec[section] = said.clone());
    let metadata = json!({"name": name, "namespace": "shop"});
    let policy = json!({"apiVersion": "weft.dev/v1alpha1", "kind": "TrafficPolicy", "metadata": metadata, "spec": spec});
    let ports = json!([{"port": 80, "targetPort": 8080, "appProtocol": "http"}]);
    service(name, &json!({"selector": {"group": "echo"}, "ports": ports})) + &format!("---\n{policy}\n")
}

fn mesh(services: &[(&str, Value)], files: &[(&str, &str)]) -> Mesh {
    let apps: String = NAMES.iter().map(|name| app(name)).collect();
    let services: String = services.iter().map(|(name, policy)| policed(name, policy)).collect();
    let mesh = Mesh::up_with(&(apps + &services), files);
    NAMES.iter().for_each(|name| mesh.ready(&format!("{name}-0")));
    mesh
}

/// What curl tells of an answer: its status, who gave it, and why there was none.
const SHOWN: &str = "%{http_code} %header{x-from}%header{weft-reason}\n";

/// How often each answer was given to a shell's `curl`.
fn counted(mesh: &Mesh, script: &str) -> BTreeMap<String, u32> {
    count(&mesh.succeed("client", &["sh", "-c", script]))
}

fn count(said: &str) -> BTreeMap<String, u32> {
    let mut counts = BTreeMap::new();
    said.lines().for_each(|line| *counts.entry(line.trim().to_owned()).or_default() += 1);
    counts
}

fn curl(arguments: &str) -> String {
    format!("curl -s -m 30 -o /dev/null -w '{SHOWN}' {arguments}")
}

#[test]
fn each_balancer_shares_as_its_name_says() {
    let balancer = |kind: &str| json!({"balancer": {"type": kind}});
    let mesh = mesh(
        &[
            ("round-robin", balancer("RoundRobin")),
            ("random", balancer("Random")),
            ("least-request", balancer("LeastRequest")),
            ("peak-ewma", balancer("PeakEwma")),
        ],
        &[],
    );
    // Peak-EWMA owes nobody a part: whoever was slow at first is asked less for a while.
    for (name, least) in [("round-robin", 100), ("random", 60), ("least-request", 60), ("peak-ewma", 1)] {
        let counts = counted(&mesh, &curl(&format!("'http://{name}/?[1-300]'")));
        let fair = NAMES.iter().all(|from| counts.get(&format!("200 {from}")).is_some_and(|count| *count >= least));
        assert!(fair && counts.len() == 3, "{name}: {counts:?}");
    }
}

#[test]
fn what_has_a_key_stays_with_its_endpoint() {
    let by = |kind: &str, on: Value| json!({"balancer": {"type": kind, "hashOn": [on]}});
    // 60 users, each of whom asks both services twice.
    let mut asked = String::new();
    for (user, service) in (0..60).flat_map(|user| [(user, "ring"), (user, "maglev"), (user, "ring"), (user, "maglev")]) {
        let shown = "%{http_code} %header{x-from}\\n";
        let _ = write!(
            asked,
            "url = \"http://{service}/\"\nheader = \"x-user: {user}\"\noutput = /dev/null\nwrite-out = \"{service} {user} {shown}\"\nnext\n"
        );
    }
    let mesh = mesh(
        &[
            ("ring", by("RingHash", json!({"header": "x-user"}))),
            ("maglev", by("Maglev", json!({"header": "x-user"}))),
            ("cookie", by("Maglev", json!({"cookie": {"name": "session", "ttl": "1h"}}))),
        ],
        &[("users.curl", asked.trim_end_matches("next\n"))],
    );
    let users = mesh.folder().join("users.curl");
    let counts = counted(&mesh, &format!("curl -s -m 60 -K {}", users.display()));
    assert!(counts.len() == 120 && counts.values().all(|times| *times == 2), "each user stays with one: {counts:?}");
    for (service, from) in ["ring", "maglev"].into_iter().flat_map(|service| NAMES.map(|from| (service, from))) {
        let users = counts.keys().filter(|told| told.starts_with(service) && told.ends_with(from)).count();
        assert!((5..=40).contains(&users), "{service}: {from} has {users} of 60 users");
    }

    let session = "curl -s -m 30 -c /dev/null -D - -o /dev/null 'http://cookie/?[1-20]'";
    let said =
        counted(&mesh, &format!("for client in 1 2 3 4 5 6 7 8 9 10; do {session}; done | grep -i -e x-from -e set-cookie"));
    let cookies: Vec<_> = said.keys().filter(|line| line.to_lowercase().starts_with("set-cookie: session=")).collect();
    assert!(cookies.len() == 10 && cookies.iter().all(|cookie| cookie.ends_with("; Path=/; HttpOnly; Max-Age=3600")), "{said:?}");
    let answers: Vec<_> = said.iter().filter(|(line, _)| line.to_lowercase().starts_with("x-from")).collect();
    assert!(answers.len() > 1, "ten clients are shared: {said:?}");
    assert!(answers.iter().all(|(_, count)| **count % 20 == 0), "and each stays where it began: {said:?}");
}

#[test]
fn an_endpoint_that_fails_is_put_out_and_comes_back() {
    let outliers = json!({"consecutiveFailures": 3, "interval": "1s", "ejection": "2s", "ejectionMax": "2s"});
    let mesh = mesh(&[("cart", json!({"balancer": {"type": "RoundRobin"}, "outliers": outliers}))], &[("fails-v2", "")]);
    let fails = mesh.folder().join("fails-v2");
    let failing = counted(&mesh, &curl("'http://cart/?[1-200]'"));
    let failed = failing.get("500 v2").copied().unwrap_or_default();
    assert!((3..=9).contains(&failed) && !failing.contains_key("200 v2"), "{failing:?}");
    // In one sidecar: it fails, it is put out, it is mended, it comes back.
    let (calls, metrics) = (curl("'http://cart/?[1-30]'"), "curl -s http://127.0.0.1:17003/metrics");
    let script = format!("{calls} > /dev/null; {metrics} | grep weft_ejections; rm {}; sleep 3; {calls}", fails.display());
    let mended = counted(&mesh, &script);
    assert!(mended.contains_key("weft_ejections_total{cause=\"failures\"} 1"), "{mended:?}");
    assert_eq!(NAMES.map(|name| mended.get(&format!("200 {name}")).copied()), [Some(10); 3], "{mended:?}");
    assert!(!fs::exists(&fails).expect("the folder"));
}

#[test]
fn limits_refuse_what_overflows_and_let_some_of_it_wait() {
    let mesh = mesh(
        &[
            ("narrow", json!({"limits": {"requests": 2}})),
            ("queueing", json!({"limits": {"requests": 2, "queue": {"length": 2, "time": "5s"}}})),
            ("impatient", json!({"limits": {"requests": 2, "queue": {"length": 9, "time": "100ms"}}})),
        ],
        &[],
    );
    for (name, answered) in [("narrow", 2), ("queueing", 4), ("impatient", 2)] {
        let all_at_once = format!("-Z --parallel-immediate --parallel-max 6 'http://{name}/slow?[1-6]'");
        // What is open already need not be found out first.
        let counts = counted(&mesh, &format!("{} > /dev/null; {}", curl(&format!("http://{name}/")), curl(&all_at_once)));
        let answers: u32 = counts.iter().filter(|(told, _)| told.starts_with("200 ")).map(|(_, count)| count).sum();
        assert_eq!((answers, counts.get("503 overflow").copied()), (answered, Some(6 - answered)), "{name}: {counts:?}");
    }
    let after = counted(&mesh, &format!("{}; {}", curl("'http://narrow/slow?[1-2]'"), curl("http://narrow/")));
    assert_eq!(after.values().sum::<u32>(), 3);
    assert!(after.keys().all(|told| told.starts_with("200 ")), "one after the other fits: {after:?}");
}
