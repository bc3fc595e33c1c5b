//! A pod gets a certificate for the token that its kubelet has given to it, and for no other.

use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;
use tests::{Cluster, Control, Running, eventually, free_port, get, program, secret_file};

use super::{namespace, pod, running};

/// A sidecar that runs on this machine as a pod's would in the pod.
struct Sidecar {
    _running: Running,
    admin: u16,
    _folder: TempDir,
}

impl Sidecar {
    fn start(control: &Control, namespace: &str, token: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let [outbound, inbound, admin] = [(); 3].map(|()| free_port());
        let mut proxy: Command = program("weft-proxy");
        proxy
            .env("WEFT_POD", "web-1")
            .env("WEFT_NAMESPACE", namespace)
            .env("WEFT_SERVICE_ACCOUNT", "web")
            .env("WEFT_CONTROL_XDS", format!("127.0.0.1:{}", control.xds))
            .env("WEFT_CONTROL_CERTS", format!("127.0.0.1:{}", control.certificates))
            .env("WEFT_TRUST_BUNDLE", &control.bundle)
            .env("WEFT_TOKEN_FILE", secret_file(folder.path(), "token", token))
            .env("WEFT_OUTBOUND_PORT", outbound.to_string())
            .env("WEFT_INBOUND_PORT", inbound.to_string())
            .env("WEFT_ADMIN_PORT", admin.to_string())
            .stdin(Stdio::null());
        Self { _running: Running::start(proxy), admin, _folder: folder }
    }

    fn identity(&self) -> Option<String> {
        let config: Value = serde_json::from_str(&get(self.admin, "/config")?).ok()?;
        config["identity"]["id"].as_str().map(str::to_owned)
    }
}

fn token(cluster: &Cluster, namespace: &str, flags: &[&str]) -> String {
    let arguments = [&["--namespace", namespace, "create", "token", "web"], flags].concat();
    cluster.kubectl(&arguments).trim().to_owned()
}

const BOUND: [&str; 4] = ["--bound-object-kind", "Pod", "--bound-object-name", "web-1"];

fn refused(control: &Control, reason: &str) -> bool {
    let metric = format!("weft_control_certificates_refused_total{{reason=\"{reason}\"}}");
    control.metrics().lines().any(|line| line.starts_with(&metric) && !line.ends_with(" 0"))
}

#[test]
fn a_token_of_a_pod_buys_its_certificate_and_a_view_of_its_own() {
    let cluster = Cluster::shared();
    namespace(cluster, "tokens");
    let control = cluster.control(&["--namespace", "tokens"]);
    pod(cluster, "tokens", "web-1", "{weft.dev/meshed: \"true\"}");
    let good = token(cluster, "tokens", &[&["--audience", "weft.dev"][..], &BOUND].concat());
    let sidecar = Sidecar::start(&control, "tokens", &good);
    eventually("the sidecar is ready", || get(sidecar.admin, "/ready").map(drop));
    assert_eq!(sidecar.identity().as_deref(), Some("spiffe://cluster.local/ns/tokens/sa/web"));
}

#[test]
fn tokens_for_others_and_of_no_pod_buy_nothing() {
    let cluster = Cluster::shared();
    namespace(cluster, "worthless");
    let control = cluster.control(&["--namespace", "worthless"]);
    pod(cluster, "worthless", "web-1", "{weft.dev/meshed: \"true\"}");
    let tokens = [
        ("meant for the API server", token(cluster, "worthless", &BOUND)),
        ("bound to no pod", token(cluster, "worthless", &["--audience", "weft.dev"])),
        ("made up", String::from("eyJhbGciOiJub25lIn0.e30.")),
    ];
    for (what, token) in tokens {
        let before = control.metrics();
        let sidecar = Sidecar::start(&control, "worthless", &token);
        eventually(&format!("a token {what} is refused"), || {
            (control.metrics() != before && refused(&control, "token_unknown")).then_some(())
        });
        assert_eq!(sidecar.identity(), None, "a token {what}");
    }
}

#[test]
fn a_token_is_good_in_its_own_pod_alone() {
    let cluster = Cluster::shared();
    namespace(cluster, "stolen");
    let control = cluster.control(&["--namespace", "stolen"]);
    pod(cluster, "stolen", "web-1", "{weft.dev/meshed: \"true\"}");
    running(cluster, "stolen", "web-1", "10.30.0.77");
    let good = token(cluster, "stolen", &[&["--audience", "weft.dev"][..], &BOUND].concat());
    eventually("control knows where the pod is", || {
        let config = control.config();
        let mut pods = config["pods"].as_array()?.iter();
        pods.find(|pod| pod["namespace"] == "stolen")?["addresses"][0].as_str().map(drop)
    });
    let sidecar = Sidecar::start(&control, "stolen", &good);
    eventually("it is refused", || refused(&control, "token_stolen").then_some(()));
    assert_eq!(sidecar.identity(), None);
}
