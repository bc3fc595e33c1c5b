//! Pods of every kind, with a sidecar and without it again.

use serde_json::{Value, json};

use crate::{PROXY_CONTAINER, Settings, inject, inject_manifest, strip, uninject_manifest};

fn settings() -> Settings {
    Settings::default()
}

fn pod(spec: Value) -> Value {
    json!({ "metadata": { "name": "cart", "namespace": "shop" }, "spec": spec })
}

fn app() -> Value {
    json!({ "name": "app", "image": "cart", "ports": [{ "name": "http", "containerPort": 8080 }] })
}

fn names(pod: &Value, list: &str) -> Vec<String> {
    let items = pod["spec"][list].as_array().into_iter().flatten();
    items.map(|item| item["name"].as_str().unwrap().to_owned()).collect()
}

fn variable<'a>(pod: &'a Value, name: &str) -> Option<&'a str> {
    let mut containers = pod["spec"]["initContainers"].as_array()?.iter();
    let proxy = containers.find(|container| container["name"] == PROXY_CONTAINER)?;
    proxy["env"].as_array()?.iter().find(|variable| variable["name"] == name)?["value"].as_str()
}

/// A pod gets a sidecar, the same one when it is asked for again, and is what it was without it.
fn there_and_back(pod: &Value) -> Value {
    let injected = inject(pod, &settings()).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"));
    assert_eq!(inject(&injected, &settings()).as_ref(), Ok(&injected), "a webhook may be called twice");
    assert_eq!(&strip(&injected), pod, "and nothing is left of it");
    injected
}

#[test]
fn the_rules_and_the_proxy_come_before_everything_else() {
    let injected =
        there_and_back(&pod(json!({ "initContainers": [{ "name": "migrate" }], "containers": [app(), { "name": "logs" }] })));
    assert_eq!(names(&injected, "initContainers"), ["weft-init", "weft-proxy", "migrate"]);
    assert_eq!(names(&injected, "containers"), ["app", "logs"]);
    let proxy = &injected["spec"]["initContainers"][1];
    assert_eq!(proxy["restartPolicy"], "Always");
    assert_eq!(proxy["securityContext"]["runAsUser"], 7717);
    assert_eq!(proxy["securityContext"]["capabilities"], json!({ "drop": ["ALL"] }));
    assert_eq!(injected["spec"]["initContainers"][0]["securityContext"]["capabilities"]["add"], json!(["NET_ADMIN", "NET_RAW"]));
}

#[test]
fn the_kubelet_is_answered_by_the_sidecar_and_commands_are_left_alone() {
    let mut container = app();
    container["livenessProbe"] =
        json!({ "httpGet": { "path": "/alive", "port": "http" }, "timeoutSeconds": 3, "periodSeconds": 7 });
    container["readinessProbe"] = json!({ "tcpSocket": { "port": 8080 } });
    container["startupProbe"] = json!({ "exec": { "command": ["true"] } });
    container["lifecycle"] = json!({ "preStop": { "sleep": { "seconds": 1 } } });
    let other = json!({ "name": "other", "livenessProbe": { "grpc": { "port": 9000, "service": "health" } } });
    let injected = there_and_back(&pod(json!({ "containers": [container, other] })));
    let app = &injected["spec"]["containers"][0];
    assert_eq!(app["livenessProbe"]["httpGet"], json!({ "path": "/probe/app/liveness", "port": 17003, "scheme": "HTTP" }));
    assert_eq!(app["livenessProbe"]["periodSeconds"], 7);
    assert_eq!(app["startupProbe"], json!({ "exec": { "command": ["true"] } }));
    let probes: Value = serde_json::from_str(variable(&injected, "WEFT_PROBES").unwrap()).unwrap();
    assert_eq!(probes["/probe/app/liveness"]["httpGet"]["port"], 8080, "a named port is told by number");
    assert_eq!(probes["/probe/app/liveness"]["timeoutSeconds"], 3);
    assert_eq!(probes["/probe/app/readiness"]["tcpSocket"]["port"], 8080);
    assert_eq!(probes["/probe/other/liveness"]["grpc"]["service"], "health");
    assert_eq!(probes.as_object().unwrap().len(), 3);
}

