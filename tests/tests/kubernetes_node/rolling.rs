//! Requests while pods, control and the API server come and go.

use std::{thread, time::Duration};

use rustix::process::{Signal, kill_process};
use tests::{Cluster, client, eventually, namespace, ready};

use super::{
    load::{CONNECTIONS, HTTP1, HTTP2, Load, OPAQUE, Outcome, STREAMS},
    market::market,
    node::api_server,
    shop::{alone, installed, installed_on_our_own, run, together, web},
};

const PROBES: &str = "readinessProbe: {httpGet: {path: /, port: http}, periodSeconds: 1}";

/// A namespace with a mesh of `replicas` and a client, under way.
fn shop(name: &str, replicas: u32) -> Option<&'static Cluster> {
    let cluster = installed()?;
    namespace(cluster, name, "enabled");
    cluster.apply(&web(name, replicas, PROBES));
    cluster.apply(&client(name));
    ready(cluster, name, &["deployment/web", "pod/client"]);
    Some(cluster)
}

#[test]
fn no_request_fails_while_a_deployment_is_rolled_back_and_scaled() {
    let _turn = together();
    let Some(cluster) = market("rolling") else { return };
    // Each goes on through all of it. How fast is the machine's affair: new processes, which the last one is made of, are slow on some.
    let loads = [(HTTP1, 4000), (HTTP2, 4000), (STREAMS, 100), (OPAQUE, 100)]
        .map(|(way, least)| (way, least, Load::start(cluster, "rolling", way)));
    for change in ["rollout restart", "rollout undo", "scale --replicas=3", "scale --replicas=1"] {
        cluster.kubectl(&change.split(' ').chain(["deployment/web", "-n", "rolling"]).collect::<Vec<_>>());
        ready(cluster, "rolling", &["deployment/web"]);
    }
    eventually("those that left are gone", || {
        let pods = cluster.kubectl(&["-n", "rolling", "get", "pods", "-l", "app=web", "-o", "name"]);
        (pods.lines().count() == 1).then_some(())
    });
    for ((name, _), least, load) in loads {
        let Outcome { good, bad, said } = load.end();
        assert!(bad == 0 && good >= least, "{name}: {good} good, {bad} bad\n{said}\n{}", refusals(cluster, "rolling"));
    }
}

#[test]
fn a_pod_that_is_killed_takes_no_more_with_it_than_it_held() {
    let _turn = together();
    let Some(cluster) = shop("killed", 2) else { return };
    let load = Load::start(cluster, "killed", HTTP1);
    thread::sleep(Duration::from_secs(3));
    let pod = cluster.kubectl(&["-n", "killed", "get", "pods", "-l", "app=web", "-o", "jsonpath={.items[0].metadata.name}"]);
    cluster.kubectl(&["-n", "killed", "delete", "pod", &pod, "--grace-period=0", "--force"]);
    ready(cluster, "killed", &["deployment/web"]);
    let Outcome { good, bad, said } = load.end();
    assert!(bad <= CONNECTIONS && good > 1000, "{good} good, {bad} bad\n{said}");
}

#[test]
fn traffic_goes_on_without_control_and_without_the_api_server() {
    let _turn = alone();
    let Some(cluster) = installed_on_our_own().and_then(|_| shop("alone", 1)) else { return };
    let load = Load::start(cluster, "alone", HTTP1);
    cluster.kubectl(&["-n", "weft-system", "delete", "pods", "-l", "app.kubernetes.io/name=weft-control", "--wait=false"]);
    thread::sleep(Duration::from_secs(3));
    let server = api_server(cluster);
    kill_process(server, Signal::STOP).expect("it runs");
    thread::sleep(Duration::from_secs(60));
    kill_process(server, Signal::CONT).expect("it is there");
    // New pods are found with nobody started again by hand.
    eventually("the API server answers", || cluster.run(&["get", "--raw", "/readyz"]).status.success().then_some(()));
    cluster.kubectl(&["-n", "weft-system", "rollout", "status", "deployment/weft-control", "--timeout=60s"]);
    cluster.kubectl(&["-n", "alone", "rollout", "restart", "deployment/web"]);
    ready(cluster, "alone", &["deployment/web"]);
    let Outcome { good, bad, said } = load.end();
    assert!(bad == 0 && good > 10_000, "{good} good, {bad} bad\n{said}\n{}", refusals(cluster, "alone"));
}

/// Why the client's sidecar has refused what it refused.
fn refusals(cluster: &Cluster, namespace: &str) -> String {
    let metrics = run(cluster, namespace, &["curl", "-s", "http://127.0.0.1:17003/metrics"]);
    let told = metrics.lines().filter(|line| line.starts_with("weft_refusals_total") && !line.ends_with(" 0"));
    told.collect::<Vec<_>>().join("\n")
}
