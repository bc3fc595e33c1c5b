//! `weft routes`, typed: every route and policy of a directory with what is true of it.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

const SERVICES: &str = "\
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: shop}
spec: {selector: {app: cart}, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: till, namespace: shop}
spec: {selector: {app: till}, ports: [{name: tcp, port: 9000}]}
";

const GOOD: &str = "\
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: good, namespace: shop}
spec:
  parentRefs: [{group: '', kind: Service, name: cart, port: 80}]
  rules: [{backendRefs: [{name: cart, port: 80}]}]
---
apiVersion: weft.dev/v1alpha1
kind: TrafficPolicy
metadata: {name: good, namespace: shop}
spec: {targetRefs: [{kind: Service, name: cart}], timeouts: {request: 1s}}
---
apiVersion: weft.dev/v1alpha1
kind: AuthorizationPolicy
metadata: {name: callers, namespace: shop}
spec: {selector: {matchLabels: {app: cart}}, rules: [{from: [{source: {serviceAccounts: [web]}}]}]}
";

const BAD: &str = "\
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: nobody, namespace: shop}
spec:
  parentRefs: [{group: '', kind: Service, name: nobody}]
  rules: [{backendRefs: [{name: gone, port: 80}, {name: cart, port: 80}]}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: half, namespace: shop}
spec:
  parentRefs: [{group: '', kind: Service, name: cart}]
  rules:
  - backendRefs: [{name: cart, port: 80}]
  - matches: [{path: {type: RegularExpression, value: '('}}]
    backendRefs: [{name: cart, port: 80}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: taken, namespace: other}
spec:
  parentRefs: [{group: '', kind: Service, name: cart, namespace: shop}]
  rules: [{backendRefs: [{name: till, namespace: shop, port: 9000}]}]
---
apiVersion: gateway.networking.k8s.io/v1alpha2
kind: TCPRoute
metadata: {name: wrong-port, namespace: shop}
spec:
  parentRefs: [{group: '', kind: Service, name: cart, sectionName: http}]
  rules: [{backendRefs: [{name: till, port: 9000}]}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: ingress, namespace: shop}
spec:
  parentRefs: [{name: gateway}]
  rules: [{backendRefs: [{name: cart, port: 80}]}]
---
apiVersion: weft.dev/v1alpha1
kind: TrafficPolicy
metadata: {name: lost, namespace: shop}
spec: {targetRefs: [{kind: Service, name: nobody}], timeouts: {request: 1s}}
---
apiVersion: weft.dev/v1alpha1
kind: TrafficPolicy
metadata: {name: odd, namespace: shop}
spec: {targetRefs: [{kind: Service, name: till}], timeouts: {request: soon}}
---
apiVersion: weft.dev/v1alpha1
kind: AuthorizationPolicy
metadata: {name: lost, namespace: shop}
spec: {targetRefs: [{kind: Service, name: nobody}], rules: [{}]}
---
apiVersion: weft.dev/v1alpha1
kind: AuthorizationPolicy
metadata: {name: half, namespace: shop}
spec: {rules: [{}, {form: [{source: {principals: [a]}}]}]}
---
apiVersion: weft.dev/v1alpha1
kind: PeerAuthentication
metadata: {name: odd, namespace: shop}
spec: {mtls: {mode: strict}}
";

fn routes(folder: &Path, flags: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_weft")).arg("routes").arg(folder).args(flags).output().expect("weft")
}

/// A directory of these files, and what is told about it, with the exit code.
fn told(files: &[(&str, &str)], flags: &[&str]) -> (String, String, Option<i32>) {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        fs::write(folder.path().join(name), text).expect("a manifest");
    }
    let Output { status, stdout, stderr } = routes(folder.path(), flags);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (text(stdout), text(stderr), status.code())
}

/// Rows as their cells.
fn rows(table: &str) -> Vec<Vec<String>> {
    let cells = |row: &str| row.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).map(str::to_owned).collect();
    table.lines().map(cells).collect()
}

#[test]
fn what_is_well_is_accepted_and_resolved() {
    let (shown, problems, code) = told(&[("a.yaml", SERVICES), ("b.yaml", GOOD)], &[]);
    assert_eq!((problems.as_str(), code), ("", Some(0)), "{shown}");
    let expected = [
        vec!["OBJECT", "ATTACHED TO", "CONDITION", "STATUS", "REASON", "MESSAGE"],
        vec!["HTTPRoute shop/good", "Service shop/cart, port 80", "Accepted", "True", "Accepted"],
        vec!["HTTPRoute shop/good", "Service shop/cart, port 80", "ResolvedRefs", "True", "ResolvedRefs"],
        vec!["TrafficPolicy shop/good", "Service shop/cart", "Accepted", "True", "Accepted"],
        vec!["AuthorizationPolicy shop/callers", "Namespace shop", "Accepted", "True", "Accepted"],
    ];
    assert_eq!(rows(&shown), expected, "{shown}");
}

