//! An app that is called in four ways.

use tests::{APPS_IMAGE, Cluster, client, namespace, ready};

use super::shop::installed;

/// A Deployment `web` of nginx, Redis and a server of gRPC, and its Service. A container goes on until nobody calls it any more, and no stream
/// lasts longer than that.
const WEB: &str = r"
apiVersion: v1
kind: Service
metadata: {name: web, namespace: NAMESPACE}
spec:
  selector: {app: web}
  ports:
  - {name: one, port: 80, targetPort: 8080, appProtocol: http}
  - {name: two, port: 81, targetPort: 8081, appProtocol: kubernetes.io/h2c}
  - {name: streams, port: 9000, appProtocol: grpc}
  - {name: data, port: 6379, appProtocol: tcp}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: web, namespace: NAMESPACE}
data:
  nginx.conf: |
    daemon off; user root; pid /tmp/pid; error_log stderr; events {}
    http { access_log off; server { listen 8080; listen 8081 http2; location / { return 200; } } }
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: NAMESPACE}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: pages
        image: IMAGE
        command: [nginx, -c, /conf/nginx.conf]
        readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}
        lifecycle: {preStop: {sleep: {seconds: 3}}}
        volumeMounts: [{name: conf, mountPath: /conf}, {name: log, mountPath: /var/log/nginx}, {name: lib, mountPath: /var/lib/nginx}]
      - name: streams
        image: IMAGE
        command: [grpc-streams]
        readinessProbe: {grpc: {port: 9000}, periodSeconds: 1}
        lifecycle: {preStop: {sleep: {seconds: 3}}}
      - name: data
        image: IMAGE
        command: [redis-server, --save, '', --protected-mode, 'no']
        readinessProbe: {tcpSocket: {port: 6379}, periodSeconds: 1}
        lifecycle: {preStop: {sleep: {seconds: 3}}}
      volumes: [{name: conf, configMap: {name: web}}, {name: log, emptyDir: {}}, {name: lib, emptyDir: {}}]
";

/// A namespace with it and a client, under way.
pub(crate) fn market(name: &str) -> Option<&'static Cluster> {
    let cluster = installed()?;
    namespace(cluster, name, "enabled");
    cluster.apply(&WEB.replace("NAMESPACE", name).replace("IMAGE", APPS_IMAGE));
    cluster.apply(&client(name));
    ready(cluster, name, &["deployment/web", "pod/client"]);
    Some(cluster)
}
