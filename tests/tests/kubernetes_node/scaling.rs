//! Endpoints come and go, and callers follow at once.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use serde_json::Value;
use tests::{Cluster, client, eventually, namespace, ready};

use super::{
    heard::{Heard, Line, told},
    shop::{installed, together, web},
};

const PROBES: &str = "readinessProbe: {httpGet: {path: /, port: http}, periodSeconds: 1}";

/// The promise is 250 ms on a machine that has nothing else to do.
const BOUND: Duration = Duration::from_secs(2);

#[test]
fn callers_follow_a_deployment_that_is_scaled() {
    let _turn = together();
    let Some(cluster) = installed() else { return };
    namespace(cluster, "scaling", "enabled");
    cluster.apply(&web("scaling", 1, PROBES));
    cluster.apply(&client("scaling"));
    ready(cluster, "scaling", &["deployment/web", "pod/client"]);
    let slices =
        "/apis/discovery.k8s.io/v1/namespaces/scaling/endpointslices?watch=1&labelSelector=kubernetes.io/service-name=web";
    let slices = Heard::of(cluster.command(&["get", "--raw", slices]));
    let before = slices.next();
    let calls =
        ["-n", "scaling", "exec", "client", "-c", "app", "--", "curl", "-sSN", "--rate", "100/s", "http://web/?[1-100000]"];
    let calls = Heard::of(cluster.command(&calls));
    scale(cluster, 4);
    let mut answers: Vec<(Instant, String)> = Vec::new();
    eventually("every pod has answered twice", || {
        answers.extend(calls.so_far().into_iter().map(pod));
        let mut times: BTreeMap<&str, usize> = BTreeMap::new();
        answers.iter().for_each(|(_, pod)| *times.entry(pod).or_default() += 1);
        (times.values().filter(|times| **times > 1).count() == 4).then_some(())
    });
    scale(cluster, 1);
    answers.extend(calls.so_far().into_iter().map(pod));
    let (mut used, mut left) = (Vec::new(), Vec::new());
    for (pod, Ready { from, to }) in readiness([vec![before.clone()], slices.so_far()].concat()) {
        let its: Vec<Instant> = answers.iter().filter(|(_, answered)| *answered == pod).map(|(when, _)| *when).collect();
        let [first, .., last] = its[..] else { panic!("{pod} is not called") };
        used.extend((from > before.0).then(|| first.saturating_duration_since(from)));
        left.extend(to.map(|to| last.saturating_duration_since(to)));
    }
    assert!(used.len() == 3 && left.len() == 3, "used {used:?}, left {left:?}");
    assert!(used.iter().chain(&left).all(|time| *time < BOUND), "used {used:?}, left {left:?}");
    println!("new endpoints are used after {}, old ones left after {}", told(&used), told(&left));
}

/// Returns when all others are gone.
fn scale(cluster: &Cluster, replicas: usize) {
    cluster.kubectl(&["-n", "scaling", "scale", "deployment/web", &format!("--replicas={replicas}")]);
    ready(cluster, "scaling", &["deployment/web"]);
    eventually("as many pods as were asked for", || {
        let pods = cluster.kubectl(&["-n", "scaling", "get", "pods", "-l", "app=web", "-o", "name"]);
        (pods.lines().count() == replicas).then_some(())
    });
}

/// Which pod gave an answer: all of them are good ones.
fn pod((when, answer): Line) -> (Instant, String) {
    let pod = answer.strip_suffix(" caller=spiffe://cluster.local/ns/scaling/sa/client");
    (when, pod.unwrap_or_else(|| panic!("a call failed: {answer}")).to_owned())
}

/// When an endpoint was said to be ready, and not to be any more.
struct Ready {
    from: Instant,
    to: Option<Instant>,
}

/// The endpoints that events of slices tell of, by pod.
fn readiness(events: Vec<Line>) -> BTreeMap<String, Ready> {
    let mut known: BTreeMap<String, Ready> = BTreeMap::new();
    for (when, event) in events {
        let event: Value = serde_json::from_str(&event).expect("JSON");
        let endpoints = event["object"]["endpoints"].as_array().into_iter().flatten();
        let ready = endpoints.filter(|endpoint| endpoint["conditions"]["ready"] == true);
        let ready: BTreeSet<&str> = ready.filter_map(|endpoint| endpoint["targetRef"]["name"].as_str()).collect();
        for (pod, time) in &mut known {
            if !ready.contains(pod.as_str()) {
                time.to.get_or_insert(when);
            }
        }
        for pod in ready {
            known.entry(pod.to_owned()).or_insert(Ready { from: when, to: None });
        }
    }
    known
}
