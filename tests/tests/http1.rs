//! HTTP/1.1 between real programs: curl calls nginx through two sidecars.

use tests::Mesh;

const NGINX: &str = "
daemon off;
master_process off;
error_log stderr;
pid /tmp/weft-nginx.pid;
events {}
http {
  access_log off;
  client_body_temp_path /tmp/weft-nginx-body;
  proxy_temp_path /tmp/weft-nginx-proxy;
  fastcgi_temp_path /tmp/weft-nginx-fastcgi;
  uwsgi_temp_path /tmp/weft-nginx-uwsgi;
  scgi_temp_path /tmp/weft-nginx-scgi;
  client_max_body_size 0;
  server {
    listen 8080;
    listen [::]:8080;
    location / { return 200 \"$hostname $http_host $request_method $request_uri\\n\"; }
    location /echo { proxy_pass http://127.0.0.1:8080/; }
  }
}
";

fn shop(replicas: u32) -> String {
    format!(
        "
apiVersion: v1
kind: Service
metadata: {{name: cart, namespace: shop}}
spec:
  selector: {{app: cart}}
  ports: [{{port: 80, targetPort: 8080}}]
---
apiVersion: weft.dev/v1alpha1
kind: Workload
metadata: {{name: cart, namespace: shop, labels: {{app: cart}}}}
spec:
  command: [nginx, -c, nginx.conf, -p, .]
  replicas: {replicas}
  serviceAccountName: cart
  ports: [{{containerPort: 8080}}]
  readinessProbe: {{tcpSocket: {{port: 8080}}, periodSeconds: 0.1}}
"
    )
}

fn curl(mesh: &Mesh, name: &str, url: &str) -> String {
    mesh.succeed(name, &["curl", "-sS", "--fail-with-body", "--max-time", "10", url])
}

#[test]
fn curl_reaches_nginx_by_every_name_and_the_hop_is_mutual_tls() {
    let mesh = Mesh::up_with(&shop(2), &[("nginx.conf", NGINX)]);
    mesh.ready("cart-0");
    mesh.ready("cart-1");
    for host in ["cart", "cart.shop", "cart.shop.svc.cluster.local"] {
        let answer = curl(&mesh, "web", &format!("http://{host}/some/path?x=1"));
        assert!(answer.contains(&format!("{host} GET /some/path?x=1")), "{answer}");
    }
    let count =
        "for i in $(seq 50); do curl -sS --fail --max-time 10 http://cart/; done; curl -sS http://127.0.0.1:17003/metrics";
    let told = mesh.succeed("web", &["sh", "-c", count]);
    let requests = told.lines().filter(|line| line.starts_with("http_client_request_duration_seconds_count"));
    let requests: Vec<&str> = requests.collect();
    assert!(!requests.is_empty(), "{told}");
    for line in requests {
        for label in [
            "client_identity=\"spiffe://cluster.local/ns/shop/sa/web\"",
            "server_identity=\"spiffe://cluster.local/ns/shop/sa/cart\"",
            "server_workload=\"cart\"",
            "tls=\"mutual\"",
            "http_response_status_code=\"200\"",
        ] {
            assert!(line.contains(label), "{label} is not in {line}");
        }
    }
}

#[test]
fn a_service_that_does_not_exist_has_no_name_and_one_without_pods_says_so() {
    let empty = "
apiVersion: v1
kind: Service
metadata: {name: ghost, namespace: shop}
spec: {selector: {app: ghost}, ports: [{port: 80}]}
";
    let mesh = Mesh::up(empty);
    let output = mesh.run("web", &["curl", "-sS", "-i", "--max-time", "10", "http://ghost/"]);
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.starts_with("HTTP/1.1 503") && told.contains("weft-reason: no_endpoint"), "{told}");
    assert!(told.contains("ghost.shop.svc.cluster.local:80 has no endpoint that is ready"), "{told}");
    let output = mesh.run("web", &["curl", "-sS", "--max-time", "10", "http://nobody/"]);
    assert_eq!(output.status.code(), Some(6), "curl could not resolve it: {}", String::from_utf8_lossy(&output.stderr));
}
