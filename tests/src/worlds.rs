//! The four ways between two pods: with a sidecar on both ends, on either, on none. The last shows what is right.

use std::{fmt, process::Command};

use serde_json::json;

use crate::{App, Mesh};

/// A way from a client to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct World {
    client: bool,
    server: bool,
}

/// All of them, the one without a mesh last.
pub const WORLDS: [World; 4] = [
    World { client: true, server: true },
    World { client: true, server: false },
    World { client: false, server: true },
    World { client: false, server: false },
];

/// Every way, by IPv4 and by IPv6.
pub fn ways() -> impl Iterator<Item = (World, &'static str)> {
    WORLDS.into_iter().flat_map(|world| [(world, "4"), (world, "6")])
}

/// A server in both kinds of pod, `NAME` and `plain-NAME`, with a service of both families.
pub fn both(name: &str, app: impl Fn(&str) -> App) -> [App; 2] {
    [app(name).dual_stack(), app(&format!("plain-{name}")).dual_stack().unmeshed()]
}

/// A pod without a sidecar, to run clients in. Needed in every mesh that [`World::call`] is used in.
pub fn outside() -> App {
    App::new("outside", 9, &["sleep", "infinity"]).workload("ports", json!([])).unmeshed()
}

impl World {
    /// Which ends have one, in words for a script.
    pub fn sidecars<'a>(self) -> impl Iterator<Item = &'a str> {
        [(self.client, "client"), (self.server, "server")].into_iter().filter_map(|(there, end)| there.then_some(end))
    }

    /// Whether both ends have a sidecar.
    pub fn is_meshed(self) -> bool {
        self.client && self.server
    }

    /// Whether `pod`, the client `web` or a server, has a sidecar that traffic passes.
    pub fn meshes(self, pod: &str) -> bool {
        if pod == "web" { self.client } else { self.server }
    }

    /// The service to call, of a server made by [`both`].
    pub fn host(self, name: &str) -> String {
        if self.server { name.to_owned() } else { format!("plain-{name}") }
    }

    /// Runs a client that must succeed. Returns what it wrote.
    pub fn call(self, mesh: &Mesh, command: &[&str]) -> String {
        if self.client { mesh.succeed("web", command) } else { mesh.succeed_inside("outside-0", command) }
    }

    /// A client, in a pod called `name` unless it is to run outside.
    pub fn command(self, mesh: &Mesh, name: &str, command: &[&str]) -> Command {
        if self.client { mesh.command(name, command) } else { mesh.inside("outside-0", command) }
    }
}

impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |meshed| if meshed { "meshed" } else { "plain" };
        write!(f, "{} client, {} server", word(self.client), word(self.server))
    }
}
