//! Probes of every kind go through sidecars, and tell the kubelet what the app would have.

use tests::{APPS_IMAGE, eventually, namespace, ready};

use super::shop::{installed, together};

/// A container for each kind, asked in that way for everything that can be asked.
const WELL: &str = r"
apiVersion: v1
kind: Pod
metadata: {name: well, namespace: probed}
spec:
  containers:
  - name: pages
    image: IMAGE
    command: [/bin/busybox, httpd, -f, -p, '8080', -h, /etc/nginx]
    ports: [{name: pages, containerPort: 8080}]
    startupProbe: &pages {httpGet: {path: /mime.types, port: pages}, periodSeconds: 1}
    livenessProbe: *pages
    readinessProbe: *pages
  - name: data
    image: IMAGE
    command: [redis-server, --save, '', --protected-mode, 'no']
    startupProbe: &data {tcpSocket: {port: 6379}, periodSeconds: 1}
    livenessProbe: *data
    readinessProbe: *data
  - name: streams
    image: IMAGE
    command: [grpc-streams]
    startupProbe: &streams {grpc: {port: 9000}, periodSeconds: 1}
    livenessProbe: *streams
    readinessProbe: *streams
  - name: command
    image: IMAGE
    command: [/bin/sleep, '100000']
    startupProbe: &command {exec: {command: [/bin/true]}, periodSeconds: 1}
    livenessProbe: *command
    readinessProbe: *command
";

/// The same apps, asked for what they do not have.
const ILL: &str = r"
apiVersion: v1
kind: Pod
metadata: {name: ill, namespace: probed}
spec:
  containers:
  - name: pages
    image: IMAGE
    command: [/bin/busybox, httpd, -f, -p, '8080', -h, /etc/nginx]
    readinessProbe: {httpGet: {path: /nothing, port: 8080}, periodSeconds: 1}
  - name: data
    image: IMAGE
    command: [redis-server, --save, '', --protected-mode, 'no']
    readinessProbe: {tcpSocket: {port: 6380}, periodSeconds: 1}
  - name: streams
    image: IMAGE
    command: [grpc-streams]
    readinessProbe: {grpc: {port: 9000, service: nothing}, periodSeconds: 1}
  - name: command
    image: IMAGE
    command: [/bin/sleep, '100000']
    readinessProbe: {exec: {command: [/bin/false]}, periodSeconds: 1}
";

#[test]
fn every_kind_of_probe_passes_and_fails_as_the_app_does() {
    let _turn = together();
    let Some(cluster) = installed() else { return };
    namespace(cluster, "probed", "enabled");
    cluster.apply(&WELL.replace("IMAGE", APPS_IMAGE));
    cluster.apply(&ILL.replace("IMAGE", APPS_IMAGE));
    // Its startup and its readiness probes have passed.
    ready(cluster, "probed", &["pod/well"]);
    let unhealthy = |pod: &str| {
        let path = format!("jsonpath={{.items[?(@.involvedObject.name==\"{pod}\")].involvedObject.fieldPath}}");
        cluster.kubectl(&["-n", "probed", "get", "events", "--field-selector=reason=Unhealthy", "-o", &path])
    };
    eventually("the kubelet finds every container ill that is", || {
        let told = unhealthy("ill");
        ["pages", "data", "streams", "command"].iter().all(|name| told.contains(&format!("{{{name}}}"))).then_some(())
    });
    let states = |pod: &str, field: &str| {
        let path = format!("jsonpath={{.status.containerStatuses[*].{field}}}");
        cluster.kubectl(&["-n", "probed", "get", "pod", pod, "-o", &path])
    };
    assert_eq!(states("ill", "ready"), "false false false false");
    // Its liveness probes pass, too.
    assert_eq!(states("well", "ready"), "true true true true");
    assert_eq!(states("well", "restartCount"), "0 0 0 0");
}