#[test]
fn every_bad_route_and_policy_is_told_why_and_the_good_stay_good() {
    let (shown, problems, code) = told(&[("a.yaml", SERVICES), ("b.yaml", GOOD), ("c.yaml", BAD)], &["-o", "json"]);
    assert_eq!((problems.as_str(), code), ("", Some(1)), "{shown}");
    let shown: serde_json::Value = serde_json::from_str(&shown).expect("JSON");
    let conditions = |list: &str, places: &str, name: &str| -> Vec<String> {
        let objects = shown[list].as_array().expect("a list");
        let object = objects.iter().find(|object| object["name"] == name).unwrap_or_else(|| panic!("no {name} in {shown}"));
        let text = |condition: &serde_json::Value, field: &str| condition[field].as_str().expect("a text").to_owned();
        let all =
            object[places].as_array().expect("a list").iter().flat_map(|place| place["conditions"].as_array().expect("a list"));
        all.map(|found| format!("{} {} {}", text(found, "type"), text(found, "status"), text(found, "reason"))).collect()
    };
    let of_route = |name| conditions("routes", "parents", name);
    assert_eq!(of_route("good"), ["Accepted True Accepted", "ResolvedRefs True ResolvedRefs"]);
    assert_eq!(of_route("nobody"), ["Accepted False NoMatchingParent", "ResolvedRefs False BackendNotFound"]);
    let half = ["Accepted True Accepted", "ResolvedRefs True ResolvedRefs", "PartiallyInvalid True UnsupportedValue"];
    assert_eq!(of_route("half"), half);
    assert_eq!(of_route("taken"), ["Accepted True Accepted", "ResolvedRefs False RefNotPermitted"]);
    assert_eq!(of_route("wrong-port"), ["Accepted False UnsupportedValue", "ResolvedRefs True ResolvedRefs"]);
    assert!(of_route("ingress").is_empty());
    let of_policy = |name| conditions("trafficPolicies", "targets", name);
    assert_eq!(of_policy("good"), ["Accepted True Accepted"]);
    assert_eq!(of_policy("lost"), ["Accepted False TargetNotFound"]);
    assert_eq!(of_policy("odd"), ["Accepted False Invalid"]);
    let of_guard = |name| conditions("securityPolicies", "targets", name);
    assert_eq!(of_guard("callers"), ["Accepted True Accepted"]);
    assert_eq!(of_guard("lost"), ["Accepted False TargetNotFound"]);
    let in_part = ["Accepted True Accepted", "PartiallyInvalid True Invalid"];
    assert_eq!((of_guard("half"), of_guard("odd")), (in_part.map(str::to_owned).to_vec(), in_part.map(str::to_owned).to_vec()));
}

#[test]
fn one_namespace_may_be_asked_for() {
    let (shown, _, code) = told(&[("a.yaml", SERVICES), ("c.yaml", BAD)], &["-n", "other"]);
    assert_eq!(code, Some(1));
    let rows = rows(&shown);
    assert_eq!(rows.len(), 3, "{shown}");
    assert!(rows[1..].iter().all(|row| row[0] == "HTTPRoute other/taken"), "{shown}");
    assert_eq!(rows[2].last().expect("a message"), "no ReferenceGrant there is for Service shop/till, port 9000");
}

#[test]
fn what_cannot_be_read_is_told_with_its_file_and_hides_nothing_else() {
    let (shown, problems, code) = told(&[("a.yaml", SERVICES), ("b.yaml", GOOD), ("z.yaml", "kind: [")], &[]);
    assert_eq!(code, Some(2), "{shown}");
    assert!(problems.contains("z.yaml:1"), "{problems}");
    assert_eq!(rows(&shown).len(), 5, "{shown}");
    let gone = routes(Path::new("/nowhere/at/all"), &[]);
    assert_eq!(gone.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&gone.stderr).contains("cannot be read"), "{gone:?}");
    let aimless =
        "apiVersion: weft.dev/v1alpha1\nkind: TrafficPolicy\nmetadata: {name: p}\nspec: {targetRefs: [{kind: Pod, name: a}]}\n";
    let (_, problems, code) = told(&[("a.yaml", aimless)], &[]);
    assert_eq!(code, Some(2), "no condition can tell it: there is no target");
    assert!(problems.contains("a.yaml:4") && problems.contains("`Pod`"), "{problems}");
}
