//! `weft-control`, running.

use std::{
    fs::File,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, ensure};
use certs::bundle::Bundle;

use crate::{
    admin, clock,
    usage::{self, Cpu, Memory},
};

/// It reads 12,000 objects within a second or so.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often to ask whether it is ready.
const ASK_AGAIN: Duration = Duration::from_millis(2);

/// A control that follows a directory of manifests. It is killed when this is dropped, and when this process dies.
#[derive(Debug)]
pub struct Control {
    process: Child,
    program: PathBuf,
    source: PathBuf,
    folder: PathBuf,
    ports: Ports,
    /// From its start until it was ready.
    pub start_time: Duration,
}

/// Where it listens, on loopback.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    /// Discovery.
    pub discovery: u16,
    /// Certificates.
    pub certificates: u16,
    /// Metrics and health.
    pub admin: u16,
}

impl Control {
    /// Starts `program` on the directory `source`; it keeps its own files in `folder`. Returns when it is ready.
    ///
    /// # Errors
    /// It does not become ready.
    pub fn start(program: &Path, source: &Path, folder: &Path) -> anyhow::Result<Self> {
        let ports = Ports::free()?;
        let process = spawn(program, source, folder, ports)?;
        let (program, source, folder) = (program.to_owned(), source.to_owned(), folder.to_owned());
        let mut control = Self { process, program, source, folder, ports, start_time: Duration::ZERO };
        control.wait_until_ready()?;
        Ok(control)
    }

    /// Kills it and starts it again, on the same ports and files. Returns when it is ready.
    ///
    /// # Errors
    /// It does not become ready again.
    pub fn restart(&mut self) -> anyhow::Result<()> {
        self.process.kill()?;
        self.process.wait()?;
        self.process = spawn(&self.program, &self.source, &self.folder, self.ports)?;
        self.wait_until_ready()
    }

    /// Where it listens.
    pub fn ports(&self) -> Ports {
        self.ports
    }

    /// The roots it issues from.
    ///
    /// # Errors
    /// The file it writes them to cannot be read.
    pub fn bundle(&self) -> anyhow::Result<Bundle> {
        let pem = std::fs::read(self.folder.join("bundle.pem")).context("control has written no bundle")?;
        Ok(Bundle::from_pem(&pem)?)
    }

    /// CPU time until now.
    ///
    /// # Errors
    /// It has ended.
    pub fn cpu(&self) -> anyhow::Result<Cpu> {
        Cpu::of(self.process.id()).context("control has ended")
    }

    /// Its resident memory, in KiB.
    ///
    /// # Errors
    /// It has ended.
    pub fn memory(&self) -> anyhow::Result<u64> {
        Ok(Memory::of(self.process.id()).context("control has ended")?.resident)
    }

    /// The most of it so far.
    ///
    /// # Errors
    /// It has ended.
    pub fn peak(&self) -> anyhow::Result<u64> {
        usage::peak(self.process.id()).context("control has ended")
    }

    fn wait_until_ready(&mut self) -> anyhow::Result<()> {
        let begun = clock::now();
        while admin::fetch((Ipv4Addr::LOCALHOST, self.ports.admin), "/ready").is_err() {
            let log = self.folder.join("log");
            if let Some(status) = self.process.try_wait()? {
                anyhow::bail!("control has ended ({status}): {}", std::fs::read_to_string(log).unwrap_or_default());
            }
            ensure!(begun.elapsed() < PATIENCE, "control is not ready after {PATIENCE:?}: see {}", log.display());
            std::thread::sleep(ASK_AGAIN);
        }
        self.start_time = begun.elapsed();
        Ok(())
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Ports {
    fn free() -> anyhow::Result<Self> {
        // Held together, so that they differ.
        let bind = |()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port of loopback is free");
        let [discovery, certificates, admin] = [(); 3].map(bind);
        let port = |held: anyhow::Result<TcpListener>| anyhow::Ok(held?.local_addr()?.port());
        Ok(Self { discovery: port(discovery)?, certificates: port(certificates)?, admin: port(admin)? })
    }
}

fn spawn(program: &Path, source: &Path, folder: &Path, ports: Ports) -> anyhow::Result<Child> {
    let log = File::options().create(true).append(true).open(folder.join("log")).context("cannot write control's log")?;
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]).arg(program).arg("--source").arg(source);
    command.arg("--ca-dir").arg(folder.join("ca")).arg("--bundle-out").arg(folder.join("bundle.pem"));
    command.args(["--listen", "127.0.0.1", "--log", "warn"]);
    for (flag, port) in [("--xds-port", ports.discovery), ("--certs-port", ports.certificates), ("--admin-port", ports.admin)] {
        command.arg(flag).arg(port.to_string());
    }
    let spawned = command.stdin(Stdio::null()).stderr(log).spawn();
    spawned.context("cannot start setpriv (of util-linux)")
}
