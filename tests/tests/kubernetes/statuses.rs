//! What is told about routes is written into their status, by the replica that leads.

use serde_json::{Value, json};
use tests::{Cluster, Control, eventually, free_port};

use super::{namespace, routes};

const OURS: &str = "weft.dev/control";

/// A replica of control that may lead.
fn replica(cluster: &Cluster, name: &str) -> Control {
    let port = free_port().to_string();
    let flags = ["--ca-secret", "weft-ca-told", "--namespace", "told", "--webhook-name", "told"];
    cluster.control(&[&flags[..], &["--webhook-port", &port, "--replica", name]].concat())
}

fn leads(cluster: &Cluster, name: &str) -> Option<()> {
    let found = cluster.run(&["-n", "told", "get", "lease", "weft-control", "-o", "jsonpath={.spec.holderIdentity}"]);
    (String::from_utf8_lossy(&found.stdout) == name).then_some(())
}

/// How many conditions a replica has written.
fn written(control: &Control) -> u64 {
    let series = "weft_control_status_writes_total{outcome=\"written\"} ";
    control.metrics().lines().find_map(|line| line.strip_prefix(series)).expect("the series").parse().expect("a number")
}

fn read(cluster: &Cluster, name: &str) -> Value {
    serde_json::from_str(&cluster.kubectl(&["-n", "told", "get", "httproute", name, "-o", "json"])).expect("JSON")
}

/// Our entries in a route's status.
fn ours(route: &Value) -> Vec<Value> {
    let entries = route["status"]["parents"].as_array().into_iter().flatten();
    entries.filter(|entry| entry["controllerName"] == OURS).cloned().collect()
}

/// Our only entry, as soon as it has these reasons for its conditions, and was written for this generation.
fn told(cluster: &Cluster, name: &str, (generation, reasons): (i64, &[&str])) -> Value {
    eventually(&format!("{name} is told {reasons:?}, generation {generation}"), || {
        let entry = ours(&read(cluster, name)).pop()?;
        let conditions = entry["conditions"].as_array()?;
        let is_so = conditions.iter().map(|condition| &condition["reason"]).eq(reasons);
        let is_of = conditions.iter().all(|condition| condition["observedGeneration"] == generation);
        (is_so && is_of).then_some(entry)
    })
}

fn route(name: &str, parent: &str, backend: &str) -> String {
    format!(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {{name: {name}, namespace: told}}\nspec:\n  \
         parentRefs: [{parent}]\n  rules: [{{backendRefs: [{{name: {backend}, port: 80}}]}}]\n"
    )
}

const WEB: &str = "{group: '', kind: Service, name: web, port: 80}";

#[test]
fn conditions_are_written_where_people_look() {
    let cluster = Cluster::shared();
    namespace(cluster, "told");
    routes::kinds(cluster);
    cluster.apply("apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: told}\nspec: {ports: [{port: 80}]}\n");
    eventually("the API server knows the kinds", || cluster.run(&["get", "httproutes"]).status.success().then_some(()));
    let leader = replica(cluster, "one");
    eventually("it leads", || leads(cluster, "one"));
    let other = replica(cluster, "two");

    cluster.apply(&route("web", WEB, "nobody"));
    let first = told(cluster, "web", (1, &["Accepted", "BackendNotFound"]));
    let parent = json!({ "group": "", "kind": "Service", "namespace": "told", "name": "web", "port": 80 });
    assert_eq!(first["parentRef"], parent);
    let statuses = |entry: &Value| [&entry["conditions"][0]["status"], &entry["conditions"][1]["status"]].map(Value::clone);
    assert_eq!(statuses(&first), ["True", "False"]);
    assert_eq!(first["conditions"][1]["message"], "there is no Service told/nobody, port 80");

    // Another controller has its say, and somebody edits nothing that counts.
    let entry = json!({ "parentRef": { "name": "gateway" }, "controllerName": "example.com/gateway", "conditions": [] });
    let add = json!([{ "op": "add", "path": "/status/parents/0", "value": entry }]).to_string();
    cluster.kubectl(&["-n", "told", "patch", "httproute", "web", "--subresource=status", "--type=json", "--patch", &add]);
    cluster.kubectl(&["-n", "told", "annotate", "httproute", "web", "note=it"]);
    let before = read(cluster, "web");
    // Whoever writes this has looked at the other.
    cluster.apply(&route("later", WEB, "web"));
    told(cluster, "later", (1, &["Accepted", "ResolvedRefs"]));
    assert_eq!(read(cluster, "web"), before, "nothing is written where nothing is new");

    // An edit is told of, and what was so before goes on being so.
    cluster.apply(&route("web", WEB, "web"));
    let edited = told(cluster, "web", (2, &["Accepted", "ResolvedRefs"]));
    assert_eq!(statuses(&edited), ["True", "True"]);
    assert_eq!(edited["conditions"][0]["lastTransitionTime"], first["conditions"][0]["lastTransitionTime"]);
    assert_eq!(read(cluster, "web")["status"]["parents"][0], entry);

    // What is not ours any more we leave to others.
    cluster.apply(&route("web", "{name: gateway}", "web"));
    eventually("our entry has gone", || ours(&read(cluster, "web")).is_empty().then_some(()));
    assert_eq!(read(cluster, "web")["status"]["parents"], json!([entry]));

    assert_eq!(written(&other), 0, "one replica is enough");
    leader.stop();
    eventually("the other leads", || leads(cluster, "two"));
    // Leaders of other namespaces may be faster, now and then.
    let mut edits = 0;
    eventually("it writes", || {
        edits += 1;
        cluster.apply(&route("later", WEB, &format!("nobody-{edits}")));
        told(cluster, "later", (1 + edits, &["Accepted", "BackendNotFound"]));
        (written(&other) > 0).then_some(())
    });
}
