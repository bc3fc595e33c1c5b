//! What a Service says beside its ports: which of its endpoints count for a caller, and whether he stays with one.

use std::{collections::BTreeSet, thread, time::Duration};

use serde_json::Value;
use tests::{Cluster, client, eventually, namespace, ready};

use super::shop::{installed_on_our_own, run, together, web};

const PROBES: &str = "readinessProbe: {httpGet: {path: /, port: http}, periodSeconds: 1}";

/// The name of the one node there is.
const NODE: &str = "weft-node";

/// The node is in a zone.
fn in_its_zone(cluster: &Cluster) {
    cluster.kubectl(&["label", "node", NODE, "topology.kubernetes.io/zone=here", "--overwrite"]);
}

/// Addresses of endpoints that the client's sidecar knows of `service`, after it was called.
fn known(cluster: &Cluster, namespace: &str, service: &str) -> BTreeSet<String> {
    run(cluster, namespace, &["curl", "-s", "-m", "10", "-o", "/dev/null", "-w", "%{http_code}", &format!("http://{service}/")]);
    let config = run(cluster, namespace, &["curl", "-s", "http://127.0.0.1:17003/config"]);
    let config: Value = serde_json::from_str(&config).expect("JSON");
    let name = format!("{service}.{namespace}");
    let destinations = config["destinations"].as_array().expect("a list").iter();
    let ours = destinations.filter(|destination| destination["service"].as_str() == Some(name.as_str()));
    let clusters = ours.flat_map(|destination| destination["clusters"].as_array().into_iter().flatten());
    let endpoints = clusters.flat_map(|cluster| cluster["endpoints"].as_array().into_iter().flatten());
    endpoints.filter_map(|endpoint| Some(endpoint["address"].as_str()?.split(':').next()?.to_owned())).collect()
}

/// A Service without a selector, and a slice of two endpoints: `pod`, which is there, on our node, and one on another.
fn by_hand(namespace: &str, name: &str, spec: &str, pod: &str, [near, far]: [&str; 2]) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: {namespace}}}\n\
         spec: {{ports: [{{name: http, port: 80}}]{spec}}}\n---\n\
         apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n\
         metadata: {{name: {name}-1, namespace: {namespace}, labels: {{kubernetes.io/service-name: {name}}}}}\n\
         addressType: IPv4\nports: [{{name: http, port: 8080}}]\nendpoints:\n\
         - {{addresses: [{pod}], nodeName: {NODE}{near}}}\n- {{addresses: [10.30.99.99], nodeName: elsewhere{far}}}\n"
    )
}

#[test]
fn endpoints_count_by_node_and_zone_where_the_service_says_so() {
    let _turn = together();
    let Some(cluster) = installed_on_our_own() else { return };
    in_its_zone(cluster);
    namespace(cluster, "near", "enabled");
    cluster.apply(&web("near", 1, PROBES));
    cluster.apply(&client("near"));
    ready(cluster, "near", &["deployment/web", "pod/client"]);
    let pod = cluster.kubectl(&["-n", "near", "get", "pods", "-l", "app=web", "-o", "jsonpath={.items[0].status.podIP}"]);
    let (here, there) = (", hints: {forZones: [{name: here}]}", ", hints: {forZones: [{name: there}]}");
    let on_node = ", hints: {forZones: [{name: there}], forNodes: [{name: weft-node}]}";
    let near_alone = BTreeSet::from([pod.clone()]);
    let both = BTreeSet::from([pod.clone(), String::from("10.30.99.99")]);
    let cases = [
        ("everywhere", "", ["", ""], &both),
        ("local", ", internalTrafficPolicy: Local", ["", ""], &near_alone),
        ("zonal", "", [here, there], &near_alone),
        ("half-zonal", "", [here, ""], &both),
        ("elsewhere-zonal", "", [there, there], &both),
        ("nodal", "", [on_node, ", hints: {forZones: [{name: here}], forNodes: [{name: elsewhere}]}"], &near_alone),
    ];
    let manifests = cases.iter().map(|(name, spec, hints, _)| by_hand("near", name, spec, &pod, *hints));
    cluster.apply(&manifests.collect::<Vec<_>>().join("---\n"));
    for (name, _, _, expected) in &cases {
        eventually(name, || (known(cluster, "near", name) == **expected).then_some(()));
    }
    // Traffic goes where it is said to go.
    for name in ["local", "zonal", "nodal"] {
        let answer = run(cluster, "near", &["curl", "-s", "-m", "10", &format!("http://{name}/")]);
        assert!(answer.contains("caller=spiffe://cluster.local/ns/near/sa/client"), "{name}: {answer}");
    }
}

