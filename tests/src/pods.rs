//! Pods of a mesh, from the inside and from the outside: one more command there, and what its processes cost.

use std::{
    fmt, fs,
    process::{Command, Output, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{Mesh, wait::eventually};

impl Mesh {
    /// A command in the pod of a running app, meshed or not: with its network and names, but not as one of its processes.
    /// Takes util-linux's `nsenter`.
    pub fn inside(&self, pod: &str, command: &[&str]) -> Command {
        let app = self.app(pod);
        let mut enter = self.enter();
        enter.args([format!("--net=/proc/{app}/ns/net"), format!("--mount=/proc/{app}/ns/mnt"), format!("--wd=/proc/{app}/cwd")]);
        enter.arg("--").args(command).stdin(Stdio::null());
        enter
    }

    /// Runs a command in the pod of a running app. It must succeed. Returns what it wrote.
    pub fn succeed_inside(&self, pod: &str, command: &[&str]) -> String {
        self.told(command, &self.inside(pod, command).output().expect("nsenter"))
    }

    /// What a command wrote that must have succeeded.
    pub fn told(&self, command: &[&str], output: &Output) -> String {
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command:?}: {}\n{told}\n{errors}\n--- the mesh said:\n{}", output.status, self.log());
        told
    }

    /// `nsenter` with the power to enter the namespaces of this mesh.
    pub(crate) fn enter(&self) -> Command {
        let init = eventually("process 1 of the mesh", || self.processes().get(1).copied());
        let mut enter = Command::new("nsenter");
        enter.args(["--target", &init.to_string()]);
        if !rustix::process::geteuid().is_root() {
            // Root's mesh lives in root's own user namespace.
            enter.args(["--user", "--preserve-credentials"]);
        }
        enter
    }

    /// The app of a pod.
    pub fn app(&self, pod: &str) -> Process {
        self.with_variable(&format!("HOSTNAME={pod}"))
    }

    /// The sidecar of a pod.
    pub fn sidecar(&self, pod: &str) -> Process {
        self.with_variable(&format!("WEFT_POD={pod}"))
    }

    /// The first process of the mesh that was started with `variable`.
    fn with_variable(&self, variable: &str) -> Process {
        let has = |process: &u32| {
            let environment = fs::read(format!("/proc/{process}/environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|found| found == variable.as_bytes())
        };
        Process(eventually(&format!("a process with {variable}"), || self.processes().into_iter().find(has)))
    }
}

/// A process, by its number here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process(u32);

impl Process {
    /// Memory it has in use, in KiB; none once it has ended.
    pub fn memory(self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{self}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.split_whitespace().next()?.parse().ok()
    }

    /// Asks it to end, by SIGTERM.
    pub fn terminate(self) {
        let id = i32::try_from(self.0).ok().and_then(Pid::from_raw).expect("a process id");
        kill_process(id, Signal::TERM).expect("it runs");
    }

    /// File descriptors it has open; none once it has ended.
    pub fn descriptors(self) -> Option<usize> {
        fs::read_dir(format!("/proc/{self}/fd")).ok().map(Iterator::count)
    }
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
