//! Pods of a mesh, from the inside and from the outside.

use std::{
    fs,
    process::{Command, Output, Stdio},
};

use crate::{Mesh, wait::eventually};

impl Mesh {
    /// A command in the pod of a running app, meshed or not: with its network and names, but not as one of its processes.
    /// Takes util-linux's `nsenter`.
    pub fn inside(&self, pod: &str, command: &[&str]) -> Command {
        let app = self.app(pod);
        let mut enter = self.enter();
        enter.args([format!("--net=/proc/{app}/ns/net"), format!("--mount=/proc/{app}/ns/mnt")]);
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

    /// Process id of the app of a pod, as seen from here.
    pub fn app(&self, pod: &str) -> u32 {
        self.process(&format!("HOSTNAME={pod}"))
    }

    /// Process id of the sidecar of a pod, as seen from here.
    pub fn sidecar(&self, pod: &str) -> u32 {
        self.process(&format!("WEFT_POD={pod}"))
    }

    /// The first process of the mesh with this in its environment.
    fn process(&self, variable: &str) -> u32 {
        let has = |process: &u32| {
            let environment = fs::read(format!("/proc/{process}/environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|found| found == variable.as_bytes())
        };
        eventually(&format!("a process with {variable}"), || self.processes().into_iter().find(has))
    }
}

/// Memory of a process that is in use, in bytes.
pub fn resident(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a process has memory");
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kilobytes * 1024
}
