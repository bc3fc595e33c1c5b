//! Several replicas of control have one root, and one of them leads.

use tests::{Cluster, eventually, free_port};

use super::{injection::injecting, namespace};

#[test]
fn two_replicas_have_one_root() {
    let cluster = Cluster::shared();
    namespace(cluster, "replicas");
    let flags = ["--ca-secret", "root", "--namespace", "replicas"];
    let controls = std::thread::scope(|scope| {
        let both = [(); 2].map(|()| scope.spawn(|| cluster.control(&flags)));
        both.map(|control| control.join().expect("control starts"))
    });
    let bundles = controls.each_ref().map(|control| std::fs::read_to_string(&control.bundle).expect("a bundle"));
    assert_eq!(bundles[0], bundles[1]);
    let kept = cluster.kubectl(&["-n", "replicas", "get", "secret", "root", "-o", "jsonpath={.type}"]);
    assert_eq!(kept, "kubernetes.io/tls");
}

#[test]
fn another_replica_leads_when_the_leader_has_gone() {
    let cluster = Cluster::shared();
    let leader = injecting(cluster, "leading");
    let port = free_port().to_string();
    let flags = ["--namespace", "leading", "--webhook-port", &port, "--webhook-name", "leading", "--replica", "other"];
    let _other = cluster.control(&flags);
    let get = |what: &[&str], path: &str| cluster.kubectl(&[&["-n", "leading", "get"], what, &["-o", path]].concat());
    let holder = || get(&["lease", "weft-control"], "jsonpath={.spec.holderIdentity}");
    assert_eq!(holder(), "leading");
    leader.stop();
    eventually("the other leads", || (holder() == "other").then_some(()));
    // It does what one is enough for.
    let root = || get(&["mutatingwebhookconfiguration", "leading"], "jsonpath={.webhooks[0].clientConfig.caBundle}");
    let before = root();
    let wiped = "[{\"op\": \"remove\", \"path\": \"/webhooks/0/clientConfig/caBundle\"}]";
    cluster.kubectl(&["patch", "mutatingwebhookconfiguration", "leading", "--type=json", "--patch", wiped]);
    eventually("the root is back", || (root() == before).then_some(()));
}
