//! Policies of our own kinds are followed as soon as the cluster has the kinds, and nothing waits for them.

use std::{fs, path::Path};

use tests::{Cluster, Control, eventually};

use super::namespace;

fn kind() -> String {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    fs::read_to_string(workspace.join("deploy/chart-crds/templates/peerauthentications.yaml")).expect("the definition")
}

fn policies(control: &Control) -> String {
    let metrics = control.metrics();
    let line = metrics.lines().find_map(|line| line.strip_prefix("weft_control_objects{kind=\"PeerAuthentication\"} "));
    line.unwrap_or_default().to_owned()
}

#[test]
fn a_cluster_need_not_have_our_kinds() {
    let cluster = Cluster::shared();
    namespace(cluster, "policies");
    // It starts, which it does not before it has read everything.
    let control = cluster.control(&["--ca-secret", "weft-ca-policies", "--namespace", "policies"]);
    assert_eq!(policies(&control), "0");
    cluster.apply(&kind());
    let policy = "apiVersion: weft.dev/v1alpha1\nkind: PeerAuthentication\nmetadata: {name: all, namespace: policies}\nspec: {mtls: {mode: STRICT}}\n";
    eventually("the API server knows the kind", || cluster.try_apply(policy).status.success().then_some(()));
    eventually("control knows the policy", || (policies(&control) == "1").then_some(()));
    cluster.kubectl(&["delete", "customresourcedefinition", "peerauthentications.weft.dev"]);
    eventually("it has gone with its kind", || (policies(&control) == "0").then_some(()));
}
