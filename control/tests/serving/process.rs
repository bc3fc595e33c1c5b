//! How the program starts, idles and ends.

use std::{
    fs,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tonic::Code;

use crate::control::{Control, WEB, endpoints, free_ports, run_to_its_end};

#[tokio::test]
async fn whoever_follows_is_told_when_control_leaves() {
    let mut control = Control::start();
    let mut stream = control.discover(WEB, &control.web().await, endpoints()).await.unwrap();
    stream.next().await.unwrap();
    let asked = Instant::now();
    kill_process(Pid::from_child(&control.program), Signal::TERM).unwrap();
    let told = stream.next().await.unwrap_err();
    assert_eq!(told.code(), Code::Unavailable);
    assert!(told.message().contains("come again"), "{told}");
    drop(stream);
    assert!(control.program.wait().unwrap().success());
    assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
}

#[test]
fn ports_that_are_taken_are_all_named() {
    let control = Control::start();
    let folder = control.folder.path();
    let ports = [control.xds.to_string(), control.certificates.to_string(), free_ports()[0].to_string()];
    let [xds, certificates, admin] = &ports;
    let flags = ["--source", "state", "--ca-dir", "ca", "--xds-port", xds, "--certs-port", certificates, "--admin-port", admin];
    let (code, told) = run_to_its_end(folder, &flags);
    assert_eq!(code, Some(1));
    for expected in [xds.as_str(), "--xds-port", certificates, "--certs-port", "taken"] {
        assert!(told.contains(expected), "{expected}: {told}");
    }
    assert!(!told.contains("--admin-port"), "{told}");
}

#[test]
fn mistakes_of_the_command_line_are_reported_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let (code, told) = run_to_its_end(folder.path(), &["--source", "none", "--listen", "x", "--leaf-lifetime", "48h"]);
    assert_eq!(code, Some(2));
    for flag in ["--source none", "--listen x", "--leaf-lifetime 48h", "--ca-dir"] {
        assert!(told.contains(flag), "{flag}: {told}");
    }
}

#[test]
fn a_key_that_others_may_read_is_refused() {
    let control = Control::start();
    let key = control.folder.path().join("ca/ca-key.pem");
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    fs::set_permissions(&key, open).unwrap();
    let (code, told) = run_to_its_end(control.folder.path(), &["--source", "state", "--ca-dir", "ca"]);
    assert!(code == Some(1) && told.contains("chmod 600"), "{told}");
}

#[test]
fn nothing_is_done_while_nothing_happens() {
    let control = Control::start();
    let spent = || -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", control.program.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    };
    std::thread::sleep(Duration::from_millis(500));
    let before = spent();
    std::thread::sleep(Duration::from_secs(2));
    // Hundredths of a second, of CPU time.
    assert!(spent() - before <= 6, "{} ticks", spent() - before);
}
