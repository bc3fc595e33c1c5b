//! Webhooks of others that change pods after ours: the API server shows those pods to us again.

use std::process::{Command, Stdio};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tempfile::TempDir;
use tests::{Cluster, Running, eventually, free_port, script, secret_file};

use super::injection::{SIDECAR, injecting, names};

/// A webhook that adds a container with a probe to the pods of a namespace.
struct Neighbour {
    _running: Running,
    _folder: TempDir,
}

impl Neighbour {
    /// Its configuration's name comes after ours: so does its turn.
    fn of(cluster: &Cluster, namespace: &str) -> Self {
        let port = free_port();
        let folder = tempfile::tempdir().expect("a folder");
        let pair =
            rcgen::generate_simple_self_signed([String::from("localhost"), String::from("127.0.0.1")]).expect("a certificate");
        let certificate = secret_file(folder.path(), "certificate.pem", &pair.cert.pem());
        let key = secret_file(folder.path(), "key.pem", &pair.signing_key.serialize_pem());
        let mut server = Command::new("python3");
        server.arg(script("adds_container.py")).arg(port.to_string()).args([&certificate, &key]).stdin(Stdio::null());
        let running = Running::start(server);
        let configuration = json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingWebhookConfiguration",
            "metadata": { "name": format!("{namespace}-neighbour") },
            "webhooks": [{
                "name": "adds.neighbour.example",
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
                "clientConfig": { "url": format!("https://127.0.0.1:{port}/"), "caBundle": STANDARD.encode(pair.cert.pem()) },
                "rules": [{ "operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"] }],
                "namespaceSelector": { "matchLabels": { "for": namespace } },
            }],
        });
        cluster.apply(&configuration.to_string());
        Self { _running: running, _folder: folder }
    }
}

#[test]
fn a_pod_that_is_shown_again_keeps_its_sidecar_which_asks_what_was_added_too() {
    let cluster = Cluster::shared();
    let _control = injecting(cluster, "shown");
    let _neighbour = Neighbour::of(cluster, "shown");
    let pod = eventually("the API server asks both", || {
        let shown = cluster.run(&["-n", "shown", "run", "app", "--image=app", "--dry-run=server", "-o", "json"]);
        let pod: Value = serde_json::from_slice(&shown.stdout).ok()?;
        (names(&pod, "containers") == ["app", "other"]).then_some(pod)
    });
    assert_eq!(names(&pod, "initContainers"), SIDECAR);
    assert_eq!(pod["spec"]["containers"][1]["livenessProbe"]["httpGet"]["port"], 17003);
    let variables = pod["spec"]["initContainers"][1]["env"].as_array().expect("variables");
    let probes = variables.iter().find(|variable| variable["name"] == "WEFT_PROBES").expect("probes");
    assert!(probes["value"].to_string().contains("/probe/other/liveness"), "{probes}");
}
