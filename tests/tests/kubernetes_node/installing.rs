//! The mesh is put into a cluster, taken out, and put in again.

use std::process::{Output, Stdio};

use tests::{Cluster, INSTALL_FLAGS, client, eventually, namespace, printed, program, ready, settled};

use super::shop::{alone, installed_on_our_own, run, web};

fn weft(cluster: &Cluster, arguments: &[&str]) -> (Option<i32>, String) {
    let mut weft = program("weft");
    let output = weft.args(arguments).env("KUBECONFIG", cluster.kubeconfig()).stdin(Stdio::null()).output().expect("weft");
    let Output { status, stdout, stderr } = output;
    (status.code(), format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr)))
}

/// Objects of ours, wherever they are.
fn left(cluster: &Cluster) -> String {
    let kinds = "customresourcedefinitions,namespaces,clusterroles,clusterrolebindings,mutatingwebhookconfigurations,configmaps,secrets,leases,\
        serviceaccounts,services,deployments,pods,poddisruptionbudgets,networkpolicies,roles,rolebindings";
    let named = ["weft-trust-bundle", "weft-ca", "weft-control", "weft-injector", "weft-system", "weft.dev"];
    let all = cluster.kubectl(&["get", kinds, "-A", "-o", "name"]);
    all.lines().filter(|line| named.iter().any(|name| line.contains(name))).collect::<Vec<_>>().join("\n")
}

fn apply(cluster: &Cluster) {
    let (code, said) = weft(cluster, &[&["install", "--apply"], &INSTALL_FLAGS[..]].concat());
    assert!(code == Some(0) && said.contains("control runs"), "{said}");
    settled(cluster);
}

#[test]
fn nothing_is_left_of_what_was_installed_and_it_can_be_installed_again() {
    let _turn = alone();
    let Some(cluster) = installed_on_our_own() else { return };
    namespace(cluster, "leaving", "enabled");
    cluster.apply(&client("leaving"));
    ready(cluster, "leaving", &["pod/client"]);

    let (code, said) = weft(cluster, &["uninstall"]);
    assert!(code == Some(1) && said.contains("leaving") && said.contains("--force"), "{said}");
    assert!(!said.contains("removed"), "{said}");
    let (code, said) = weft(cluster, &["uninstall", "--force"]);
    assert!(code == Some(0) && said.contains("removed  Namespace weft-system"), "{said}");
    assert_eq!(left(cluster), "");

    // What kubectl is given it takes away again, and what control has made goes with that.
    apply(cluster);
    cluster.kubectl(&["-n", "leaving", "delete", "pod", "client"]);
    cluster.apply(&client("leaving"));
    ready(cluster, "leaving", &["pod/client"]);
    assert!(left(cluster).contains("configmap/weft-trust-bundle"));
    cluster.delete(&printed(program("weft"), &[]));
    eventually("nothing is left", || left(cluster).is_empty().then_some(()));

    apply(cluster);
    cluster.kubectl(&["delete", "namespace", "leaving", "--wait=false"]);
    namespace(cluster, "returned", "enabled");
    cluster.apply(&web("returned", 1, ""));
    cluster.apply(&client("returned"));
    ready(cluster, "returned", &["deployment/web", "pod/client"]);
    let answer = eventually("calls", || {
        Some(run(cluster, "returned", &["curl", "-s", "-m", "10", "http://web/"])).filter(|answer| answer.contains("caller="))
    });
    assert!(answer.contains("caller=spiffe://cluster.local/ns/returned/sa/client"), "{answer}");
}

#[test]
fn applying_again_changes_nothing() {
    let _turn = alone();
    let Some(cluster) = installed_on_our_own() else { return };
    apply(cluster);
    let versions = || {
        let kinds = "deployment,service,serviceaccount,role,rolebinding,networkpolicy,poddisruptionbudget";
        let path = "jsonpath={range .items[*]}{.kind}/{.metadata.name} {.metadata.generation} {end}";
        let within = cluster.kubectl(&["-n", "weft-system", "get", kinds, "-o", path]);
        let path = "jsonpath={.metadata.resourceVersion}";
        let of_cluster = ["clusterrole/weft-control", "mutatingwebhookconfiguration/weft-injector"];
        within + &of_cluster.map(|object| cluster.kubectl(&["get", object, "-o", path])).join(" ")
    };
    let before = versions();
    apply(cluster);
    assert_eq!(versions(), before);
}