#[test]
fn a_caller_stays_with_his_endpoint_where_the_service_wants_it() {
    let _turn = together();
    let Some(cluster) = installed_on_our_own() else { return };
    namespace(cluster, "staying", "enabled");
    cluster.apply(&web("staying", 3, PROBES));
    cluster.apply(&client("staying"));
    cluster.apply(
        "apiVersion: v1\nkind: Service\nmetadata: {name: faithful, namespace: staying}\n\
         spec: {selector: {app: web}, sessionAffinity: ClientIP, ports: [{name: http, port: 80, targetPort: 8080}]}\n",
    );
    ready(cluster, "staying", &["deployment/web", "pod/client"]);
    let answering = |service: &str| -> BTreeSet<String> {
        let calls =
            format!("for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do curl -s -m 10 http://{service}/; done");
        let answers = run(cluster, "staying", &["/bin/sh", "-c", &calls]);
        answers.lines().filter_map(|line| Some(line.split_once(" caller=")?.0.to_owned())).collect()
    };
    eventually("all three answer without affinity", || (answering("web").len() == 3).then_some(()));
    let first = answering("faithful");
    assert_eq!(first.len(), 1, "{first:?}");
    // Whoever was called is gone: another is, and is kept.
    let pod = first.first().expect("a pod");
    cluster.kubectl(&["-n", "staying", "delete", "pod", pod, "--wait=false"]);
    let second = eventually("another answers", || Some(answering("faithful")).filter(|pods| pods.is_disjoint(&first)));
    assert_eq!(second.len(), 1, "{second:?}");
}

#[test]
fn an_edit_that_changes_nothing_for_callers_is_not_sent() {
    let _turn = together();
    let Some(cluster) = installed_on_our_own() else { return };
    // The cluster writes a node's zone into slices the next time it looks at them: later, that would be an edit of its own.
    in_its_zone(cluster);
    namespace(cluster, "edited", "enabled");
    cluster.apply(&web("edited", 1, PROBES));
    cluster.apply(&client("edited"));
    ready(cluster, "edited", &["deployment/web", "pod/client"]);
    assert_eq!(known(cluster, "edited", "web").len(), 1);
    let version = || -> u64 {
        let metrics = run(cluster, "edited", &["curl", "-s", "http://127.0.0.1:17003/metrics"]);
        let line = metrics.lines().find_map(|line| line.strip_prefix("weft_config_version "));
        line.and_then(|number| number.split('.').next()?.parse().ok()).expect("a version")
    };
    // What the mesh has still to say of new pods is said first.
    let still = || {
        let before = version();
        thread::sleep(Duration::from_secs(2));
        (version() == before).then_some(before)
    };
    let before = eventually("all is told", still);
    for edit in [
        &["annotate", "service", "web", "example.com/note=nothing that matters"][..],
        &["annotate", "pods", "--all", "example.com/note=neither"],
        &["label", "pods", "--all", "note=nor-this"],
        &["annotate", "endpointslices", "--all", "example.com/note=least-of-all"],
    ] {
        cluster.kubectl(&[&["-n", "edited"], edit].concat());
    }
    assert_eq!(eventually("all is told", still), before, "nothing was sent");
    let matters = "{\"spec\": {\"sessionAffinity\": \"ClientIP\"}}";
    cluster.kubectl(&["-n", "edited", "patch", "service", "web", "--patch", matters]);
    eventually("the edit that matters is known", || (version() > before).then_some(()));
}
