//! `weft check` says what is wrong, and is silent where nothing is.

use std::process::Output;

use tests::{Cluster, client, eventually, namespace, program, ready};

use super::shop::{installed, together};

fn check(cluster: &Cluster, flags: &[&str]) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } =
        program("weft").arg("check").args(flags).env("KUBECONFIG", cluster.kubeconfig()).output().expect("weft");
    (status.code(), format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr)))
}

#[test]
fn an_installation_is_looked_at_from_end_to_end() {
    let _turn = together();
    let Some(cluster) = installed() else { return };
    namespace(cluster, "checked", "enabled");
    cluster.apply(&client("checked"));
    ready(cluster, "checked", &["pod/client"]);
    let (code, said) = check(cluster, &["--pre"]);
    assert_eq!(code, Some(0), "{said}");
    for part in ["the API server answers (v1.34", "native sidecars", "clock", "you may install"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    // Other tests' pods come and go meanwhile.
    eventually("all is well", || {
        let (_, said) = check(cluster, &[]);
        let well = [
            "control runs (2 replicas)",
            "pods are given sidecars",
            "the root is valid (for 36",
            "one replica of control leads",
            "trust bundle",
            "sidecars hear control",
            "sidecars renew their certificates",
            "sidecars are of our version",
        ];
        well.iter().all(|part| said.lines().any(|line| line.starts_with("  ok") && line.contains(part))).then_some(())
    });
    cluster.kubectl(&["-n", "checked", "delete", "configmap", "weft-trust-bundle"]);
    let (code, said) = check(cluster, &[]);
    assert!(code == Some(1) && said.contains("checked") && said.contains("WRONG"), "{said}");
}

#[test]
fn a_cluster_that_is_not_there_is_another_matter() {
    let output = program("weft").args(["check"]).env("KUBECONFIG", "/nowhere").output().expect("weft");
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
}
