//! Control beside a real API server, which no node stands behind: pods are written by hand, as a kubelet would report them.

mod certificates;
mod following;
mod injection;
mod neighbours;
mod policies;
mod replicas;
mod routes;
mod statuses;

use tests::Cluster;

/// A namespace of a test's own, with a service account `web`; and the node that nobody is, for the cluster counts no pods
/// whose node it does not know.
fn namespace(cluster: &Cluster, name: &str) {
    cluster.apply(&format!(
        "apiVersion: v1\nkind: Node\nmetadata: {{name: nowhere}}\n---\n\
         apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}}}\n---\n\
         apiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: web, namespace: {name}}}\n"
    ));
}

/// A pod of the account `web`, scheduled to a node that nobody is, so that no kubelet reports anything else of it.
fn pod(cluster: &Cluster, namespace: &str, name: &str, annotations: &str) {
    cluster.apply(&format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: {namespace}, labels: {{app: web}}, annotations: {annotations}}}\n\
         spec:\n  serviceAccountName: web\n  nodeName: nowhere\n  containers: [{{name: app, image: web, ports: [{{containerPort: 8080, name: http}}]}}]\n"
    ));
}

/// Reports what a kubelet would: the pod runs, is ready, and has this address.
fn running(cluster: &Cluster, namespace: &str, name: &str, address: &str) {
    running_at(cluster, namespace, name, &[address]);
}

/// The same of a pod with an address of each family.
fn running_at(cluster: &Cluster, namespace: &str, name: &str, addresses: &[&str]) {
    let ips: Vec<String> = addresses.iter().map(|address| format!("{{\"ip\": \"{address}\"}}")).collect();
    let status = format!(
        "{{\"status\": {{\"phase\": \"Running\", \"podIP\": \"{}\", \"podIPs\": [{}], \
         \"conditions\": [{{\"type\": \"Ready\", \"status\": \"True\"}}]}}}}",
        addresses[0],
        ips.join(", ")
    );
    cluster.kubectl(&[
        "--namespace",
        namespace,
        "patch",
        "pod",
        name,
        "--subresource=status",
        "--type=merge",
        "--patch",
        &status,
    ]);
}
