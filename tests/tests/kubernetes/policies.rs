//! Policies of our own kinds are followed as soon as the cluster has the kinds, and nothing waits for them.

use std::{fs, path::Path};

use tests::{Cluster, Control, eventually, free_port};

use super::namespace;

fn kind(plural: &str) -> String {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    fs::read_to_string(workspace.join(format!("deploy/chart-crds/templates/{plural}.yaml"))).expect("the definition")
}

fn known(control: &Control, kind: &str) -> String {
    let metrics = control.metrics();
    let series = format!("weft_control_objects{{kind=\"{kind}\"}} ");
    metrics.lines().find_map(|line| line.strip_prefix(&series)).unwrap_or_default().to_owned()
}

fn policies(control: &Control) -> String {
    known(control, "PeerAuthentication")
}

#[test]
fn a_cluster_need_not_have_our_kinds() {
    let cluster = Cluster::shared();
    namespace(cluster, "policies");
    // It starts, which it does not before it has read everything.
    let control = cluster.control(&["--ca-secret", "weft-ca-policies", "--namespace", "policies"]);
    assert_eq!(policies(&control), "0");
    cluster.apply(&kind("peerauthentications"));
    let policy = "apiVersion: weft.dev/v1alpha1\nkind: PeerAuthentication\nmetadata: {name: all, namespace: policies}\nspec: {mtls: {mode: STRICT}}\n";
    eventually("the API server knows the kind", || cluster.try_apply(policy).status.success().then_some(()));
    eventually("control knows the policy", || (policies(&control) == "1").then_some(()));
    cluster.kubectl(&["delete", "customresourcedefinition", "peerauthentications.weft.dev"]);
    eventually("it has gone with its kind", || (policies(&control) == "0").then_some(()));
}

#[test]
fn who_wrote_who_may_call_is_told_in_its_status() {
    let cluster = Cluster::shared();
    namespace(cluster, "guards");
    let port = free_port().to_string();
    let flags = ["--ca-secret", "weft-ca-guards", "--namespace", "guards", "--webhook-port", &port, "--webhook-name", "guards"];
    let _control = cluster.control(&flags);
    cluster.apply(&kind("authorizationpolicies"));
    let policy = |name: &str, spec: &str| {
        format!(
            "apiVersion: weft.dev/v1alpha1\nkind: AuthorizationPolicy\nmetadata: {{name: {name}, namespace: guards}}\nspec: {spec}\n"
        )
    };
    let lost = policy("lost", "{targetRefs: [{kind: Service, name: web}], rules: [{}]}");
    eventually("the API server knows the kind", || cluster.try_apply(&lost).status.success().then_some(()));
    // Fields that nobody knows are kept, so that they can be told.
    cluster.apply(&policy("half", "{rules: [{}, {form: [{source: {principals: [a]}}]}]}"));
    let told =
        |name: &str| cluster.kubectl(&["-n", "guards", "get", "authorizationpolicy", name, "-o", "jsonpath={.status.ancestors}"]);
    eventually("its target is told to be missing", || {
        let told = told("lost");
        (told.contains("weft.dev/control") && told.contains("TargetNotFound")).then_some(())
    });
    eventually("a mistake is told, with its field", || {
        let told = told("half");
        (told.contains("\"kind\":\"Namespace\"") && told.contains("PartiallyInvalid") && told.contains("spec.rules[1].form"))
            .then_some(())
    });
}

/// As much of a policy as a target and these sections.
fn traffic_policy(sections: &str) -> String {
    format!(
        "apiVersion: weft.dev/v1alpha1\nkind: TrafficPolicy\nmetadata: {{name: web, namespace: traffic}}\nspec:\n  \
         targetRefs: [{{kind: Service, name: web}}]\n{sections}"
    )
}

#[test]
fn traffic_policies_are_checked_by_the_api_server_and_followed() {
    let cluster = Cluster::shared();
    namespace(cluster, "traffic");
    // It leads, and so writes into their status what it tells of them.
    let (port, webhook) = (free_port().to_string(), ["--webhook-name", "traffic"]);
    let flags = ["--ca-secret", "weft-ca-traffic", "--namespace", "traffic", "--webhook-port", &port];
    let control = cluster.control(&[&flags[..], &webhook].concat());
    cluster.apply(&kind("trafficpolicies"));
    let whole = "  balancer: {type: Maglev, hashOn: [{header: x-user}, {cookie: {name: session, ttl: 1h}}, {source: true}], slowStart: 30s, zones: Prefer}\n  \
        outliers: {consecutiveFailures: 5, failureShare: {percent: 50, requests: 20}, latency: {factor: 5}, interval: 10s}\n  \
        limits: {connections: 100, requests: 1000, queue: {length: 100, time: 1s}}\n  retryBudget: {percent: 20}\n  \
        timeouts: {request: 10s, attempt: 2s, idle: 0s}\n  retries: {attempts: 2, retryOn: [reset, 5xx], backoff: {base: 25ms}, bodyMax: 64Ki}\n  \
        hedging: {after: 100ms}\n  faults: {delay: {time: 1s, percent: 0.5}, abort: {grpc: unavailable}}\n  \
        rateLimits: [{requests: 100, per: 1s, burst: 20, by: Client}]\n";
    eventually("the API server knows the kind", || cluster.try_apply(&traffic_policy(whole)).status.success().then_some(()));
    eventually("control tells that its target is not there", || {
        let told = control.config()["trafficPolicies"].to_string();
        (told.contains("TargetNotFound") && !told.contains("PartiallyInvalid")).then_some(())
    });
    assert_eq!(known(&control, "TrafficPolicy"), "1");
    let told = || cluster.kubectl(&["-n", "traffic", "get", "trafficpolicy", "web", "-o", "jsonpath={.status.ancestors}"]);
    let about = |told: &str| told.contains("weft.dev/control") && told.contains("\"kind\":\"Service\",\"name\":\"web\"");
    eventually("its status says so", || Some(told()).filter(|told| about(told) && told.contains("TargetNotFound")));
    cluster.apply("apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: traffic}\nspec: {ports: [{port: 80}]}\n");
    eventually("and that it is accepted", || {
        Some(told()).filter(|told| told.contains("\"Accepted\",\"status\":\"True\",\"type\""))
    });
    for wrong in [
        "  timeouts: {request: soon}\n",
        "  faults: {abort: {status: 503, grpc: unavailable}}\n",
        "  balancer: {type: Random, hashOn: [{source: true}]}\n",
        "  limits: {queue: {length: 1}}\n",
        "  retries: {retryOn: [whenever]}\n",
        "  rateLimits: [{requests: 0}]\n",
    ] {
        assert!(!cluster.try_apply(&traffic_policy(wrong)).status.success(), "{wrong}");
    }
    cluster.kubectl(&["-n", "traffic", "delete", "trafficpolicy", "web"]);
    eventually("it has gone", || (known(&control, "TrafficPolicy") == "0").then_some(()));
}