#[test]
fn the_first_question_is_redirected_unless_nothing_is() {
    let of = |annotations: Value| {
        let mut pod = pod(json!({ "containers": [app()] }));
        pod["metadata"]["annotations"] = annotations;
        let injected = there_and_back(&pod);
        let port = injected["spec"]["initContainers"][1]["startupProbe"]["httpGet"]["port"].clone();
        (port, variable(&injected, "WEFT_REDIRECT_CHECK_PORT").map(str::to_owned))
    };
    assert_eq!(of(json!({ "weft.dev/skip-inbound-ports": "80" })), (json!(17004), Some(String::from("17004"))));
    assert_eq!(of(json!({ "weft.dev/skip-inbound-ports": "80-65535" })), (json!(17003), None));
}

#[test]
fn annotations_shape_the_sidecar() {
    let mut asked = pod(json!({ "containers": [app()], "serviceAccountName": "cart", "automountServiceAccountToken": false }));
    asked["metadata"]["annotations"] = json!({
        "weft.dev/skip-outbound-ports": "5432",
        "weft.dev/proxy-memory-limit": "64Mi",
        "weft.dev/proxy-cpu-limit": "1",
    });
    let injected = there_and_back(&asked);
    assert_eq!(injected["spec"]["initContainers"][0]["args"], json!(["init", "--proxy-uid=7717", "--skip-outbound-ports=5432"]));
    let limits = &injected["spec"]["initContainers"][1]["resources"]["limits"];
    assert_eq!(limits, &json!({ "memory": "64Mi", "cpu": "1" }));
    assert_eq!(variable(&injected, "WEFT_SERVICE_ACCOUNT"), Some("cart"));
    assert_eq!(variable(&injected, "WEFT_WORKLOAD"), Some("cart"));
}

#[test]
fn what_cannot_have_a_sidecar_is_told_everything_that_stands_against_it() {
    let app = json!({ "name": "app", "securityContext": { "runAsUser": 7717 }, "ports": [{ "containerPort": 17001 }] });
    let taken = json!({ "name": "weft-proxy" });
    let mut asked = pod(json!({ "hostNetwork": true, "containers": [app, taken], "volumes": [{ "name": "weft-identity" }] }));
    asked["metadata"]["annotations"] = json!({ "weft.dev/proxy-workers": "many" });
    let mistakes = inject(&asked, &settings()).unwrap_err();
    for said in
        ["hostNetwork", "user 7717", "port 17001", "container called weft-proxy", "volume called weft-identity", "proxy-workers"]
    {
        assert!(mistakes.iter().any(|mistake| mistake.contains(said)), "{said}: {mistakes:#?}");
    }
    assert_eq!(mistakes.len(), 6, "{mistakes:#?}");
}

#[test]
fn a_sidecar_follows_what_others_add_to_its_pod() {
    let mut injected = inject(&pod(json!({ "containers": [app()] })), &settings()).unwrap();
    let added = json!({ "name": "other", "livenessProbe": { "tcpSocket": { "port": 9000 } } });
    injected["spec"]["containers"].as_array_mut().unwrap().push(added);
    let again = inject(&injected, &settings()).unwrap();
    assert!(variable(&again, "WEFT_PROBES").unwrap().contains("/probe/other/liveness"));
    assert_eq!(names(&again, "initContainers"), ["weft-init", "weft-proxy"]);
}

