//! What `weft install` prints and what Helm makes of the chart are the same.

use std::{collections::BTreeMap, path::Path, process::Command};

use serde_json::Value;
use tests::{helm, program};

/// Objects by kind and name, without what says who manages them.
fn objects(manifests: &str) -> BTreeMap<String, Value> {
    let mut objects = BTreeMap::new();
    for document in manifests.split("---\n").filter(|document| !document.trim().is_empty()) {
        let mut object: Value = serde_saphyr::from_str(document).unwrap_or_else(|error| panic!("{error}: {document}"));
        if object.is_null() || object["kind"] == "Namespace" {
            // Helm makes it by itself (--create-namespace).
            continue;
        }
        for labels in ["/metadata/labels", "/spec/template/metadata/labels"] {
            if let Some(labels) = object.pointer_mut(labels).and_then(Value::as_object_mut) {
                assert!(labels.contains_key("app.kubernetes.io/part-of"), "the recommended labels: {labels:?}");
                labels.remove("app.kubernetes.io/managed-by");
            }
        }
        let name =
            format!("{} {}", object["kind"].as_str().expect("a kind"), object["metadata"]["name"].as_str().expect("a name"));
        assert!(objects.insert(name.clone(), object).is_none(), "{name} is there twice");
    }
    objects
}

fn chart(name: &str) -> String {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    workspace.join("deploy").join(name).display().to_string()
}

fn rendered(flags: &[&str]) -> Result<String, String> {
    template("chart", flags)
}

fn template(name: &str, flags: &[&str]) -> Result<String, String> {
    let mut helm: Command = helm();
    let output = helm
        .args(["template", "weft", &chart(name), "--namespace", "weft-system", "--kube-version", "1.34.0"])
        .args(flags)
        .output()
        .expect("helm");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

fn printed(flags: &[&str]) -> String {
    let output = program("weft").arg("install").args(flags).output().expect("weft");
    assert!(output.status.success());
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn the_charts_and_the_command_install_the_same() {
    let charts = [rendered(&[]), template("chart-crds", &[])].map(|chart| chart.expect("a chart"));
    let (chart, command) = (objects(&charts.join("\n---\n")), objects(&printed(&[])));
    assert_eq!(chart.keys().collect::<Vec<_>>(), command.keys().collect::<Vec<_>>());
    for (name, object) in &chart {
        assert_eq!(object, &command[name], "{name}");
    }
}

#[test]
fn values_reach_their_places() {
    let chart = rendered(&[
        "--set",
        "image.repository=here/weft,image.tag=v7,replicas=3,trustDomain=mesh.example,image.pullPolicy=Never,\
         defaultPolicy=deny,proxy.cpuRequest=20m,proxy.memoryLimit=1Gi",
    ]);
    let flags = [
        ["--image", "here/weft:v7"],
        ["--replicas", "3"],
        ["--trust-domain", "mesh.example"],
        ["--pull-policy", "Never"],
        ["--default-policy", "deny"],
        ["--proxy-cpu-request", "20m"],
        ["--proxy-memory-limit", "1Gi"],
    ];
    let command = printed(&[flags.as_flattened(), &["--skip-crds"]].concat());
    assert_eq!(objects(&chart.expect("the chart")), objects(&command));
    let all = rendered(&["--set", "podMonitor.enabled=true,podDisruptionBudget.enabled=false,networkPolicy.enabled=false"]);
    let kinds: Vec<String> = objects(&all.expect("the chart")).into_keys().collect();
    assert!(kinds.iter().any(|kind| kind == "PodMonitor weft-sidecars"), "{kinds:?}");
    assert!(!kinds.iter().any(|kind| kind.starts_with("NetworkPolicy") || kind.starts_with("PodDisruptionBudget")), "{kinds:?}");
}

#[test]
fn values_that_mean_nothing_are_refused() {
    for wrong in [
        "replicas=0",
        "image.pullPolicy=Maybe",
        "webhook.failurePolicy=Sometimes",
        "replica=2",
        "trustDomain=A B",
        "defaultPolicy=x",
        "proxy.cpuRequest=x",
    ] {
        assert!(rendered(&["--set", wrong]).is_err(), "{wrong}");
    }
}
