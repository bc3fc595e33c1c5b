//! The mesh: four servers that read HTTP/1.1, each in its own way, and all write down what they read.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::{Value, json};
use tests::{App, Mesh, manifests, script};

use crate::{case::Read, exchange};

/// The services. Behind nginx and HAProxy there is another recorder, which tells what these made of a request.
pub const BACKENDS: [&str; 4] = ["recorder", "nginx", "haproxy", "hyper"];

/// Which proxies are on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// An app's captured call, through its own sidecar and the server's.
    Mesh,
    /// Plaintext from a pod without a sidecar, straight to the server's.
    Inbound,
    /// An app's captured call to a server without a sidecar.
    Outbound,
}

const NGINX: &str = "
daemon off;
master_process off;
error_log stderr;
pid nginx.pid;
events {}
http {
  access_log off;
  client_body_temp_path nginx-body;
  proxy_temp_path nginx-proxy;
  fastcgi_temp_path nginx-fastcgi;
  uwsgi_temp_path nginx-uwsgi;
  scgi_temp_path nginx-scgi;
  client_max_body_size 0;
  large_client_header_buffers 4 64k;
  ignore_invalid_headers off;
  underscores_in_headers on;
  server {
    listen 8080;
    location / {
      proxy_pass http://127.0.0.1:9000;
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Connection close;
    }
  }
}
";

const HAPROXY: &str = "
global
  tune.bufsize 65536
  tune.http.maxhdr 256
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
frontend in
  bind :8080
  default_backend out
backend out
  http-reuse never
  server recorder 127.0.0.1:9000
";

/// Brings it up.
pub fn up(way: Way) -> Mesh {
    let recorder = script("smuggling/recorder.py");
    let before = |name: &str, front: &str| format!("python3 {recorder} 9000 {name}.log & exec {front}");
    let apps = [
        server(way, "recorder", &["python3", &recorder, "8080", "recorder.log"]),
        server(way, "nginx", &["bash", "-c", &before("nginx", "nginx -c nginx.conf -p .")]),
        server(way, "haproxy", &["bash", "-c", &before("haproxy", "haproxy -db -f haproxy.cfg")]),
        server(way, "hyper", &[env!("CARGO_BIN_EXE_hyper_recorder"), "8080", "hyper.log"]),
        exchange::outside(),
    ];
    let mesh = Mesh::up_with(&manifests(&apps), &[("nginx.conf", NGINX), ("haproxy.cfg", HAPROXY)]);
    for name in BACKENDS {
        mesh.ready(&format!("{name}-0"));
    }
    mesh
}

/// A server of HTTP, with a sidecar or without as the way wants it. Its port is declared, so that malformed bytes are a
/// malformed request and not opaque.
pub fn server(way: Way, name: &str, command: &[&str]) -> App {
    let ports = |number: &str| json!([{number: 8080, "appProtocol": "http"}]);
    undeclared_server(way, name, command).ports(ports("port")).workload("ports", ports("containerPort"))
}

/// The same, of nobody knows what. Who has no sidecar calls the pod itself, so the service has the same port.
pub fn undeclared_server(way: Way, name: &str, command: &[&str]) -> App {
    let app = App::new(name, 8080, command)
        .workload("readinessProbe", json!({"tcpSocket": {"port": 8080}, "periodSeconds": 0.1}))
        .workload("terminationGracePeriodSeconds", json!(1));
    if way == Way::Outbound { app.unmeshed() } else { app }
}

/// What a backend read of one sequence.
#[derive(Debug, Default)]
pub struct Seen {
    pub reads: Vec<Read>,
    /// Requests whose head arrived, the whole ones included.
    pub begun: usize,
    /// What was wrong with what the proxy sent, for a strict reader.
    pub malformed: Vec<String>,
}

/// What a backend wrote down, by the number of the sequence: what tells its number, and of the rest everything before its mark.
pub fn seen(folder: &Path, backend: &str) -> BTreeMap<usize, Seen> {
    let log = fs::read_to_string(folder.join(format!("{backend}.log"))).expect("a backend's log");
    let mut sequences: BTreeMap<usize, Seen> = BTreeMap::new();
    let mut untold = Vec::new();
    for line in log.lines() {
        let entry: Value = serde_json::from_str(line).expect("an entry of the log");
        if let Ok(number) = text(&entry, "case").parse() {
            sequences.entry(number).or_default().note(&entry);
            continue;
        }
        match (entry["event"].as_str(), text(&entry, "target").strip_prefix("/mark/")) {
            (Some("read"), Some(number)) => {
                let before = std::mem::take(&mut untold);
                // The very first mark only tells that the service answers.
                if let Ok(number) = number.parse() {
                    let seen: &mut Seen = sequences.entry(number).or_default();
                    before.iter().for_each(|entry| seen.note(entry));
                }
            }
            (_, Some(_)) => {}
            _ => untold.push(entry),
        }
    }
    sequences
}

impl Seen {
    fn note(&mut self, entry: &Value) {
        match entry["event"].as_str() {
            Some("begun") => self.begun += 1,
            Some("read") => {
                let [method, target, host, body] = ["method", "target", "host", "body"].map(|name| text(entry, name));
                let read = Read::new(&method, &target, &host, &body);
                if target.contains("://") && read.host != Read::new(&method, "/", &host, "").host {
                    self.malformed.push(format!("the target {target} and the Host {host}"));
                }
                self.reads.push(read);
                self.malformed.extend(forbidden_trailers(entry));
            }
            _ => self.malformed.push(text(entry, "why")),
        }
    }
}

fn text(entry: &Value, name: &str) -> String {
    entry[name].as_str().unwrap_or_default().to_owned()
}

/// RFC 9110, section 6.5.1: what decides framing, routing or rights may not come behind the body.
fn forbidden_trailers(entry: &Value) -> Vec<String> {
    const FORBIDDEN: [&str; 7] = ["content-length", "transfer-encoding", "host", "authorization", "te", "connection", "trailer"];
    let names = entry["trailers"].as_array().into_iter().flatten().filter_map(Value::as_str);
    names.filter(|name| FORBIDDEN.contains(name)).map(|name| format!("{name} among the trailers")).collect()
}
