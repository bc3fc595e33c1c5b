//! A program in a pod, seen from the machine it runs on: what it costs, and what its admin port tells.

use std::{
    fs::{self, File},
    io,
    net::Ipv4Addr,
};

use anyhow::Context as _;
use kernel::namespace::{self, Kind, Namespace};
use rustix::process::{Pid, Signal, kill_process};

use super::figures::Memory;
use crate::{
    admin,
    usage::{self, Cpu},
};

/// A program of Weft's that pods have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Program {
    name: &'static str,
    admin: u16,
}

/// The control component.
pub(super) const CONTROL: Program = Program { name: "weft-control", admin: 17013 };

/// The sidecar.
pub(super) const SIDECAR: Program = Program { name: "weft-proxy", admin: 17003 };

/// One that runs.
#[derive(Debug)]
pub(super) struct Container {
    process: u32,
    network: Namespace,
    admin: u16,
}

impl Container {
    /// The one of the pod with `uid`; `None` while there is none.
    pub(super) fn find(program: Program, uid: &str) -> Option<Self> {
        let processes = fs::read_dir("/proc").ok()?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
        let read = |process, file| fs::read_to_string(format!("/proc/{process}/{file}")).unwrap_or_default();
        let runs = |process: &u32| {
            let line = read(*process, "cmdline");
            line.split('\0').next().is_some_and(|path| path.ends_with(program.name)) && read(*process, "cgroup").contains(uid)
        };
        let process = processes.filter(runs).max()?;
        let network = File::open(format!("/proc/{process}/ns/net")).ok()?;
        Some(Self { process, network: Namespace::from_fd(Kind::Network, network.into()), admin: program.admin })
    }

    /// A page of its admin port, as its pod is shown it.
    pub(super) fn page(&self, path: &str) -> anyhow::Result<String> {
        namespace::within(&[&self.network], || admin::fetch((Ipv4Addr::LOCALHOST, self.admin), path))?
    }

    /// CPU time until now.
    pub(super) fn cpu(&self) -> anyhow::Result<Cpu> {
        Cpu::of(self.process).with_context(|| self.ended())
    }

    /// What it holds.
    pub(super) fn memory(&self) -> anyhow::Result<Memory> {
        let read = || io::Result::Ok((usage::Memory::of(self.process)?.resident, usage::own(self.process)?));
        let (resident, own) = read().with_context(|| self.ended())?;
        Ok(Memory { resident, own })
    }

    /// The most resident memory so far: KiB.
    pub(super) fn peak(&self) -> anyhow::Result<u64> {
        usage::peak(self.process).with_context(|| self.ended())
    }

    /// Kills it.
    pub(super) fn kill(&self) -> anyhow::Result<()> {
        let process = i32::try_from(self.process).ok().and_then(Pid::from_raw).context("no process id")?;
        kill_process(process, Signal::KILL).with_context(|| self.ended())
    }

    fn ended(&self) -> String {
        format!("process {} has ended", self.process)
    }
}
