//! A bridge, and pods on it: network namespaces, with Weft's own redirect rules for every contestant alike.

use std::{
    fs, io,
    net::{IpAddr, Ipv4Addr},
};

use anyhow::Context as _;
use kernel::{
    link,
    namespace::{Kind, Namespace, within},
    redirect::{self, PortRange, Rules, Subnet},
};

/// Where sidecars take the app's calls.
pub(crate) const OUTBOUND: u16 = 17001;
/// Where they take calls to the app.
pub(crate) const INBOUND: u16 = 17002;
/// Weft's metrics.
pub(crate) const ADMIN: u16 = 17003;
/// The port of every app, and of the service before it.
pub(crate) const APP: u16 = 8080;
/// Another port of the opaque app, of which Weft is not told that it is opaque.
pub(crate) const APP_UNDECLARED: u16 = 8081;

/// The mark on the sockets of Weft's sidecars. The others dial the pod's address, which the rules leave alone for them.
pub(crate) const MARK: u32 = 0x7717_0000;

/// The bridge's address, where control listens.
pub(crate) const BRIDGE: Ipv4Addr = Ipv4Addr::new(10, 78, 0, 1);
const BRIDGE_NAME: &str = "bench0";
const PREFIX: u8 = 16;

/// A pod's network.
#[derive(Debug)]
pub(crate) struct Pod {
    network: Namespace,
    /// Its address.
    pub(crate) address: Ipv4Addr,
}

/// Which end of a pair of pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The load runs here.
    Client,
    /// The app runs here.
    Server,
}

impl End {
    /// For names of files and processes.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }
}

/// Whose connections pass the rules of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Redirected {
    /// There are no rules.
    No,
    /// Those with Weft's mark.
    ButMarked,
    /// Those to addresses of pods. The service's address is of no pod.
    ButToPods,
}

/// Address of the service in front of the pair number `pair`.
pub(crate) fn service(pair: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 96, pair, 1)
}

/// Makes the bridge in the calling thread's network namespace.
///
/// # Errors
/// The kernel has no bridges.
pub(crate) fn create_bridge() -> io::Result<()> {
    link::set_up("lo")?;
    link::create_bridge(BRIDGE_NAME)?;
    link::add_address(BRIDGE_NAME, IpAddr::V4(BRIDGE), PREFIX)?;
    link::set_up(BRIDGE_NAME)
}

impl Pod {
    /// One end of the pair number `pair`, on the bridge.
    ///
    /// # Errors
    /// The kernel refuses something; the error says what.
    pub(crate) fn build(pair: u8, end: End, redirected: Redirected) -> anyhow::Result<Self> {
        let network = Namespace::new(Kind::Network).context("cannot make a network namespace")?;
        let link = format!("{}{pair}", end.word());
        link::create_veth(&link, "eth0", &network)?;
        link::set_master(&link, BRIDGE_NAME)?;
        link::set_up(&link)?;
        let address = Ipv4Addr::new(10, 78, pair, if end == End::Client { 2 } else { 3 });
        let pod = Self { network, address };
        pod.within(|| furnish(address, redirected))??;
        Ok(pod)
    }

    /// Does `work` on a thread inside. Processes started there stay there.
    ///
    /// # Errors
    /// The namespace cannot be entered.
    pub(crate) fn within<T: Send>(&self, work: impl FnOnce() -> T + Send) -> io::Result<T> {
        within(&[&self.network], work)
    }
}

fn furnish(address: Ipv4Addr, redirected: Redirected) -> anyhow::Result<()> {
    link::set_up("lo")?;
    link::add_address("eth0", IpAddr::V4(address), PREFIX)?;
    link::set_up("eth0")?;
    // A service's address is nowhere: it needs a way out of the pod for the redirect rules to take.
    link::add_default_route(IpAddr::V4(BRIDGE))?;
    // Thousands of connections a second leave as many ports waiting behind.
    for (setting, value) in [("ip_local_port_range", "20000 65535"), ("tcp_tw_reuse", "1")] {
        let file = format!("/proc/sys/net/ipv4/{setting}");
        fs::write(&file, value).with_context(|| format!("cannot write {file}"))?;
    }
    if let Some(rules) = rules(redirected) {
        redirect::install(&rules).context("cannot install the redirect rules")?;
    }
    Ok(())
}

/// As many rules for each, since each is asked of every new connection.
fn rules(redirected: Redirected) -> Option<Rules> {
    let admin = PortRange { first: ADMIN, last: ADMIN };
    let (address, prefix) = match redirected {
        Redirected::No => return None,
        Redirected::ButMarked => (BRIDGE, 32),
        Redirected::ButToPods => (BRIDGE, PREFIX),
    };
    Some(Rules {
        outbound_port: OUTBOUND,
        inbound_port: INBOUND,
        exempt_user: None,
        exempt_mark: Some(MARK),
        skip_inbound: vec![admin],
        skip_outbound: vec![admin],
        skip_subnets: vec![Subnet { address: IpAddr::V4(address), prefix }],
    })
}
