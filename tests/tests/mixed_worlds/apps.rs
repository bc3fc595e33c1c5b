//! Two apps that every test here uses: nginx for HTTP, and a greeter for bytes; and their clients.

use serde_json::{Value, json};
use tests::{App, Mesh, script};

/// For every mesh that has [`nginx`] apps. It answers with the address it was called at, and has a port that no service declares.
pub const NGINX: &str = "
daemon off;
master_process off;
error_log stderr;
events {}
http {
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  server {
    listen 8080;
    listen [::]:8080;
    listen 9999;
    location / { return 200 \"nginx at $server_addr:$server_port\\n\"; }
  }
}
";

/// nginx behind ports 80 and 8080 of its service.
pub fn nginx(name: &str) -> App {
    let command = ["nginx", "-c", "nginx.conf", "-p", ".", "-g", &format!("pid {name}.pid;")];
    App::new(name, 8080, &command)
        .ports(json!([{"name": "usual", "port": 80, "targetPort": 8080}, {"name": "same", "port": 8080}]))
}

/// The greeter behind port 2525 of its service.
pub fn greeter(name: &str) -> App {
    App::new(name, 2525, &["python3", "-u", &script("greeter.py")])
}

/// What a greeter says, when all is well.
pub const GREETED: &str = "220 welcome 250 hello\n";

/// A shell command that fetches a page, with `curl`'s options before its address.
pub fn get(address: &str) -> String {
    format!("curl -sS --max-time 8 {address}")
}

/// A shell command that hears a greeter.
pub fn hear(host: &str, port: u16, family: &str) -> String {
    format!("python3 {} {host} {port} {family}", script("hello.py"))
}

/// A shell command that tells what a pod's own sidecar has counted.
pub const METRICS: &str = "curl -sS --max-time 8 http://127.0.0.1:17003/metrics";

/// Runs shell commands in the pod of an app, one after the other.
pub fn inside(mesh: &Mesh, pod: &str, commands: &[String]) -> String {
    mesh.succeed_inside(pod, &["sh", "-c", &commands.join("; ")])
}

/// Lines of `metrics` that begin with `name` and have all these labels.
pub fn series<'a>(metrics: &'a str, name: &str, labels: &[(&str, &str)]) -> Vec<&'a str> {
    let labels: Vec<String> = labels.iter().map(|(label, value)| format!("{label}=\"{value}\"")).collect();
    let matches = |line: &&str| line.starts_with(name) && labels.iter().all(|label| line.contains(label));
    metrics.lines().filter(matches).collect()
}

/// The sum of these lines' values.
pub fn sum(series: &[&str]) -> f64 {
    series.iter().filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

/// A pod with a sidecar, to run clients in for longer than one command.
pub fn client() -> App {
    App::new("client", 9, &["sleep", "infinity"]).workload("ports", Value::Array(Vec::new()))
}
