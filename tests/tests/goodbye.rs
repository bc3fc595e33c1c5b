//! A server that closes its HTTP/2 connections after so many requests, as servers do, costs no request.

use tests::Mesh;

const NGINX: &str = "
daemon off;
master_process off;
error_log stderr;
pid nginx.pid;
events {}
http {
  access_log off;
  keepalive_requests 100;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  server {
    listen 8080 http2;
    location / { return 200 \"well\\n\"; }
  }
}
";

const SHOP: &str = "
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: shop}
spec: {selector: {app: cart}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: weft.dev/v1alpha1
kind: Workload
metadata: {name: cart, namespace: shop, labels: {app: cart}}
spec:
  command: [sh, -c, 'mkdir -p run && exec nginx -c $PWD/nginx.conf -p $PWD/run']
  ports: [{containerPort: 8080}]
  readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 0.1}
";

/// Many requests, all of which must succeed; `more` is said to the load generator.
fn load(mesh: &Mesh, more: &[&str]) {
    let command = [&["h2load", "-n", "5000", "-c", "4", "-m", "4"], more, &["http://cart/"]].concat();
    let told = mesh.succeed("web", &command);
    assert!(told.contains("5000 succeeded, 0 failed, 0 errored"), "{told}");
}

#[test]
fn a_servers_goodbye_costs_no_request() {
    let mesh = Mesh::up_with(SHOP, &[("nginx.conf", NGINX)]);
    mesh.ready("cart-0");
    load(&mesh, &[]);
}

#[test]
fn a_servers_goodbye_costs_no_request_with_a_body() {
    let mesh = Mesh::up_with(SHOP, &[("nginx.conf", NGINX), ("body", "what is said")]);
    mesh.ready("cart-0");
    let body = mesh.folder().join("body");
    load(&mesh, &["-d", body.to_str().expect("a path")]);
}
