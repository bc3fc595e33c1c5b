//! Calls from outside of the cluster arrive at meshed pods.

use tests::{Cluster, eventually, namespace, ready};

use super::{
    node::{ADDRESS, on_the_node},
    shop::{installed_on_our_own, together, web},
};

/// An address that a balancer in front of the cluster would have.
const BALANCER: &str = "192.0.2.1";

#[test]
fn ports_of_the_node_and_balancers_lead_to_meshed_pods() {
    let _turn = together();
    let Some(cluster) = installed_on_our_own() else { return };
    namespace(cluster, "entered", "enabled");
    cluster.apply(&web("entered", 1, ""));
    cluster.apply(
        "apiVersion: v1\nkind: Service\nmetadata: {name: entrance, namespace: entered}\n\
         spec: {type: LoadBalancer, selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}\n",
    );
    let status = format!("{{\"status\": {{\"loadBalancer\": {{\"ingress\": [{{\"ip\": \"{BALANCER}\"}}]}}}}}}");
    cluster.kubectl(&[
        "-n",
        "entered",
        "patch",
        "service",
        "entrance",
        "--subresource=status",
        "--type=merge",
        "--patch",
        &status,
    ]);
    ready(cluster, "entered", &["deployment/web"]);
    let port = cluster.kubectl(&["-n", "entered", "get", "service", "entrance", "-o", "jsonpath={.spec.ports[0].nodePort}"]);
    for entrance in [format!("http://{ADDRESS}:{port}/"), format!("http://{BALANCER}/")] {
        // The node's rules follow its endpoints a moment later.
        let answer = eventually(&entrance, || answer(cluster, &entrance));
        assert!(answer.starts_with("web-") && answer.trim_end().ends_with("caller="), "{entrance}: {answer}");
    }
}

/// What is answered on the node's network.
fn answer(cluster: &Cluster, url: &str) -> Option<String> {
    let asked = on_the_node(cluster, &["curl", "-sSf", "-m", "5", url]).output().expect("curl");
    asked.status.success().then(|| String::from_utf8_lossy(&asked.stdout).into_owned())
}
