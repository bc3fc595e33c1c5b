//! Who may call a pod.

use tests::{Cluster, client, eventually, namespace, ready};

use super::shop::{alone, installed, run, together, web};

/// Probes of every kind over the network.
const PROBES: &str = "readinessProbe: {httpGet: {path: /, port: http}, periodSeconds: 1}\n        \
    livenessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1, failureThreshold: 1}\n        \
    startupProbe: {exec: {command: [/bin/true]}, periodSeconds: 1}";

/// What the client of `namespace` is told by `web.guarded`.
fn told(cluster: &Cluster, namespace: &str) -> String {
    run(
        cluster,
        namespace,
        &["curl", "-s", "-m", "10", "-o", "/dev/null", "-w", "%{http_code} %header{weft-reason}", "http://web.guarded/"],
    )
}

fn policy(cluster: &Cluster, annotation: &str) {
    cluster.kubectl(&["annotate", "namespace", "guarded", "--overwrite", annotation]);
}

fn peer_authentication(namespace: &str, name: &str, spec: &str) -> String {
    format!(
        "apiVersion: weft.dev/v1alpha1\nkind: PeerAuthentication\nmetadata: {{name: {name}, namespace: {namespace}}}\nspec: {{{spec}}}\n"
    )
}

#[test]
fn probes_pass_under_strict_mutual_tls_and_where_nobody_may_call() {
    let _turn = together();
    let Some(cluster) = installed() else { return };
    namespace(cluster, "guarded", "enabled");
    namespace(cluster, "stranger", "disabled");
    policy(cluster, "weft.dev/default-policy=deny");
    cluster.apply(&web("guarded", 1, PROBES));
    for namespace in ["guarded", "stranger"] {
        cluster.apply(&client(namespace));
        ready(cluster, namespace, &["pod/client"]);
    }
    // It becomes ready, which its probes say, while nobody may call it.
    ready(cluster, "guarded", &["deployment/web"]);
    let is = |peer: &str, stranger: &str| {
        eventually("the policy is in force", || {
            (told(cluster, "guarded").trim() == peer && told(cluster, "stranger").trim() == stranger).then_some(())
        });
    };
    is("403 denied", "403 denied");
    policy(cluster, "weft.dev/default-policy=allow-authenticated");
    is("200", "403 unauthenticated");
    policy(cluster, "weft.dev/default-policy-");
    is("200", "200");
    policy(cluster, "weft.dev/default-policy=no-such-policy");
    is("403 denied", "403 denied");
    policy(cluster, "weft.dev/default-policy-");
    cluster.apply(&peer_authentication("guarded", "all", "mtls: {mode: STRICT}"));
    is("200", "403 unauthenticated");
    let single = "selector: {matchLabels: {app: web}}, portLevelMtls: {\"8080\": {mode: PERMISSIVE}}";
    cluster.apply(&peer_authentication("guarded", "web", single));
    is("200", "200");
    cluster.kubectl(&["-n", "guarded", "delete", "peerauthentication", "web"]);
    is("200", "403 unauthenticated");
    cluster.kubectl(&["-n", "guarded", "delete", "peerauthentication", "all"]);
    is("200", "200");
    let restarts = cluster.kubectl(&[
        "-n",
        "guarded",
        "get",
        "pods",
        "-l",
        "app=web",
        "-o",
        "jsonpath={.items[0].status.containerStatuses[0].restartCount}",
    ]);
    assert_eq!(restarts, "0", "no probe failed");
}

#[test]
fn a_policy_that_means_nothing_is_refused_with_its_pod() {
    let _turn = together();
    let Some(cluster) = installed() else { return };
    namespace(cluster, "mistaken", "enabled");
    let pod = client("mistaken").replace(
        "{name: client, namespace: mistaken}\nspec",
        "{name: client, namespace: mistaken, annotations: {weft.dev/default-policy: denied}}\nspec",
    );
    let refused = String::from_utf8_lossy(&cluster.try_apply(&pod).stderr).into_owned();
    let why = "weft.dev/default-policy: `denied` is not one of allow-all, allow-authenticated, deny";
    assert!(refused.contains(why), "{refused}");
}

#[test]
fn a_policy_for_the_mesh_is_in_controls_namespace_and_one_that_means_nothing_is_refused() {
    let _turn = alone();
    let Some(cluster) = installed() else { return };
    namespace(cluster, "everywhere", "enabled");
    namespace(cluster, "from-outside", "disabled");
    cluster.apply(&web("everywhere", 1, PROBES));
    cluster.apply(&client("from-outside"));
    ready(cluster, "everywhere", &["deployment/web"]);
    ready(cluster, "from-outside", &["pod/client"]);
    let told = || {
        run(
            cluster,
            "from-outside",
            &["curl", "-s", "-m", "10", "-o", "/dev/null", "-w", "%{http_code}", "http://web.everywhere/"],
        )
    };
    cluster.apply(&peer_authentication("weft-system", "mesh", "mtls: {mode: STRICT}"));
    eventually("the mesh is strict", || (told() == "403").then_some(()));
    cluster.kubectl(&["-n", "weft-system", "delete", "peerauthentication", "mesh"]);
    eventually("it is not any more", || (told() == "200").then_some(()));
    for (spec, why) in [
        ("mtls: {mode: strict}", "Unsupported value"),
        ("portLevelMtls: {\"80\": {mode: STRICT}}", "add selector.matchLabels"),
        ("selector: {matchLabels: {app: web}}, portLevelMtls: {\"99999\": {mode: STRICT}}", "a port is a number"),
    ] {
        let refused = cluster.try_apply(&peer_authentication("everywhere", "wrong", spec));
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && said.contains(why), "{spec}: {said}");
    }
}
