//! What a sidecar, or an agent in its place, is started with: its environment, and the token that proves to control which pod it is.

use std::{
    fs,
    io::Write,
    os::unix::{fs::OpenOptionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::Context as _;
use aws_lc_rs::{
    digest::{SHA256, digest},
    rand,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{
    addresses::ENGINE,
    network::{ADMIN, INBOUND, MARK, OUTBOUND},
    pod::Given,
    workload::Companion,
};

/// Variables of the person's that sidecars and control hear too.
const PASSED_ON: [&str; 5] = ["WEFT_ACCESS_LOG", "WEFT_LEAF_LIFETIME_SECONDS", "WEFT_LOG", "WEFT_WORKERS", "RUST_BACKTRACE"];

/// The trust bundle, in the mesh's private directory.
pub(crate) const BUNDLE: &str = "bundle.pem";

/// A token, written where sidecars alone can read it. An app's mount namespace does not contain that place.
#[derive(Debug)]
pub(crate) struct Token {
    pub(crate) path: PathBuf,
    /// Hexadecimal SHA-256.
    pub(crate) hash: String,
}

impl Token {
    /// A new one, for the pod with this number; it replaces the earlier one.
    pub(crate) fn new(private: &Path, number: u64) -> anyhow::Result<Self> {
        let mut secret = [0; 32];
        rand::fill(&mut secret).map_err(|_| anyhow::anyhow!("no random numbers"))?;
        let text = URL_SAFE_NO_PAD.encode(secret);
        let path = private.join("tokens").join(number.to_string());
        let mut options = fs::OpenOptions::new();
        let file = options.write(true).create(true).truncate(true).mode(0o600).open(&path);
        file.and_then(|mut file| file.write_all(text.as_bytes())).context("cannot write a token")?;
        let hash = digest(&SHA256, text.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { path, hash })
    }
}

/// The command that is the sidecar of a pod, or its agent.
pub(crate) fn command(pod: &Given, token: &Path, drain: Duration) -> anyhow::Result<Command> {
    let private = token.parent().and_then(Path::parent).context("the token is nowhere")?;
    let addresses: Vec<String> = pod.addresses.iter().map(ToString::to_string).collect();
    let mut command = ours("weft-proxy");
    if pod.companion == Companion::Agent {
        command.arg("agent");
    }
    command
        .env("WEFT_POD", &pod.key.name)
        .env("WEFT_NAMESPACE", &pod.key.namespace)
        .env("WEFT_WORKLOAD", &pod.workload)
        .env("WEFT_SERVICE_ACCOUNT", &pod.service_account)
        .env("WEFT_POD_IPS", addresses.join(","))
        .env("WEFT_CONTROL_XDS", format!("{ENGINE}:17010"))
        .env("WEFT_CONTROL_CERTS", format!("{ENGINE}:17011"))
        .env("WEFT_TRUST_BUNDLE", private.join(BUNDLE))
        .env("WEFT_TOKEN_FILE", token)
        .env("WEFT_OUTBOUND_PORT", OUTBOUND.to_string())
        .env("WEFT_INBOUND_PORT", INBOUND.to_string())
        .env("WEFT_ADMIN_PORT", ADMIN.to_string())
        .env("WEFT_MARK", format!("{MARK:#x}"))
        .env("WEFT_DRAIN_TIMEOUT_MS", drain.as_millis().to_string());
    Ok(command)
}

/// This program under another name, with next to nothing of the person's environment.
pub(crate) fn ours(name: &str) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.arg0(name).env_clear().env("WEFT_LOG", "warn,authorization=info");
    command.envs(PASSED_ON.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    command
}
