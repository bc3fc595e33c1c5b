//! What a sidecar costs a pod before it is ready.

use std::time::Duration;

use serde_json::Value;
use tests::{APPS_IMAGE, Cluster, client, namespace};

use super::{
    heard::{Heard, now, told},
    shop::{installed, together},
};

/// On a machine that is busy with other tests. The promise is 300 ms.
const BOUND: Duration = Duration::from_secs(5);

/// How often each is tried.
const TRIES: usize = 5;

/// Containers like ours that have nothing to do. A kubelet looks once a second which containers have started and ended, so that each step
/// before the app costs up to a second, whoever takes it.
const IDLE: &str = "initContainers:\n  - {name: init, image: IMAGE, command: [/bin/true]}\n  \
    - {name: sidecar, image: IMAGE, restartPolicy: Always, command: [/bin/sleep, '100000'], startupProbe: {exec: {command: [/bin/true]}, periodSeconds: 1}}\n  \
    containers:";

#[test]
fn a_sidecar_is_ready_as_soon_as_one_that_has_nothing_to_do() {
    let _turn = together();
    let Some(cluster) = installed() else { return };
    namespace(cluster, "without", "disabled");
    namespace(cluster, "idle", "disabled");
    namespace(cluster, "with", "enabled");
    let idle = client("idle").replace("containers:", &IDLE.replace("IMAGE", APPS_IMAGE));
    let pods = [("without", client("without")), ("idle", idle), ("with", client("with"))];
    let mut times = [(); 3].map(|()| Vec::new());
    for _ in 0..TRIES {
        for (times, (namespace, pod)) in times.iter_mut().zip(&pods) {
            times.push(until_ready(cluster, namespace, pod));
        }
    }
    times.iter_mut().for_each(|times| times.sort());
    let [without, idle, with] = times;
    let later = with[TRIES / 2].saturating_sub(idle[TRIES / 2]);
    println!("a pod is ready after {}, with idle containers {}, with a sidecar {}", told(&without), told(&idle), told(&with));
    assert!(later < BOUND, "{later:?}");
}

/// From the wish for a pod to its being ready. The pod is gone afterwards.
fn until_ready(cluster: &Cluster, namespace: &str, pod: &str) -> Duration {
    let pods = format!("/api/v1/namespaces/{namespace}/pods?watch=1&fieldSelector=metadata.name=client");
    let pods = Heard::of(cluster.command(&["get", "--raw", &pods]));
    let begun = now();
    cluster.apply(pod);
    let ready = loop {
        let (when, event) = pods.next();
        if is_ready(&event) {
            break when;
        }
    };
    cluster.kubectl(&["-n", namespace, "delete", "pod", "client", "--grace-period=0", "--force"]);
    ready - begun
}

fn is_ready(event: &str) -> bool {
    let event: Value = serde_json::from_str(event).expect("JSON");
    let conditions = event["object"]["status"]["conditions"].as_array();
    conditions.into_iter().flatten().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}