const DEPLOYMENT: &str = "\
# A comment that is lost with the document's rewriting.
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  template:
    metadata:
      labels:
        app: web
        version: \"1.0\"
    spec:
      containers:
      - name: app
        image: web
        args: [\"yes\", \"0x10\", \"~\", \"a: b\", \"# no comment\", \"1e3\", \"\"]
";

const OTHERS: &str = "\
---
# Kept as it is, to the byte.
apiVersion: v1
kind:   Service
metadata: {name: web}
---
apiVersion: v1
kind: Pod
metadata: {name: alone, labels: {weft.dev/inject: disabled}}
spec: {containers: [{name: app}]}
";

#[test]
fn manifests_come_out_the_same_each_time_and_go_back() {
    let given = format!("{DEPLOYMENT}{OTHERS}");
    let injected = inject_manifest(&given, &settings()).unwrap();
    assert_eq!(inject_manifest(&injected, &settings()).as_ref(), Ok(&injected));
    assert!(injected.ends_with(OTHERS), "{injected}");
    assert!(injected.contains("name: WEFT_WORKLOAD\n"), "{injected}");
    let back = uninject_manifest(&injected).unwrap();
    let read = |text: &str| serde_saphyr::from_str::<Value>(text.split("---\n").next().unwrap()).unwrap();
    assert_eq!(read(&back), read(DEPLOYMENT));
    assert_eq!(uninject_manifest(&back).as_ref(), Ok(&back));
}

#[test]
fn lists_and_jobs_of_jobs_have_pods_too() {
    let job = json!({ "kind": "CronJob", "metadata": { "name": "report" },
        "spec": { "jobTemplate": { "spec": { "template": { "spec": { "containers": [{ "name": "app" }] } } } } } });
    let list = json!({ "kind": "List", "items": [job] }).to_string();
    let injected = inject_manifest(&list, &settings()).unwrap();
    let read: Value = serde_saphyr::from_str(&injected).unwrap();
    let template = &read["items"][0]["spec"]["jobTemplate"]["spec"]["template"];
    assert_eq!(names(template, "initContainers"), ["weft-init", "weft-proxy"]);
    assert_eq!(variable(template, "WEFT_WORKLOAD"), Some("report"));
}

#[test]
fn every_document_that_is_wrong_is_named_with_its_line() {
    let bad = "kind: Pod\nmetadata: {name: a}\nspec: {hostNetwork: true}\n---\nkind: [\n---\n\
        kind: Pod\nmetadata: {name: b, labels: {weft.dev/inject: maybe}}\nspec: {}\n";
    let wrong = inject_manifest(bad, &settings()).unwrap_err();
    let lines: Vec<usize> = wrong.iter().map(|error| error.line).collect();
    assert_eq!(lines, [1, 4, 6], "{wrong:#?}");
    assert_eq!(wrong[2].what, "Pod b");
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    /// Anything that may stand in a manifest.
    fn anything() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[ -~]{0,12}".prop_map(Value::from),
            "(true|no|~|null|0x1f|1_000|1e5|\\.inf|2026-11-29|- a|a: b|#c|\n\n  x\n|  )".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::hash_map("[a-z]{1,6}", inner, 0..4).prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_pod_makes_it_panic_and_what_is_written_is_what_was_read(extra in anything()) {
            let mut asked = pod(json!({ "containers": [app()], "extra": extra }));
            asked["kind"] = json!("Pod");
            let injected = inject_manifest(&asked.to_string(), &settings()).unwrap();
            let back: Value = serde_saphyr::from_str(&uninject_manifest(&injected).unwrap()).unwrap();
            prop_assert_eq!(back, asked);
        }

        #[test]
        fn no_text_makes_it_panic(text in "[ -~\n]{0,200}") {
            let _ = inject_manifest(&text, &settings());
            let _ = uninject_manifest(&text);
        }

        #[test]
        fn no_shape_of_pod_makes_it_panic(metadata in anything(), spec in anything()) {
            let _ = inject(&json!({ "metadata": metadata, "spec": spec }), &settings());
        }
    }
}
