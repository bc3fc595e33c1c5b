//! nginx as a sidecar. For HTTP/2 it is told that everything is gRPC: it speaks HTTP/2 to no other server.

use std::process::Command;

use super::{
    super::{
        identities::{Identities, dns_name},
        nginx,
        programs::NGINX_STREAM,
    },
    Contestant, End, Place, Post, Traffic,
};

pub(super) fn command(post: &Post, place: &Place) -> anyhow::Result<Command> {
    let (name, identities) = (post.word(Contestant::Nginx), &place.identities);
    if post.traffic == Traffic::Opaque {
        return nginx::command(&name, &[place.programs.path(NGINX_STREAM)?], &stream(post, identities), place);
    }
    let text = format!("http {{\n{}{}}}\n", nginx::http(&place.scratch), http(post, identities));
    nginx::command(&name, &[], &text, place)
}

fn http(post: &Post, identities: &Identities) -> String {
    let (address, port) = post.dials();
    let (option, pass, tls_pass) = if post.traffic.is_http2() { (" http2", "grpc", "grpcs") } else { ("", "proxy", "https") };
    let scheme = match (post.end, post.traffic.is_http2()) {
        (End::Client, _) => tls_pass,
        (End::Server, true) => "grpc",
        (End::Server, false) => "http",
    };
    let kept = if post.traffic.is_http2() {
        "      grpc_read_timeout 1h;"
    } else {
        "      proxy_http_version 1.1;\n      proxy_set_header Connection \"\";\n      proxy_max_temp_file_size 0;"
    };
    format!(
        "  upstream next {{
    server {address}:{port};
    keepalive 1024;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
  }}
  server {{
    listen {listens}{option}{ssl} backlog=4096;
{downstream}    location / {{
      {pass}_pass {scheme}://next;
{kept}
{upstream}    }}
  }}
",
        listens = post.listens(),
        ssl = if post.end == End::Server { " ssl" } else { "" },
        downstream = downstream(post, identities),
        upstream = upstream(post, identities, pass),
    )
}

fn stream(post: &Post, identities: &Identities) -> String {
    let (address, port) = post.dials();
    format!(
        "stream {{
  server {{
    listen {listens}{ssl} backlog=4096;
    proxy_pass {address}:{port};
    proxy_timeout 1h;
    tcp_nodelay on;
{downstream}{on}{upstream}  }}
}}
",
        listens = post.listens(),
        ssl = if post.end == End::Server { " ssl" } else { "" },
        downstream = downstream(post, identities),
        on = if post.end == End::Client { "    proxy_ssl on;\n" } else { "" },
        upstream = upstream(post, identities, "proxy"),
    )
}

/// What the inbound side asks of who dials it.
fn downstream(post: &Post, identities: &Identities) -> String {
    if post.end == End::Client {
        return String::new();
    }
    let (own, root) = (&identities.server, identities.root.display());
    lines(&[
        format!("ssl_certificate {}", own.certificate.display()),
        format!("ssl_certificate_key {}", own.key.display()),
        format!("ssl_client_certificate {root}"),
        String::from("ssl_verify_client on"),
        String::from("ssl_protocols TLSv1.3"),
        String::from("ssl_session_tickets off"),
        String::from("ssl_session_cache off"),
    ])
}

/// What the outbound side shows and asks of whom it dials; `module` is the beginning of its directives.
fn upstream(post: &Post, identities: &Identities, module: &str) -> String {
    if post.end == End::Server {
        return String::new();
    }
    let (own, root) = (&identities.client, identities.root.display());
    let settings = [
        format!("certificate {}", own.certificate.display()),
        format!("certificate_key {}", own.key.display()),
        format!("trusted_certificate {root}"),
        format!("name {}", dns_name("server")),
        String::from("verify on"),
        String::from("protocols TLSv1.3"),
        String::from("session_reuse off"),
    ];
    lines(&settings.map(|setting| format!("{module}_ssl_{setting}")))
}

fn lines(directives: &[String]) -> String {
    directives.iter().map(|directive| format!("    {directive};\n")).collect()
}
