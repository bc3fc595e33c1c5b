//! Pods get sidecars as they are created, by a webhook that a real API server calls.

use serde_json::Value;
use tests::{Cluster, Control, eventually, free_port};

use super::namespace;

/// The webhook configuration as an installer writes it: without a root, which control fills in.
fn webhooks(name: &str, port: u16) -> String {
    let webhook = |asked: &str, selector: &str| {
        format!(
            "- name: {asked}.{name}.weft.dev\n  admissionReviewVersions: [v1]\n  sideEffects: NoneOnDryRun\n  failurePolicy: Fail\n  \
             reinvocationPolicy: IfNeeded\n  clientConfig: {{service: {{name: weft-control, namespace: {name}, port: {port}, path: /inject/{asked}}}}}\n  \
             rules: [{{operations: [CREATE], apiGroups: [\"\"], apiVersions: [v1], resources: [pods], scope: Namespaced}}]\n{selector}"
        )
    };
    let by_namespace =
        webhook("namespace", &format!("  namespaceSelector: {{matchLabels: {{weft.dev/inject: enabled, for: {name}}}}}\n"));
    let by_pod = webhook("pod", &format!("  objectSelector: {{matchLabels: {{weft.dev/inject: enabled, for: {name}}}}}\n"));
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: weft-control, namespace: {name}}}\n\
         spec: {{type: ExternalName, externalName: localhost, ports: [{{port: {port}}}]}}\n---\n\
         apiVersion: admissionregistration.k8s.io/v1\nkind: MutatingWebhookConfiguration\nmetadata: {{name: {name}}}\n\
         webhooks:\n{by_namespace}{by_pod}"
    )
}

/// A namespace with a label, and control that adds sidecars to its pods. Returns when it does.
pub(crate) fn injecting(cluster: &Cluster, name: &str) -> Control {
    namespace(cluster, name);
    cluster.kubectl(&["label", "namespace", name, "weft.dev/inject=enabled", &format!("for={name}")]);
    let port = free_port();
    cluster.apply(&webhooks(name, port));
    let control =
        cluster.control(&["--namespace", name, "--webhook-port", &port.to_string(), "--webhook-name", name, "--replica", name]);
    eventually("the API server knows our root", || {
        let path = "jsonpath={.webhooks[*].clientConfig.caBundle}";
        let roots = cluster.kubectl(&["get", "mutatingwebhookconfiguration", name, "-o", path]);
        (roots.split_whitespace().count() == 2).then_some(())
    });
    control
}

pub(crate) fn names(pod: &Value, list: &str) -> Vec<String> {
    let items = pod["spec"][list].as_array().into_iter().flatten();
    items.filter_map(|item| item["name"].as_str().map(str::to_owned)).collect()
}

fn pod(cluster: &Cluster, namespace: &str, name: &str) -> Value {
    serde_json::from_str(&cluster.kubectl(&["-n", namespace, "get", "pod", name, "-o", "json"])).expect("JSON")
}

pub(crate) const SIDECAR: [&str; 2] = ["weft-init", "weft-proxy"];

#[test]
fn a_labelled_namespace_gets_sidecars_and_what_they_need() {
    let cluster = Cluster::shared();
    let control = injecting(cluster, "injection");
    cluster.apply(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: injection}\nspec:\n  selector: {matchLabels: {app: web}}\n  \
         template:\n    metadata: {labels: {app: web}}\n    spec:\n      serviceAccountName: web\n      automountServiceAccountToken: false\n      \
         initContainers: [{name: migrate, image: web}]\n      \
         containers: [{name: app, image: web, securityContext: {readOnlyRootFilesystem: true}, livenessProbe: {httpGet: {path: /live, port: 8080}}}, {name: logs, image: logs}]\n",
    );
    let web = eventually("the Deployment's pod", || {
        let listed = cluster.kubectl(&["-n", "injection", "get", "pods", "-l", "app=web", "-o", "json"]);
        let listed: Value = serde_json::from_str(&listed).expect("JSON");
        listed["items"].as_array()?.first().cloned()
    });
    assert_eq!(names(&web, "initContainers"), ["weft-init", "weft-proxy", "migrate"]);
    assert_eq!(web["spec"]["containers"][0]["livenessProbe"]["httpGet"]["port"], 17003);
    let proxy = &web["spec"]["initContainers"][1];
    let variables = proxy["env"].as_array().expect("variables");
    let workload = variables.iter().find(|variable| variable["name"] == "WEFT_WORKLOAD").expect("a workload");
    assert_eq!(workload["value"], "web", "not the ReplicaSet");
    let bundle =
        cluster.kubectl(&["-n", "injection", "get", "configmap", "weft-trust-bundle", "-o", "jsonpath={.data.ca\\.pem}"]);
    assert_eq!(bundle, std::fs::read_to_string(&control.bundle).expect("the bundle"));

    cluster.apply(
        "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: db, namespace: injection}\nspec:\n  serviceName: db\n  \
         selector: {matchLabels: {app: db}}\n  template:\n    metadata: {labels: {app: db}}\n    spec: {containers: [{name: app, image: db}]}\n---\n\
         apiVersion: batch/v1\nkind: Job\nmetadata: {name: once, namespace: injection}\nspec:\n  \
         template:\n    spec: {restartPolicy: Never, containers: [{name: app, image: once}]}\n",
    );
    for selector in ["app=db", "job-name=once"] {
        let path = "jsonpath={.items[0].spec.initContainers[*].name}";
        eventually(&format!("a pod with a sidecar: {selector}"), || {
            let output = cluster.run(&["-n", "injection", "get", "pods", "-l", selector, "-o", path]);
            (String::from_utf8_lossy(&output.stdout) == SIDECAR.join(" ")).then_some(())
        });
    }
}

