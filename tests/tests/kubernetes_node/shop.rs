//! A mesh that is installed, and namespaces with apps in it.

use std::sync::{OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tests::{APPS_IMAGE, Cluster, install, program, with_node};

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

/// The cluster, with the mesh installed; `None` where pods cannot run.
pub(crate) fn installed() -> Option<&'static Cluster> {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    let cluster = with_node()?;
    INSTALLED.get_or_init(|| install(cluster, program("weft"), &[]));
    Some(cluster)
}

/// The same, if it is ours to stop, to look into and to take the mesh out of.
pub(crate) fn installed_on_our_own() -> Option<&'static Cluster> {
    let cluster = installed()?;
    if !cluster.is_ours() {
        eprintln!("\n!!! NOT TRIED: this needs a cluster that nobody else uses\n");
        return None;
    }
    Some(cluster)
}

/// A Deployment of nginx that answers with its pod's name, and its Service; `probes` are the kubelet's. nginx is not the first process of
/// its container, so that only probes can tell when it is gone.
pub(crate) fn web(namespace: &str, replicas: u32, probes: &str) -> String {
    served(namespace, "", "Deployment", &format!("replicas: {replicas}"), probes)
}

/// The same as a StatefulSet, whose pods have names by its headless Service.
pub(crate) fn web_with_names(namespace: &str, probes: &str) -> String {
    served(namespace, "clusterIP: None, ", "StatefulSet", "serviceName: web", probes)
}

fn served(namespace: &str, service: &str, kind: &str, spec: &str, probes: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: web, namespace: {namespace}}}\n---\n\
         apiVersion: v1\nkind: Service\nmetadata: {{name: web, namespace: {namespace}}}\n\
         spec: {{{service}selector: {{app: web}}, ports: [{{name: http, port: 80, targetPort: 8080}}]}}\n---\n\
         apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: web, namespace: {namespace}}}\ndata:\n  nginx.conf: |\n    \
         daemon off; pid /tmp/pid; error_log stderr; events {{}}\n    \
         http {{ access_log off; client_body_temp_path /tmp/b; proxy_temp_path /tmp/p; fastcgi_temp_path /tmp/f; uwsgi_temp_path /tmp/u; scgi_temp_path /tmp/s;\n      \
         server {{ listen 8080; location / {{ return 200 \"$hostname caller=$http_weft_client_id\\n\"; }} }} }}\n---\n\
         apiVersion: apps/v1\nkind: {kind}\nmetadata: {{name: web, namespace: {namespace}}}\nspec:\n  {spec}\n  \
         selector: {{matchLabels: {{app: web}}}}\n  template:\n    metadata: {{labels: {{app: web}}}}\n    spec:\n      serviceAccountName: web\n      \
         containers:\n      - name: app\n        image: {APPS_IMAGE}\n        command: [/bin/sh, -c, \"/usr/sbin/nginx -c /conf/nginx.conf & trap 'exit 0' TERM; sleep 100000 & wait\"]\n        \
         ports: [{{containerPort: 8080, name: http}}]\n        {probes}\n        \
         lifecycle: {{preStop: {{sleep: {{seconds: 1}}}}}}\n        \
         volumeMounts: [{{name: conf, mountPath: /conf}}, {{name: tmp, mountPath: /tmp}}, {{name: log, mountPath: /var/log/nginx}}]\n      \
         volumes: [{{name: conf, configMap: {{name: web}}}}, {{name: tmp, emptyDir: {{}}}}, {{name: log, emptyDir: {{}}}}]\n"
    )
}

/// What a command in the client's pod says.
pub(crate) fn run(cluster: &Cluster, namespace: &str, command: &[&str]) -> String {
    cluster.kubectl(&[&["-n", namespace, "exec", "client", "-c", "app", "--"], command].concat())
}
