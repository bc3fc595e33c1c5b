//! Endpoints come and go under load, and no request notices.

use std::{
    thread,
    time::{Duration, SystemTime},
};

use tests::{Mesh, eventually};

/// Every answer is logged with its time; nginx names its pod by the address it was reached at.
const NGINX: &str = "
daemon off;
master_process off;
error_log stderr;
pid nginx.pid;
events {}
http {
  log_format when 'served $msec';
  access_log /dev/stdout when;
  client_body_temp_path /tmp/weft-nginx-body;
  proxy_temp_path /tmp/weft-nginx-proxy;
  fastcgi_temp_path /tmp/weft-nginx-fastcgi;
  uwsgi_temp_path /tmp/weft-nginx-uwsgi;
  scgi_temp_path /tmp/weft-nginx-scgi;
  server {
    listen 8080;
    location / { return 200 \"ok\\n\"; }
  }
}
";

fn service(selector: &str) -> String {
    format!(
        "
apiVersion: v1
kind: Service
metadata: {{name: cart, namespace: shop}}
spec:
  selector: {{{selector}}}
  ports: [{{port: 80, targetPort: 8080}}]
---"
    )
}

fn workload(name: &str, replicas: u32) -> String {
    format!(
        "
apiVersion: weft.dev/v1alpha1
kind: Workload
metadata: {{name: {name}, namespace: shop, labels: {{app: cart, version: {name}}}}}
spec:
  command: [sh, -c, 'd=$(mktemp -d) && trap \"rm -rf $d\" EXIT && cp nginx.conf $d && nginx -c $d/nginx.conf -p $d & trap \"kill -QUIT $!; wait $!\" TERM; wait $!']
  replicas: {replicas}
  serviceAccountName: cart
  ports: [{{containerPort: 8080}}]
  readinessProbe: {{tcpSocket: {{port: 8080}}, periodSeconds: 0.1}}
---"
    )
}

/// Times, in Unix seconds, at which `pod` served a request.
fn served(mesh: &Mesh, pod: &str) -> Vec<f64> {
    let log = mesh.log();
    let lines = log.lines().filter_map(|line| line.strip_prefix(&format!("shop/{pod} | served ")));
    lines.filter_map(|time| time.trim().parse().ok()).collect()
}

#[allow(clippy::disallowed_methods)]
fn now() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock after 1970").as_secs_f64()
}

/// What the mesh owes: the time from an edit until the last proxy has heeded it.
const OWED: f64 = 0.25;

#[test]
fn an_endpoint_that_leaves_gets_no_new_request_and_one_that_comes_is_used_and_none_fails() {
    let both = [workload("one", 1), workload("two", 1)].concat();
    let with = |selector: &str| format!("{}{both}", service(selector));
    let mesh = Mesh::up_with(&with("app: cart"), &[("nginx.conf", NGINX)]);
    mesh.ready("one-0");
    mesh.ready("two-0");
    // 8 connections that stay open: what matters is where each next request goes.
    let mut load = mesh.start("web", &["h2load", "--h1", "-D", "6", "-c", "8", "-t", "1", "http://cart/"]);
    eventually("both are used", || (!served(&mesh, "one-0").is_empty() && !served(&mesh, "two-0").is_empty()).then_some(()));

    let left = now();
    mesh.edit(&with("version: one"));
    thread::sleep(Duration::from_secs(1));
    let last = served(&mesh, "two-0").into_iter().fold(0.0, f64::max);
    assert!(last < left + OWED, "two-0 served a request {:.3} s after the edit that removed it", last - left);

    let came = now();
    mesh.edit(&with("app: cart"));
    let first = eventually("two-0 is used again", || served(&mesh, "two-0").into_iter().find(|time| *time > came));
    assert!(first < came + OWED, "two-0 served its first request only {:.3} s after the edit that added it", first - came);

    all_succeeded(&load.output().stdout);
}

#[test]
fn replicas_started_and_stopped_under_load_cost_no_request() {
    let with = |replicas: u32| [service("app: cart"), workload("one", replicas)].concat();
    let mesh = Mesh::up_with(&with(2), &[("nginx.conf", NGINX)]);
    mesh.ready("one-0");
    mesh.ready("one-1");
    let mut load = mesh.start("web", &["h2load", "--h1", "-D", "9", "-c", "8", "-t", "1", "http://cart/"]);
    eventually("the load runs", || (!served(&mesh, "one-0").is_empty()).then_some(()));
    mesh.edit(&with(3));
    eventually("the third replica is used", || (!served(&mesh, "one-2").is_empty()).then_some(()));
    mesh.edit(&with(1));
    thread::sleep(Duration::from_secs(3));
    mesh.edit(&with(2));
    all_succeeded(&load.output().stdout);
}

/// h2load's own count.
fn all_succeeded(output: &[u8]) {
    let told = String::from_utf8_lossy(output);
    let line = told.lines().find(|line| line.starts_with("requests:")).unwrap_or_else(|| panic!("no count in:\n{told}"));
    assert!(line.contains(" 0 failed, 0 errored, 0 timeout"), "{told}");
    let total: u64 = line.split_whitespace().nth(1).and_then(|count| count.parse().ok()).expect("a count");
    assert!(total > 1000, "{told}");
    let statuses = told.lines().find(|line| line.starts_with("status codes:")).expect("statuses");
    assert!(statuses.contains(" 0 3xx, 0 4xx, 0 5xx"), "{told}");
}
