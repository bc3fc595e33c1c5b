//! The mesh in a cluster with a node, and what is called from there.

use std::process::Command;

use crate::{
    cluster::Cluster,
    node::{APPS_IMAGE, WEFT_IMAGE},
    wait::eventually,
};

/// How long a pod may take to become ready on a machine that is busy with other tests.
const READY: &str = "--timeout=90s";

/// Flags of `weft install` for the images of the harness.
pub const INSTALL_FLAGS: [&str; 4] = ["--image", WEFT_IMAGE, "--pull-policy", "Never"];

/// Installs what `weft install` prints with further `flags`, and waits until pods are given sidecars.
pub fn install(cluster: &Cluster, weft: Command, flags: &[&str]) {
    cluster.apply(&printed(weft, flags));
    ready(cluster, "weft-system", &["deployment/weft-control"]);
    settled(cluster);
}

/// What `weft install` prints with further `flags`.
pub fn printed(mut weft: Command, flags: &[&str]) -> String {
    let printed = weft.arg("install").args(INSTALL_FLAGS).args(flags).output().expect("weft");
    assert!(printed.status.success());
    String::from_utf8_lossy(&printed.stdout).into_owned()
}

/// Waits until pods are given sidecars.
pub fn settled(cluster: &Cluster) {
    eventually("the API server knows our root", || {
        let path = "jsonpath={.webhooks[*].clientConfig.caBundle}";
        let roots = cluster.kubectl(&["get", "mutatingwebhookconfiguration", "weft-injector", "-o", path]);
        (roots.split_whitespace().count() == 2).then_some(())
    });
    // The node's rules follow its endpoints a moment later.
    namespace(cluster, "tried", "enabled");
    eventually("the API server reaches the webhook", || {
        let tried = cluster.run(&["-n", "tried", "run", "tried", "--image=app", "--dry-run=server"]);
        tried.status.success().then_some(())
    });
}

/// A namespace whose pods are meshed, or not.
pub fn namespace(cluster: &Cluster, name: &str, inject: &str) {
    cluster
        .apply(&format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}, labels: {{weft.dev/inject: {inject}}}}}\n"));
}

/// A pod called `client` from which others are called.
pub fn client(namespace: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: client, namespace: {namespace}}}\n---\n\
         apiVersion: v1\nkind: Pod\nmetadata: {{name: client, namespace: {namespace}}}\nspec:\n  serviceAccountName: client\n  \
         terminationGracePeriodSeconds: 1\n  containers: [{{name: app, image: {APPS_IMAGE}, command: [/bin/sleep, \"100000\"]}}]\n"
    )
}

/// Waits for what was applied.
pub fn ready(cluster: &Cluster, namespace: &str, what: &[&str]) {
    for what in what {
        match what.strip_prefix("pod/") {
            Some(_) => cluster.kubectl(&["-n", namespace, "wait", "--for=condition=Ready", what, READY]),
            None => cluster.kubectl(&["-n", namespace, "rollout", "status", what, READY]),
        };
    }
}