#[test]
fn a_pods_own_word_counts_more_than_its_namespaces() {
    let cluster = Cluster::shared();
    let _control = injecting(cluster, "words");
    let run = |namespace: &str, name: &str, labels: &str| {
        let labels = format!("--labels={labels}");
        cluster.kubectl(&[
            "-n",
            namespace,
            "run",
            name,
            "--image=app",
            &labels,
            "--overrides={\"spec\":{\"nodeName\":\"nowhere\"}}",
        ]);
        names(&pod(cluster, namespace, name), "initContainers")
    };
    assert_eq!(run("words", "silent", "app=a"), SIDECAR);
    assert_eq!(run("words", "unwilling", "weft.dev/inject=disabled"), [""; 0]);
    namespace(cluster, "unlabelled");
    assert_eq!(run("unlabelled", "other", "app=a"), [""; 0]);
    assert_eq!(run("unlabelled", "willing", "weft.dev/inject=enabled,for=words"), SIDECAR);
}

#[test]
fn who_cannot_have_a_sidecar_is_told_why() {
    let cluster = Cluster::shared();
    let _control = injecting(cluster, "unfit");
    let apply = |name: &str, labels: &str, annotations: &str, spec: &str| {
        let manifest = format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: unfit, labels: {labels}, annotations: {annotations}}}\n\
             spec: {{nodeName: nowhere, containers: [{{name: app, image: app}}]{spec}}}\n"
        );
        let output = cluster.try_apply(&manifest);
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (let_in, said) = apply("host", "{}", "{}", ", hostNetwork: true");
    assert!(let_in && said.contains("hostNetwork"), "a warning: {said}");
    assert_eq!(names(&pod(cluster, "unfit", "host"), "initContainers"), [""; 0]);
    eventually("an event says so too", || {
        let path = "jsonpath={.items[?(@.reason==\"NoSidecar\")].message}";
        cluster.kubectl(&["-n", "unfit", "get", "events", "-o", path]).contains("hostNetwork").then_some(())
    });
    let (let_in, said) = apply("host-asked", "{weft.dev/inject: enabled, for: unfit}", "{}", ", hostNetwork: true");
    assert!(!let_in && said.contains("hostNetwork"), "{said}");
    let (let_in, said) = apply("same-user", "{}", "{}", ", securityContext: {runAsUser: 7717}");
    assert!(let_in && said.contains("user 7717"), "{said}");
    let (let_in, said) = apply("typo", "{}", "{weft.dev/skip-inbuond-ports: \"80\"}", "");
    assert!(!let_in && said.contains("skip-inbuond-ports"), "{said}");
}

#[test]
fn a_trial_leaves_nothing_behind() {
    let cluster = Cluster::shared();
    let _control = injecting(cluster, "trial");
    let shown = cluster.kubectl(&["-n", "trial", "run", "tried", "--image=app", "--dry-run=server", "-o", "json"]);
    let shown: Value = serde_json::from_str(&shown).expect("JSON");
    assert_eq!(names(&shown, "initContainers"), SIDECAR);
    assert!(!cluster.run(&["-n", "trial", "get", "configmap", "weft-trust-bundle"]).status.success());
}

#[test]
fn our_root_is_put_back_and_the_installers_fields_are_left_alone() {
    let cluster = Cluster::shared();
    let control = injecting(cluster, "putback");
    let path = "jsonpath={.webhooks[0].clientConfig.caBundle}";
    let root = || cluster.kubectl(&["get", "mutatingwebhookconfiguration", "putback", "-o", path]);
    let before = root();
    let wiped = "[{\"op\": \"remove\", \"path\": \"/webhooks/0/clientConfig/caBundle\"}]";
    cluster.kubectl(&["patch", "mutatingwebhookconfiguration", "putback", "--type=json", "--patch", wiped]);
    eventually("the root is back", || (root() == before).then_some(()));
    // Whoever applies the installer's manifest again changes nothing, and takes nothing away.
    let fields = "jsonpath={.metadata.managedFields[?(@.manager==\"weft-control\")].fieldsV1}";
    let ours = cluster.kubectl(&["get", "mutatingwebhookconfiguration", "putback", "-o", fields, "--show-managed-fields"]);
    assert!(ours.contains("caBundle") && !ours.contains("f:failurePolicy"), "{ours}");
    let holder = cluster.kubectl(&["-n", "putback", "get", "lease", "weft-control", "-o", "jsonpath={.spec.holderIdentity}"]);
    assert_eq!(holder, "putback");
    drop(control);
}
