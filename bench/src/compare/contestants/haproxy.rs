//! HAProxy as a sidecar.

use std::{fs, process::Command};

use super::{
    super::identities::{Identities, dns_name},
    Contestant, End, Place, Post, Traffic,
};

pub(super) fn command(post: &Post, place: &Place) -> anyhow::Result<Command> {
    let config = place.scratch.join(format!("{}.cfg", post.word(Contestant::Haproxy)));
    fs::write(&config, text(post, &place.identities))?;
    let mut command = Command::new(place.programs.path("haproxy")?);
    command.args(["-db", "-f"]).arg(config);
    Ok(command)
}

fn text(post: &Post, identities: &Identities) -> String {
    let mode = if post.traffic == Traffic::Opaque { "tcp" } else { "http" };
    let reuse = if post.traffic == Traffic::Opaque { "" } else { "http-reuse always" };
    let (bind, server) = ends(post, identities);
    let (address, port) = post.dials();
    format!(
        "global
  nbthread 1
  maxconn 8192
  ssl-default-bind-options ssl-min-ver TLSv1.3 no-tls-tickets
defaults
  mode {mode}
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  timeout http-keep-alive 1h
  {reuse}
frontend in
  bind :{listens} backlog 4096{bind}
  default_backend out
backend out
  server next {address}:{port}{server}
",
        listens = post.listens(),
    )
}

/// What is said of the listener, and of the connections to what is next.
fn ends(post: &Post, identities: &Identities) -> (String, String) {
    let root = identities.root.display();
    let alpn = match post.traffic {
        Traffic::Http1 => " alpn http/1.1",
        Traffic::Http2 | Traffic::Grpc => " alpn h2",
        Traffic::Opaque => "",
    };
    let plain = if post.traffic.is_http2() { " proto h2" } else { "" };
    match post.end {
        End::Client => {
            let (name, own) = (dns_name("server"), identities.client.both.display());
            let verify = format!("verify required ca-file {root} verifyhost {name} sni str({name})");
            (plain.to_owned(), format!(" ssl crt {own} {verify} ssl-min-ver TLSv1.3 no-ssl-reuse{alpn}"))
        }
        End::Server => {
            let own = identities.server.both.display();
            (format!(" ssl crt {own} ca-file {root} verify required{alpn}"), plain.to_owned())
        }
    }
}
