//! The node from outside of its namespaces.

use std::{fs, process::Command};

use rustix::process::Pid;
use tests::Cluster;

/// The node's own address.
pub(crate) const ADDRESS: &str = "10.29.0.1";

/// A command on the node's network.
pub(crate) fn on_the_node(cluster: &Cluster, command: &[&str]) -> Command {
    let mut enter = Command::new("nsenter");
    enter.args(["--target", &api_server(cluster).as_raw_nonzero().to_string(), "--net"]).args(command);
    enter
}

/// The process that serves the API of `cluster`, which runs in another pid namespace than we do.
pub(crate) fn api_server(cluster: &Cluster) -> Pid {
    let folder = cluster.kubeconfig().parent().expect("its folder").display().to_string();
    let processes =
        fs::read_dir("/proc").expect("processes").filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    let is_it = |id: &i32| {
        let line = fs::read_to_string(format!("/proc/{id}/cmdline")).unwrap_or_default();
        line.contains("kube-apiserver") && line.contains(&folder)
    };
    processes.filter(is_it).find_map(Pid::from_raw).expect("the API server")
}
