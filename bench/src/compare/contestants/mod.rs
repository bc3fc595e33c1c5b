//! Who is compared. Each file says how one program becomes the sidecar at one end of a pair.
//!
//! All of them: one thread for traffic, mutual TLS 1.3 on the hop with both sides verified and no resumption (a resumed session
//! skips the verifier), connections kept and reused, no access log.

mod envoy;
mod floor;
mod haproxy;
mod nginx;
mod weft;

use std::{fmt, net::Ipv4Addr, process::Command};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::{
    network::{APP, End, INBOUND, OUTBOUND, Redirected},
    place::Place,
    programs::NGINX_STREAM,
    traffic::Traffic,
};

pub(crate) use weft::Mesh;

/// One of those that are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Contestant {
    /// No proxy at all
    Direct,
    /// A bare relay pair of ours: no parsing, no TLS
    Floor,
    Haproxy,
    Nginx,
    Envoy,
    Weft,
    /// Weft, told three routes, a policy of traffic and ten of authorization for each service
    Governed,
}

impl Contestant {
    /// All of them, in the order of tables.
    pub(crate) const ALL: [Self; 7] =
        [Self::Direct, Self::Floor, Self::Haproxy, Self::Nginx, Self::Envoy, Self::Weft, Self::Governed];

    /// As people know it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Floor => "floor",
            Self::Haproxy => "haproxy",
            Self::Nginx => "nginx",
            Self::Envoy => "envoy",
            Self::Weft => "weft",
            Self::Governed => "governed",
        }
    }

    /// Whose connections pass the redirect rules of its pods.
    pub(crate) fn redirected(self) -> Redirected {
        match self {
            Self::Direct => Redirected::No,
            Self::Weft | Self::Governed => Redirected::ButMarked,
            Self::Floor | Self::Haproxy | Self::Nginx | Self::Envoy => Redirected::ButToPods,
        }
    }

    /// The programs it takes.
    pub(crate) fn needs(self) -> &'static [&'static str] {
        match self {
            Self::Direct | Self::Floor => &[],
            Self::Haproxy => &["haproxy"],
            Self::Nginx => &["nginx", NGINX_STREAM],
            Self::Envoy => &["envoy"],
            Self::Weft | Self::Governed => &["weft-control", "weft-proxy"],
        }
    }

    /// Whether it proves who is who, which `direct` and `floor` do not.
    pub(crate) fn has_tls(self) -> bool {
        !matches!(self, Self::Direct | Self::Floor)
    }

    /// What its sidecars call the mesh's TLS among protocols, where it is not the protocol inside.
    pub(crate) fn alpn(self) -> &'static str {
        if self.is_ours() { "weft/1" } else { "http/1.1" }
    }

    /// Whether its sidecars are ours.
    pub(crate) fn is_ours(self) -> bool {
        matches!(self, Self::Weft | Self::Governed)
    }
}

impl fmt::Display for Contestant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Where a sidecar stands, and what it is to do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Post {
    pub(crate) pair: u8,
    pub(crate) end: End,
    pub(crate) traffic: Traffic,
    /// The address of the server's pod.
    pub(crate) server: Ipv4Addr,
    /// The address of its own pod.
    pub(crate) own: Ipv4Addr,
}

impl Post {
    /// Where it takes connections.
    fn listens(&self) -> u16 {
        match self.end {
            End::Client => OUTBOUND,
            End::Server => INBOUND,
        }
    }

    /// Where it dials: the other sidecar, by way of the app's port in the other pod; or the app beside it.
    fn dials(&self) -> (Ipv4Addr, u16) {
        match self.end {
            End::Client => (self.server, APP),
            End::Server => (Ipv4Addr::LOCALHOST, APP),
        }
    }

    /// For names of files and processes.
    pub(crate) fn word(&self, contestant: Contestant) -> String {
        format!("{contestant}-{}-{}-{}", self.traffic.word(), self.pair, self.end.word())
    }
}

/// The command that is `contestant`'s sidecar at `post`; none for who has no sidecars. Of Weft, which has a control component,
/// see [`Mesh`].
///
/// # Errors
/// Its program is missing, or its configuration cannot be written.
pub(crate) fn command(
    contestant: Contestant,
    post: &Post,
    place: &Place,
    mesh: Option<&Mesh>,
) -> anyhow::Result<Option<Command>> {
    let command = match contestant {
        Contestant::Direct => return Ok(None),
        Contestant::Floor => floor::command(post, place),
        Contestant::Haproxy => haproxy::command(post, place)?,
        Contestant::Nginx => nginx::command(post, place)?,
        Contestant::Envoy => envoy::command(post, place)?,
        Contestant::Weft | Contestant::Governed => mesh.context("weft-control does not run")?.sidecar(contestant, post, place)?,
    };
    Ok(Some(command))
}
