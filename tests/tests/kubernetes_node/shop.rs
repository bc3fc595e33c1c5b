//! A mesh that is installed, and namespaces with apps in it.

use std::sync::{OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tests::{APPS_IMAGE, Cluster, WEFT_IMAGE, eventually, program, with_node};

/// How long a pod may take to become ready on a machine that is busy with other tests.
const READY: &str = "--timeout=90s";

/// Tests share one cluster, and one of them stops its API server.
static TURNS: RwLock<()> = RwLock::new(());

/// The turn of those that disturb nobody.
pub(crate) fn together() -> RwLockReadGuard<'static, ()> {
    TURNS.read().unwrap_or_else(PoisonError::into_inner)
}

/// The turn of one that disturbs everybody.
pub(crate) fn alone() -> RwLockWriteGuard<'static, ()> {
    TURNS.write().unwrap_or_else(PoisonError::into_inner)
}

/// Flags with which the mesh is installed.
pub(crate) const FLAGS: [&str; 4] = ["--image", WEFT_IMAGE, "--pull-policy", "Never"];

/// The cluster, with the mesh installed; `None` where pods cannot run.
pub(crate) fn installed() -> Option<&'static Cluster> {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    let cluster = with_node()?;
    INSTALLED.get_or_init(|| {
        cluster.apply(&manifests());
        cluster.kubectl(&["-n", "weft-system", "rollout", "status", "deployment/weft-control", READY]);
        settled(cluster);
    });
    Some(cluster)
}

/// What `weft install` prints.
pub(crate) fn manifests() -> String {
    let printed = program("weft").arg("install").args(FLAGS).output().expect("weft");
    assert!(printed.status.success());
    String::from_utf8_lossy(&printed.stdout).into_owned()
}

/// Waits until pods get sidecars.
pub(crate) fn settled(cluster: &Cluster) {
    eventually("the API server knows our root", || {
        let path = "jsonpath={.webhooks[*].clientConfig.caBundle}";
        let roots = cluster.kubectl(&["get", "mutatingwebhookconfiguration", "weft-injector", "-o", path]);
        (roots.split_whitespace().count() == 2).then_some(())
    });
    // The node's rules follow its endpoints a moment later.
    namespace(cluster, "tried", "enabled");
    eventually("the API server reaches the webhook", || {
        let tried = cluster.run(&["-n", "tried", "run", "tried", "--image=app", "--dry-run=server"]);
        tried.status.success().then_some(())
    });
}

/// A namespace whose pods are meshed, or not.
pub(crate) fn namespace(cluster: &Cluster, name: &str, inject: &str) {
    cluster
        .apply(&format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}, labels: {{weft.dev/inject: {inject}}}}}\n"));
}

/// A Deployment of nginx that answers with its pod's name, and its Service; `probes` are the kubelet's. nginx is not the first process of
/// its container, so that only probes can tell when it is gone.
pub(crate) fn web(namespace: &str, replicas: u32, probes: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: web, namespace: {namespace}}}\n---\n\
         apiVersion: v1\nkind: Service\nmetadata: {{name: web, namespace: {namespace}}}\n\
         spec: {{selector: {{app: web}}, ports: [{{name: http, port: 80, targetPort: 8080}}]}}\n---\n\
         apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: web, namespace: {namespace}}}\ndata:\n  nginx.conf: |\n    \
         daemon off; pid /tmp/pid; error_log stderr; events {{}}\n    \
         http {{ access_log off; client_body_temp_path /tmp/b; proxy_temp_path /tmp/p; fastcgi_temp_path /tmp/f; uwsgi_temp_path /tmp/u; scgi_temp_path /tmp/s;\n      \
         server {{ listen 8080; location / {{ return 200 \"$hostname caller=$http_weft_client_id\\n\"; }} }} }}\n---\n\
         apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web, namespace: {namespace}}}\nspec:\n  replicas: {replicas}\n  \
         selector: {{matchLabels: {{app: web}}}}\n  template:\n    metadata: {{labels: {{app: web}}}}\n    spec:\n      serviceAccountName: web\n      \
         containers:\n      - name: app\n        image: {APPS_IMAGE}\n        command: [/bin/sh, -c, \"/usr/sbin/nginx -c /conf/nginx.conf & trap 'exit 0' TERM; sleep 100000 & wait\"]\n        \
         ports: [{{containerPort: 8080, name: http}}]\n        {probes}\n        \
         lifecycle: {{preStop: {{sleep: {{seconds: 1}}}}}}\n        \
         volumeMounts: [{{name: conf, mountPath: /conf}}, {{name: tmp, mountPath: /tmp}}, {{name: log, mountPath: /var/log/nginx}}]\n      \
         volumes: [{{name: conf, configMap: {{name: web}}}}, {{name: tmp, emptyDir: {{}}}}, {{name: log, emptyDir: {{}}}}]\n"
    )
}

/// A pod called `client` from which others are called.
pub(crate) fn client(namespace: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: client, namespace: {namespace}}}\n---\n\
         apiVersion: v1\nkind: Pod\nmetadata: {{name: client, namespace: {namespace}}}\nspec:\n  serviceAccountName: client\n  \
         terminationGracePeriodSeconds: 1\n  containers: [{{name: app, image: {APPS_IMAGE}, command: [/bin/sleep, \"100000\"]}}]\n"
    )
}

/// Waits for what was applied.
pub(crate) fn ready(cluster: &Cluster, namespace: &str, what: &[&str]) {
    for what in what {
        match what.strip_prefix("pod/") {
            Some(_) => cluster.kubectl(&["-n", namespace, "wait", "--for=condition=Ready", what, READY]),
            None => cluster.kubectl(&["-n", namespace, "rollout", "status", what, READY]),
        };
    }
}

/// What a command in the client's pod says.
pub(crate) fn run(cluster: &Cluster, namespace: &str, command: &[&str]) -> String {
    cluster.kubectl(&[&["-n", namespace, "exec", "client", "-c", "app", "--"], command].concat())
}
