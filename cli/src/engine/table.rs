//! The pods that there are, and how each of them is.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use aws_lc_rs::rand;
use control::manifest::kinds::ContainerPort;
use tokio::sync::watch;

use super::{manifest::Key, plan::Running, pod::Stop, workload::Companion};

/// Every pod that is not gone, by namespace and name.
pub(crate) type Table = BTreeMap<Key, Pod>;

/// One pod, as others see it.
#[derive(Debug)]
pub(crate) struct Pod {
    /// Its workload, and which of the workload's replicas it is; `None` for one that joined by `weft run`.
    pub(crate) replica: Option<(Key, u32)>,
    /// What it was started from; see `Workload::template`.
    pub(crate) template: String,
    pub(crate) uid: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) service_account: String,
    pub(crate) ports: Vec<ContainerPort>,
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) companion: Companion,
    /// Hexadecimal SHA-256 of the token that its companion may show.
    pub(crate) token: Option<String>,
    pub(crate) ready: bool,
    /// Since when it is to go.
    pub(crate) leaving: Option<String>,
    /// How it is told to go.
    pub(crate) stop: watch::Sender<Stop>,
}

impl Pod {
    /// One of which nothing is known yet.
    pub(crate) fn unborn() -> Pod {
        Self {
            replica: None,
            template: String::new(),
            uid: String::new(),
            labels: Default::default(),
            service_account: String::new(),
            ports: Vec::new(),
            addresses: Vec::new(),
            companion: Companion::Nobody,
            token: None,
            ready: false,
            leaving: None,
            stop: watch::channel(Stop::Stay).0,
        }
    }

    /// The workload it belongs to, or its own name.
    pub(crate) fn workload<'a>(&'a self, own: &'a Key) -> &'a str {
        self.replica.as_ref().map_or(&own.name, |(workload, _)| &workload.name)
    }

    /// Whether a service with this selector in its namespace selects it. An empty selector selects nothing.
    pub(crate) fn is_selected(&self, selector: &BTreeMap<String, String>) -> bool {
        !selector.is_empty() && selector.iter().all(|(key, value)| self.labels.get(key) == Some(value))
    }

    /// Whether it takes new work.
    pub(crate) fn takes_work(&self) -> bool {
        self.ready && self.leaving.is_none()
    }
}

/// What the plan wants to know of the pods.
pub(crate) fn running(table: &Table) -> Vec<Running> {
    let running = |pod: &Pod| {
        let (workload, index) = pod.replica.clone()?;
        let (template, ready, leaving) = (pod.template.clone(), pod.ready, pod.leaving.is_some());
        Some(Running { workload, index, template, ready, leaving })
    };
    table.values().filter_map(running).collect()
}

/// All addresses in use.
pub(crate) fn addresses(table: &Table) -> BTreeSet<IpAddr> {
    table.values().flat_map(|pod| pod.addresses.iter().copied()).collect()
}

/// Ports of a pod that joined.
pub(crate) fn ports(ports: &[(Option<String>, u16)]) -> Vec<ContainerPort> {
    let port = |(name, number): &(Option<String>, u16)| ContainerPort {
        name: name.clone(),
        container_port: *number,
        ..ContainerPort::default()
    };
    ports.iter().map(port).collect()
}

/// A random identifier; in the unlikely want of randomness an empty one, which is nobody's.
pub(crate) fn uid() -> String {
    let mut bytes = [0; 16];
    if rand::fill(&mut bytes).is_err() {
        return String::new();
    }
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
