//! An app that follows xDS itself, in a pod with an agent as `docs/operating/xds.md` describes it.

use tests::{APPS_IMAGE, WEFT_IMAGE, namespace, ready};

use super::shop::{installed, together};

const PAGE: &str = include_str!("../../../docs/operating/xds.md");

/// Servers of gRPC with sidecars, and a Service before them.
fn streams(replicas: u32) -> String {
    format!(
        "apiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: web, namespace: agents}}\n---\n\
         apiVersion: v1\nkind: Service\nmetadata: {{name: streams, namespace: agents}}\n\
         spec: {{selector: {{app: streams}}, ports: [{{name: grpc, port: 80, targetPort: 9000}}]}}\n---\n\
         apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: streams, namespace: agents}}\nspec:\n  replicas: {replicas}\n  \
         selector: {{matchLabels: {{app: streams}}}}\n  template:\n    metadata: {{labels: {{app: streams}}}}\n    \
         spec: {{containers: [{{name: app, image: {APPS_IMAGE}, command: [grpc-streams], ports: [{{containerPort: 9000}}], readinessProbe: {{grpc: {{port: 9000}}, periodSeconds: 1}}}}]}}\n"
    )
}

/// The pod of the page, with an app in it that waits.
fn caller() -> String {
    let spec = PAGE.split("```").find(|block| block.contains("weft-agent")).expect("the page has a pod");
    let spec = spec.strip_prefix("yaml\n").expect("in YAML").replace("weft:0.1.0", WEFT_IMAGE);
    let app = format!("  - name: app\n    image: {APPS_IMAGE}\n    command: [/bin/sleep, '100000']\n");
    let labels = "{app: caller, weft.dev/inject: disabled}";
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: caller, namespace: agents, labels: {labels}}}\n{}",
        spec.replace("  - name: app\n", &app)
    )
}

#[test]
fn grpc_in_a_pod_with_an_agent_finds_a_service_and_calls_it() {
    let _turn = together();
    let Some(cluster) = installed() else { return };
    namespace(cluster, "agents", "enabled");
    cluster.apply(&streams(2));
    cluster.apply(&caller());
    ready(cluster, "agents", &["deployment/streams", "pod/caller"]);
    let streams = ["grpc-streams", "-call=xds:///streams.agents:80", "-for=3s"];
    let said = cluster.kubectl(&[&["-n", "agents", "exec", "caller", "-c", "app", "--"], &streams[..]].concat());
    assert!(said.starts_with("requests: ") && said.contains(", 0 failed"), "{said}");
}
