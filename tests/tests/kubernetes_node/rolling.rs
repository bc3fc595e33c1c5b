//! Requests while pods, control and the API server come and go.

use std::{fs, thread, time::Duration};

use rustix::process::{Pid, Signal, kill_process};
use tests::{Cluster, client, eventually, namespace, ready};

use super::shop::{alone, installed, run, together, web};

const PROBES: &str = "readinessProbe: {httpGet: {path: /, port: http}, periodSeconds: 1}";

/// Connections of a load.
const CONNECTIONS: u64 = 8;

/// What became of a load.
#[derive(Debug)]
struct Outcome {
    good: u64,
    /// Failed, or answered with anything but 200.
    bad: u64,
}

/// A constant load of 200 requests a second from the client's pod on `web`. It goes on by itself there: what kubectl runs ends with
/// kubectl's connection.
struct Load {
    cluster: &'static Cluster,
    namespace: &'static str,
    seconds: u64,
}

impl Load {
    fn start(cluster: &'static Cluster, namespace: &'static str, seconds: u64) -> Self {
        let load = format!("h2load --h1 -D {seconds} -c {CONNECTIONS} --rps 25 http://web/ >/tmp/load 2>&1 </dev/null &");
        run(cluster, namespace, &["/bin/sh", "-c", &load]);
        Self { cluster, namespace, seconds }
    }

    fn outcome(self) -> Outcome {
        let mut text = String::new();
        for _ in 0..self.seconds + 30 {
            text = run(self.cluster, self.namespace, &["/bin/cat", "/tmp/load"]);
            if text.contains("requests:") {
                break;
            }
            thread::sleep(Duration::from_secs(1));
        }
        // requests: 6000 total, 6000 started, 6000 done, 6000 succeeded, 0 failed, 0 errored, 0 timeout
        let line =
            text.lines().find(|line| line.starts_with("requests:")).unwrap_or_else(|| panic!("the load does not end: {text}"));
        let number = |word: &str| {
            let part = line.split(',').find(|part| part.ends_with(word)).expect("its count");
            part.split_whitespace().find_map(|word| word.parse::<u64>().ok()).expect("a number")
        };
        Outcome { good: number("succeeded"), bad: number("failed") }
    }
}

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
    let Some(cluster) = shop("rolling", 2) else { return };
    let load = Load::start(cluster, "rolling", 45);
    let web = ["deployment/web"];
    cluster.kubectl(&["-n", "rolling", "rollout", "restart", "deployment/web"]);
    ready(cluster, "rolling", &web);
    cluster.kubectl(&["-n", "rolling", "rollout", "undo", "deployment/web"]);
    ready(cluster, "rolling", &web);
    cluster.kubectl(&["-n", "rolling", "scale", "deployment/web", "--replicas=3"]);
    ready(cluster, "rolling", &web);
    cluster.kubectl(&["-n", "rolling", "scale", "deployment/web", "--replicas=1"]);
    ready(cluster, "rolling", &web);
    let outcome = load.outcome();
    assert!(outcome.bad == 0 && outcome.good > 5000, "{outcome:?} {}", refusals(cluster, "rolling"));
}

#[test]
fn a_pod_that_is_killed_takes_no_more_with_it_than_it_held() {
    let _turn = together();
    let Some(cluster) = shop("killed", 2) else { return };
    let load = Load::start(cluster, "killed", 15);
    thread::sleep(Duration::from_secs(3));
    let pod = cluster.kubectl(&["-n", "killed", "get", "pods", "-l", "app=web", "-o", "jsonpath={.items[0].metadata.name}"]);
    cluster.kubectl(&["-n", "killed", "delete", "pod", &pod, "--grace-period=0", "--force"]);
    let outcome = load.outcome();
    assert!(outcome.bad <= CONNECTIONS && outcome.good > 2000, "{outcome:?}");
}

#[test]
fn traffic_goes_on_without_control_and_without_the_api_server() {
    let _turn = alone();
    let Some(cluster) = shop("alone", 1) else { return };
    let load = Load::start(cluster, "alone", 90);
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
    let outcome = load.outcome();
    assert!(outcome.bad == 0 && outcome.good > 5000, "{outcome:?} {}", refusals(cluster, "alone"));
}

/// Why the client's sidecar has refused what it refused.
fn refusals(cluster: &Cluster, namespace: &str) -> String {
    let metrics = run(cluster, namespace, &["curl", "-s", "http://127.0.0.1:17003/metrics"]);
    let told = metrics.lines().filter(|line| line.starts_with("weft_refusals_total") && !line.ends_with(" 0"));
    told.collect::<Vec<_>>().join("\n")
}

/// The process that serves the API of `cluster`, which runs in another pid namespace than we do.
fn api_server(cluster: &Cluster) -> Pid {
    let folder = cluster.kubeconfig().parent().expect("its folder").display().to_string();
    let processes =
        fs::read_dir("/proc").expect("processes").filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    let is_it = |id: &i32| {
        let line = fs::read_to_string(format!("/proc/{id}/cmdline")).unwrap_or_default();
        line.contains("kube-apiserver") && line.contains(&folder)
    };
    processes.filter(is_it).find_map(Pid::from_raw).expect("the API server")
}
