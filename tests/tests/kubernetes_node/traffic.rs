//! Calls between pods.

use serde_json::{Value, json};
use tests::{client, eventually, namespace, ready};

use super::shop::{installed, run, together, web};

const PROBES: &str = "readinessProbe: {httpGet: {path: /, port: http}, periodSeconds: 1}\n        \
    livenessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}";

#[test]
fn a_call_between_two_plain_manifests_is_mutually_authenticated() {
    let _turn = together();
    let Some(cluster) = installed() else { return };
    namespace(cluster, "shop", "enabled");
    cluster.apply(&web("shop", 2, PROBES));
    cluster.apply(&client("shop"));
    ready(cluster, "shop", &["deployment/web", "pod/client"]);
    let names = ["web", "web.shop", "web.shop.svc.cluster.local"];
    for name in names {
        let answer = run(cluster, "shop", &["curl", "-s", "-m", "10", &format!("http://{name}/")]);
        assert!(answer.contains("caller=spiffe://cluster.local/ns/shop/sa/client"), "{name}: {answer}");
    }
    let metrics = eventually("the client's sidecar has counted", || {
        let metrics = run(cluster, "shop", &["curl", "-s", "http://127.0.0.1:17003/metrics"]);
        metrics.contains("spiffe://cluster.local/ns/shop/sa/web").then_some(metrics)
    });
    assert!(metrics.lines().any(|line| line.starts_with("weft_") && line.contains("workload=\"web\"")), "{metrics}");
}

#[test]
fn a_job_ends_although_its_sidecar_does_not() {
    let _turn = together();
    let Some(cluster) = installed() else { return };
    namespace(cluster, "jobs", "enabled");
    cluster.apply(&web("jobs", 1, PROBES));
    ready(cluster, "jobs", &["deployment/web"]);
    cluster.apply(&format!(
        "apiVersion: batch/v1\nkind: Job\nmetadata: {{name: once, namespace: jobs}}\nspec:\n  backoffLimit: 0\n  template:\n    spec:\n      \
         restartPolicy: Never\n      initContainers: [{{name: before, image: {image}, command: [curl, -sf, \"http://web/\"]}}]\n      \
         containers: [{{name: app, image: {image}, command: [curl, -sf, \"http://web/\"]}}]\n",
        image = tests::APPS_IMAGE
    ));
    cluster.kubectl(&["-n", "jobs", "wait", "--for=condition=Complete", "job/once", "--timeout=90s"]);
    let said = cluster.kubectl(&["-n", "jobs", "logs", "job/once", "-c", "app"]);
    assert!(said.contains("caller=spiffe://cluster.local/ns/jobs/sa/default"), "{said}");
}

#[test]
fn whoever_has_no_sidecar_is_served_and_not_believed() {
    let _turn = together();
    let Some(cluster) = installed() else { return };
    namespace(cluster, "inside", "enabled");
    namespace(cluster, "outside", "disabled");
    cluster.apply(&web("inside", 1, PROBES));
    cluster.apply(&client("outside"));
    ready(cluster, "inside", &["deployment/web"]);
    ready(cluster, "outside", &["pod/client"]);
    let curl = ["curl", "-sf", "-m", "10", "-H", "weft-client-id: spiffe://made/up", "http://web.inside/"];
    // The node's rules follow its endpoints a moment later.
    let answer = eventually("the Service answers", || {
        let asked = cluster.run(&[&["-n", "outside", "exec", "client", "-c", "app", "--"], &curl[..]].concat());
        asked.status.success().then(|| String::from_utf8_lossy(&asked.stdout).into_owned())
    });
    assert!(answer.trim_end().ends_with("caller="), "{answer}");
}

#[test]
fn a_dead_app_fails_its_probes_and_is_started_again() {
    let _turn = together();
    let Some(cluster) = installed() else { return };
    namespace(cluster, "dying", "enabled");
    cluster.apply(&web("dying", 1, PROBES));
    ready(cluster, "dying", &["deployment/web"]);
    let restarts = || {
        let path = "jsonpath={.items[0].status.containerStatuses[?(@.name==\"app\")].restartCount}";
        cluster.kubectl(&["-n", "dying", "get", "pods", "-l", "app=web", "-o", path])
    };
    assert_eq!(restarts(), "0");
    cluster.kubectl(&["-n", "dying", "exec", "deployment/web", "-c", "app", "--", "/bin/sh", "-c", "kill -QUIT $(cat /tmp/pid)"]);
    eventually("the kubelet starts it again", || (restarts() != "0").then_some(()));
    ready(cluster, "dying", &["deployment/web"]);
}

#[test]
fn a_pod_whose_calls_are_not_redirected_does_not_start_and_says_why() {
    let _turn = together();
    let Some(cluster) = installed() else { return };
    // A sidecar as it is injected by hand, and no rules.
    namespace(cluster, "bare", "enabled");
    cluster.apply(&client("bare"));
    ready(cluster, "bare", &["pod/client"]);
    let whole = cluster.kubectl(&["-n", "bare", "get", "pod", "client", "-o", "json"]);
    let mut pod: Value = serde_json::from_str(&whole).expect("JSON");
    let containers = pod["spec"]["initContainers"].as_array_mut().expect("ours");
    containers.retain(|container| container["name"] != "weft-init");
    pod["metadata"] = json!({ "name": "bare", "namespace": "bare", "labels": { "weft.dev/inject": "disabled" },
        "annotations": { "weft.dev/meshed": "true" } });
    pod["status"] = json!({});
    pod["spec"]["nodeName"] = Value::Null;
    cluster.apply(&pod.to_string());
    eventually("the kubelet asks in vain", || {
        let events = cluster.kubectl(&["-n", "bare", "get", "events", "--field-selector", "involvedObject.name=bare"]);
        (events.contains("Startup probe failed") && events.contains("17004")).then_some(())
    });
    let why = cluster.kubectl(&["-n", "bare", "get", "--raw", "/api/v1/namespaces/bare/pods/bare:17003/proxy/live"]);
    assert_eq!(why.trim(), "live", "it is not the sidecar that has died");
    eventually("the sidecar says what is missing", || {
        let log = cluster.kubectl(&["-n", "bare", "logs", "bare", "-c", "weft-proxy"]);
        log.contains("nothing has come through the redirect rules yet").then_some(())
    });
}
