//! Pods of every kind have sidecars, or are let in without, and it is said why.

use tests::{APPS_IMAGE, Cluster, client, eventually, namespace, ready};

use super::shop::{installed, run, together, web, web_with_names};

/// What becomes of a pod's sidecar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sidecar {
    Added,
    Unwanted,
    /// The namespace asks for it in vain: why.
    Impossible(&'static str),
}

use Sidecar::{Added, Impossible, Unwanted};

/// Whose pods they are, what else their labels say, and their spec.
const KINDS: [(&str, &str, &str, Sidecar); 9] = [
    ("deployment/plain", "", "containers: [{APP}]", Added),
    ("daemonset/everywhere", "", "containers: [{APP}]", Added),
    ("deployment/several", "", "containers: [{APP}, {name: other, image: IMAGE, command: [sleep, '100000']}]", Added),
    ("deployment/tokenless", "", "automountServiceAccountToken: false, containers: [{APP}]", Added),
    ("deployment/unwritable", "", "containers: [{APP, securityContext: {readOnlyRootFilesystem: true}}]", Added),
    (
        "deployment/beside",
        "",
        "initContainers: [{name: theirs, image: IMAGE, restartPolicy: Always, command: [sleep, '100000']}], containers: [{APP}]",
        Added,
    ),
    ("deployment/unwilling", ", weft.dev/inject: disabled", "containers: [{APP}]", Unwanted),
    ("deployment/same-user", "", "securityContext: {runAsUser: 7717}, containers: [{APP}]", Impossible("user 7717")),
    (
        "deployment/host",
        "",
        "hostNetwork: true, dnsPolicy: ClusterFirstWithHostNet, containers: [{APP}]",
        Impossible("hostNetwork"),
    ),
];

/// A container from which others are called.
const APP: &str = "name: app, image: IMAGE, command: [sleep, '100000']";

#[test]
fn pods_of_every_kind_have_sidecars_or_are_let_in_without() {
    let _turn = together();
    let Some(cluster) = installed() else { return };
    namespace(cluster, "kinds", "enabled");
    cluster.apply(&web("kinds", 1, ""));
    for (owner, labels, spec, _) in KINDS {
        let (kind, name) = owner.split_once('/').expect("kind and name");
        let kind = if kind == "daemonset" { "DaemonSet" } else { "Deployment" };
        let spec = spec.replace("APP", APP).replace("IMAGE", APPS_IMAGE);
        cluster.apply(&format!(
            "apiVersion: apps/v1\nkind: {kind}\nmetadata: {{name: {name}, namespace: kinds}}\nspec:\n  \
             selector: {{matchLabels: {{app: {name}}}}}\n  template:\n    metadata: {{labels: {{app: {name}{labels}}}}}\n    spec: {{{spec}}}\n"
        ));
    }
    ready(cluster, "kinds", &["deployment/web"]);
    for (owner, _, _, sidecar) in KINDS {
        ready(cluster, "kinds", &[owner]);
        let command = ["-n", "kinds", "exec", owner, "-c", "app", "--", "curl", "-sS", "-m", "10", "http://web.kinds/"];
        let answer = cluster.kubectl(&command);
        let proved = answer.trim_end().split_once("caller=").map(|(_, caller)| caller);
        let caller = if sidecar == Added { "spiffe://cluster.local/ns/kinds/sa/default" } else { "" };
        assert_eq!(proved, Some(caller), "{owner}: {answer}");
        if let Impossible(why) = sidecar {
            let name = owner.replace("deployment/", "ReplicaSet/");
            eventually(owner, || events(cluster).lines().any(|line| line.starts_with(&name) && line.contains(why)).then_some(()));
        }
    }
}

/// What is said of pods without sidecars, and of whose pods.
fn events(cluster: &Cluster) -> String {
    let lines = "jsonpath={range .items[?(@.reason==\"NoSidecar\")]}{.involvedObject.kind}/{.involvedObject.name} {.message}{\"\\n\"}{end}";
    cluster.kubectl(&["-n", "kinds", "get", "events", "-o", lines])
}

#[test]
fn a_pod_of_a_stateful_set_is_called_by_its_name() {
    let _turn = together();
    let Some(cluster) = installed() else { return };
    namespace(cluster, "named", "enabled");
    cluster.apply(&web_with_names("named", ""));
    cluster.apply(&client("named"));
    ready(cluster, "named", &["statefulset/web", "pod/client"]);
    for name in ["web-0.web", "web-0.web.named.svc.cluster.local", "web"] {
        let answer = run(cluster, "named", &["curl", "-sS", "-m", "10", &format!("http://{name}:8080/")]);
        assert_eq!(answer, "web-0 caller=spiffe://cluster.local/ns/named/sa/client\n", "{name}");
    }
}

#[test]
fn a_job_of_a_cron_job_ends() {
    let _turn = together();
    let Some(cluster) = installed() else { return };
    namespace(cluster, "due", "enabled");
    cluster.apply(&web("due", 1, ""));
    ready(cluster, "due", &["deployment/web"]);
    cluster.apply(&format!(
        "apiVersion: batch/v1\nkind: CronJob\nmetadata: {{name: report, namespace: due}}\nspec:\n  schedule: 0 0 1 1 *\n  jobTemplate:\n    spec:\n      \
         template: {{spec: {{restartPolicy: Never, containers: [{{name: app, image: {APPS_IMAGE}, command: [curl, -sSf, 'http://web/']}}]}}}}\n"
    ));
    cluster.kubectl(&["-n", "due", "create", "job", "today", "--from=cronjob/report"]);
    cluster.kubectl(&["-n", "due", "wait", "--for=condition=Complete", "job/today", "--timeout=90s"]);
    let said = cluster.kubectl(&["-n", "due", "logs", "job/today", "-c", "app"]);
    assert!(said.contains("caller=spiffe://cluster.local/ns/due/sa/default"), "{said}");
}
