//! Routes of the Gateway API are followed where the cluster has its kinds.

use serde_json::Value;
use tests::{Cluster, Control, eventually};

use super::namespace;

/// The kinds, as far as an API server needs them to keep objects: Weft installs none of them, and reads them leniently.
fn kind(kind: &str, plural: &str, version: &str) -> String {
    format!(
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n  name: {plural}.gateway.networking.k8s.io\n  \
         annotations: {{api-approved.kubernetes.io: unapproved}}\nspec:\n  group: gateway.networking.k8s.io\n  scope: Namespaced\n  \
         names: {{kind: {kind}, listKind: {kind}List, plural: {plural}, singular: {}}}\n  versions:\n  - name: {version}\n    served: true\n    \
         storage: true\n    subresources: {{status: {{}}}}\n    schema: {{openAPIV3Schema: {{type: object, x-kubernetes-preserve-unknown-fields: true}}}}\n",
        kind.to_lowercase()
    )
}

/// Tells the API server of them.
pub(crate) fn kinds(cluster: &Cluster) {
    let kinds = [
        kind("HTTPRoute", "httproutes", "v1"),
        kind("GRPCRoute", "grpcroutes", "v1"),
        kind("TCPRoute", "tcproutes", "v1alpha2"),
        kind("TLSRoute", "tlsroutes", "v1alpha3"),
        kind("ReferenceGrant", "referencegrants", "v1beta1"),
    ];
    cluster.apply(&kinds.join("---\n"));
}

/// The conditions of the route `name`, as control tells them.
fn conditions(control: &Control, name: &str) -> Option<String> {
    let config = control.config();
    let routes = config["routes"].as_array()?;
    let ours = |route: &&Value| route["namespace"] == "routed" && route["name"] == name;
    routes.iter().find(ours).map(ToString::to_string)
}

#[test]
fn routes_come_and_go_with_their_kinds() {
    let cluster = Cluster::shared();
    namespace(cluster, "routed");
    let control = cluster.control(&["--ca-secret", "weft-ca-routed", "--namespace", "routed"]);
    kinds(cluster);
    let route = "apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: routed}\nspec: {ports: [{port: 80}]}\n---\n\
        apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: web, namespace: routed}\nspec:\n  \
        parentRefs: [{group: '', kind: Service, name: web}]\n  rules: [{backendRefs: [{name: web, port: 80}, {name: nobody, port: 80}]}]\n";
    eventually("the API server knows the kinds", || cluster.try_apply(route).status.success().then_some(()));
    eventually("control tells what is wrong with it", || {
        conditions(&control, "web").filter(|said| said.contains("Accepted") && said.contains("BackendNotFound"))
    });
    cluster.kubectl(&["-n", "routed", "delete", "httproute", "web"]);
    eventually("it has gone", || conditions(&control, "web").is_none().then_some(()));
    // Each in the version that the cluster serves.
    for (kind, version) in [("GRPCRoute", "v1"), ("TCPRoute", "v1alpha2"), ("TLSRoute", "v1alpha3")] {
        let name = kind.to_lowercase();
        cluster.apply(&format!(
            "apiVersion: gateway.networking.k8s.io/{version}\nkind: {kind}\nmetadata: {{name: {name}, namespace: routed}}\nspec:\n  \
             parentRefs: [{{group: '', kind: Service, name: web}}]\n  rules: [{{backendRefs: [{{name: web, port: 80}}]}}]\n"
        ));
        eventually("control knows it", || conditions(&control, &name).filter(|said| said.contains(kind)));
    }
}
