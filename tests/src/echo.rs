//! An app that says what it was asked: HAProxy, which answers by itself.

use serde_json::json;

use crate::App;

/// How it does that: a file that goes beside the manifests.
///
/// Of what is asked for below `/tarpit` it answers after a second; of what is asked for below `/copied` it keeps count, and
/// tells it at `/copies`. Port 8081 speaks HTTP/2 and nothing else.
pub const ECHO_FILE: (&str, &str) = (
    "echo.cfg",
    r#"
global
  nbthread 1
  set-var proc.copies int(0)
defaults
  mode http
  timeout client 30s
  timeout server 30s
  timeout connect 5s
  timeout tarpit 1s
frontend echo
  bind :::8080 v4v6
  bind :::8081 v4v6 proto h2
  http-request set-var(proc.copies) int(1),add(proc.copies) if { path_beg /copied }
  http-request tarpit deny_status 200 if { path_beg /tarpit }
  http-request return status 200 content-type text/plain lf-string "%[var(proc.copies)]\n" if { path /copies }
  http-request return status 200 hdr x-from "${NAME}" hdr x-unwanted yes content-type text/plain lf-string "${NAME} %HM %[url] host=%[req.hdr(host)] added=%[req.fhdr(x-added)] adds=%[req.fhdr_cnt(x-added)] gone=%[req.hdr(x-gone)] version=%[req.ver]\n"
"#,
);

/// One replica that calls itself by its name, behind port 80 of its service.
pub fn echo(name: &str) -> App {
    echo_as(name, name)
}

/// The same, which calls itself what a shell makes of `word` in its pod.
pub fn echo_as(name: &str, word: &str) -> App {
    let command = format!("NAME={word} exec haproxy -db -f {}", ECHO_FILE.0);
    App::new(name, 8080, &["sh", "-c", &command]).ports(json!([{"port": 80, "targetPort": 8080}]))
}
