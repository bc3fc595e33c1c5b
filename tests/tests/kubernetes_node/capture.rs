//! Nothing of what a meshed pod says to another crosses the node's bridge in plaintext.

use std::{
    io::{BufRead as _, BufReader},
    process::{ChildStderr, Stdio},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tests::{Cluster, client, namespace, ready};

use super::{
    node::on_the_node,
    shop::{installed_on_our_own, run, together, web},
};

const SECRET: &str = "attack-at-dawn-4711";

/// Beginnings of records of TLS: a handshake's, and the app's bytes.
const RECORDS: [&[u8]; 2] = [&[0x16, 0x03], &[0x17, 0x03, 0x03]];

/// What heads of HTTP have in them.
const HEADS: [&[u8]; 4] = [SECRET.as_bytes(), b"HTTP/1.1", b"POST ", b"PRI * HTTP/2.0"];

#[test]
fn a_capture_of_the_bridge_shows_tls_between_meshed_pods_and_nothing_else() {
    let _turn = together();
    let Some(cluster) = installed_on_our_own() else { return };
    namespace(cluster, "captured", "enabled");
    namespace(cluster, "uncovered", "disabled");
    cluster.apply(&web("captured", 1, ""));
    ready(cluster, "captured", &["deployment/web"]);
    let server = address(cluster, "captured", "web");
    let captured = |namespace: &str| {
        cluster.apply(&client(namespace).replace("metadata: {name: client,", "metadata: {name: client, labels: {app: client},"));
        ready(cluster, namespace, &["pod/client"]);
        between(cluster, [&server, &address(cluster, namespace, "client")], || {
            let answer = run(cluster, namespace, &["curl", "-sS", "-m", "10", "--data", SECRET, "http://web.captured/"]);
            assert!(answer.starts_with("web-"), "{answer}");
        })
    };
    let seen = |capture: &[u8], part: &[u8]| capture.windows(part.len()).any(|window| window == part);
    let meshed = captured("captured");
    assert!(RECORDS.iter().all(|record| seen(&meshed, record)), "there is no TLS");
    for head in HEADS {
        assert!(!seen(&meshed, head), "{} is on the wire", String::from_utf8_lossy(head));
    }
    // The same capture does see plaintext, or it would prove nothing.
    let plain = captured("uncovered");
    assert!(HEADS[..3].iter().all(|head| seen(&plain, head)), "the capture does not see what is said in plaintext");
}

/// The address of the one pod of an app.
fn address(cluster: &Cluster, namespace: &str, app: &str) -> String {
    let selector = format!("app={app}");
    cluster.kubectl(&["-n", namespace, "get", "pods", "-l", &selector, "-o", "jsonpath={.items[0].status.podIP}"])
}

/// Every packet between two addresses during `work`.
fn between(cluster: &Cluster, [one, other]: [&str; 2], work: impl FnOnce()) -> Vec<u8> {
    let filter = format!("tcp and host {one} and host {other}");
    let tcpdump = ["tcpdump", "-i", "cni0", "-s", "0", "-U", "-n", "--immediate-mode", "-w", "-", &filter];
    let mut tcpdump = on_the_node(cluster, &tcpdump).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("tcpdump");
    begun(&mut BufReader::new(tcpdump.stderr.take().expect("its errors")));
    work();
    thread::sleep(Duration::from_millis(300));
    let id = i32::try_from(tcpdump.id()).ok().and_then(Pid::from_raw).expect("a process id");
    kill_process(id, Signal::INT).expect("it runs");
    tcpdump.wait_with_output().expect("it ends").stdout
}

/// Returns when it captures.
fn begun(said: &mut BufReader<ChildStderr>) {
    let mut line = String::new();
    while !line.contains("listening on") {
        line.clear();
        assert!(said.read_line(&mut line).expect("tcpdump speaks") > 0, "tcpdump cannot capture");
    }
}
