//! The bridge, and a pod's place on it.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::Path,
};

use anyhow::Context as _;
use kernel::{
    link, mount,
    namespace::{Kind, Namespace, within},
    redirect::{self, PortRange, Rules, Subnet},
};

use super::addresses::{ENGINE, ENGINE_V6, POD_PREFIX, POD_PREFIX_V6};

const BRIDGE: &str = "weft0";

/// Mark on the sidecars' own sockets. Without root there is one user only, so the redirect rules tell by this.
pub(crate) const MARK: u32 = 0x7717_0000;

/// Ports of a sidecar.
pub(crate) const OUTBOUND: u16 = 17001;
/// Where it takes calls to the app.
pub(crate) const INBOUND: u16 = 17002;
/// Metrics, `/ready`, `/live`.
pub(crate) const ADMIN: u16 = 17003;

/// Namespaces of a pod.
#[derive(Debug)]
pub(crate) struct Home {
    pub(crate) network: Namespace,
    pub(crate) mounts: Namespace,
    link: String,
}

/// What a pod's place looks like.
#[derive(Clone, Debug)]
pub(crate) struct Plot {
    pub(crate) name: String,
    pub(crate) namespace: String,
    /// Tells its link from all others.
    pub(crate) number: u64,
    pub(crate) addresses: Vec<IpAddr>,
    /// Whether its connections go through a sidecar.
    pub(crate) redirected: bool,
}

/// Whether this kernel has IPv6.
pub(crate) fn has_ipv6() -> bool {
    Path::new("/proc/net/if_inet6").exists()
}

/// Makes the bridge in the calling thread's network namespace, with the engine's addresses.
///
/// # Errors
/// The kernel has no bridges.
pub(crate) fn create_bridge(ipv6: bool) -> anyhow::Result<()> {
    link::set_up("lo")?;
    link::create_bridge(BRIDGE).context("the local mesh needs bridges; `modprobe bridge` as root may help")?;
    link::add_address(BRIDGE, IpAddr::V4(ENGINE), POD_PREFIX)?;
    if ipv6 {
        link::add_address(BRIDGE, IpAddr::V6(ENGINE_V6), POD_PREFIX_V6)?;
    }
    Ok(link::set_up(BRIDGE)?)
}

/// Builds a pod's namespaces; `tree` is the mount namespace that its own is copied from.
///
/// # Errors
/// The kernel refuses something; the error says what.
pub(crate) fn build(plot: &Plot, tree: &Namespace) -> anyhow::Result<Home> {
    let network = Namespace::new(Kind::Network).context("cannot make a network namespace")?;
    let link = format!("w{}", plot.number);
    link::create_veth(&link, "eth0", &network).context("the local mesh needs veth links; `modprobe veth` as root may help")?;
    link::set_master(&link, BRIDGE)?;
    link::set_up(&link)?;
    within(&[&network], || furnish(plot))??;
    let mounts = within(&[tree], || Namespace::new(Kind::Mount))?.context("cannot make a mount namespace")?;
    within(&[&mounts], || replace_files(plot))??;
    Ok(Home { network, mounts, link })
}

impl Home {
    /// Disconnects it. Its namespaces go with the last process in them.
    pub(crate) fn disconnect(&self) {
        // It is gone already if the pod's namespace is.
        let _ = link::delete(&self.link);
    }
}

fn furnish(plot: &Plot) -> anyhow::Result<()> {
    link::set_up("lo")?;
    for address in &plot.addresses {
        link::add_address("eth0", *address, if address.is_ipv4() { POD_PREFIX } else { POD_PREFIX_V6 })?;
    }
    link::set_up("eth0")?;
    // Virtual addresses are nowhere: they need a way out of the pod for the redirect rules to take.
    link::add_default_route(IpAddr::V4(ENGINE))?;
    if plot.addresses.iter().any(IpAddr::is_ipv6) {
        link::add_default_route(IpAddr::V6(ENGINE_V6))?;
    }
    if plot.redirected {
        redirect::install(&rules()).context("cannot install the redirect rules")?;
    }
    Ok(())
}

fn rules() -> Rules {
    Rules {
        outbound_port: OUTBOUND,
        inbound_port: INBOUND,
        exempt_user: None,
        exempt_mark: Some(MARK),
        skip_inbound: vec![PortRange { first: ADMIN, last: ADMIN }],
        // A Prometheus in the mesh reads other sidecars' pages, which are outside of it.
        skip_outbound: vec![PortRange { first: ADMIN, last: ADMIN }],
        // DNS by TCP, and control's own pages.
        skip_subnets: vec![
            Subnet { address: IpAddr::V4(ENGINE), prefix: 32 },
            Subnet { address: IpAddr::V6(ENGINE_V6), prefix: 128 },
        ],
    }
}

fn replace_files(plot: &Plot) -> anyhow::Result<()> {
    let files = [
        ("/etc/resolv.conf", resolver(&plot.namespace)),
        ("/etc/hosts", hosts(plot)),
        // Names come from DNS alone, whatever this machine does otherwise.
        ("/etc/nsswitch.conf", String::from("passwd: files\ngroup: files\nhosts: files dns\n")),
    ];
    for (path, text) in files.iter().filter(|(path, _)| Path::new(path).exists()) {
        mount::replace_file(Path::new(path), text.as_bytes()).with_context(|| format!("cannot replace {path} in a pod"))?;
    }
    if Path::new("/run/nscd").is_dir() {
        // A cache of the machine's would answer before our DNS is asked.
        let _ = mount::memory_over(Path::new("/run/nscd"));
    }
    Ok(())
}

fn resolver(namespace: &str) -> String {
    format!("nameserver {ENGINE}\nsearch {namespace}.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n")
}

fn hosts(plot: &Plot) -> String {
    let (v4, v6) = (Ipv4Addr::LOCALHOST, Ipv6Addr::LOCALHOST);
    let own: String = plot.addresses.iter().map(|address| format!("{address}\t{}\n", plot.name)).collect();
    format!("{v4}\tlocalhost\n{v6}\tlocalhost ip6-localhost ip6-loopback\n{own}")
}
