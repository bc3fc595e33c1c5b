//! Weft: `weft-control` on a directory of Kubernetes objects, and sidecars as the local engine would start them.

mod objects;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Duration,
};

use anyhow::ensure;
use aws_lc_rs::{
    digest::{SHA256, digest},
    rand,
};
use serde_json::Value;

use super::{
    super::{
        identities::NAMESPACE,
        network::{ADMIN, BRIDGE, INBOUND, MARK, OUTBOUND},
        process::Process,
    },
    Contestant, End, Place, Post, Traffic,
};
use crate::{admin, clock, usage::Cpu};

/// Where control tells of itself.
const CONTROL_ADMIN: u16 = 17013;

/// For control to take in thousands of services.
const TAKING_IN: Duration = Duration::from_secs(60);

/// Control is calm when it spends next to nothing in so long.
const CALM: Duration = Duration::from_millis(300);

/// `weft-control`, running, and what it is told.
#[derive(Debug)]
pub(crate) struct Mesh {
    state: PathBuf,
    /// Where `state` is written before it is shown, each file at once.
    unfinished: PathBuf,
    control: Process,
}

impl Mesh {
    /// Starts control, which knows of nothing yet.
    ///
    /// # Errors
    /// It cannot be started.
    pub(crate) fn start(place: &Place) -> anyhow::Result<Self> {
        let state = place.scratch.join("state");
        fs::create_dir(&state)?;
        let mut command = ours(place.programs.path("weft-control")?);
        command.arg("--source").arg(&state).arg("--listen").arg(BRIDGE.to_string());
        command.arg("--ca-cert").arg(&place.identities.root).arg("--ca-key").arg(&place.identities.root_key);
        let control = Process::start("weft-control", command, None, &place.scratch)?;
        Ok(Self { state, unfinished: place.scratch.join("unfinished"), control })
    }

    /// Tells control of `post`, and gives the command that is the sidecar of `contestant` there.
    ///
    /// # Errors
    /// Files cannot be written.
    pub(crate) fn sidecar(&self, contestant: Contestant, post: &Post, place: &Place) -> anyhow::Result<Command> {
        let word = post.word(contestant);
        let token = place.scratch.join(format!("{word}.token"));
        self.tell(&format!("pod.{word}"), &objects::pod_of(&word, post, &new_token(&token)?))?;
        if post.end == End::Server {
            if contestant == Contestant::Governed {
                self.tell(&format!("httproute.{word}"), &objects::route_of(&word))?;
                self.tell(&format!("trafficpolicy.{word}"), &objects::policy_of(&word))?;
                for policy in objects::authorizations_of(&word, post) {
                    let name = policy["metadata"]["name"].as_str().unwrap_or_default();
                    self.tell(&format!("authorizationpolicy.{name}"), &policy)?;
                }
            }
            self.tell(&format!("service.{word}"), &objects::service_of(&word, post))?;
            self.tell(&format!("endpointslice.{word}"), &objects::slice_of(&word, post))?;
        }
        let mut command = ours(place.programs.path("weft-proxy")?);
        command
            .env("WEFT_POD", &word)
            .env("WEFT_NAMESPACE", NAMESPACE)
            .env("WEFT_WORKLOAD", &word)
            .env("WEFT_SERVICE_ACCOUNT", post.end.word())
            .env("WEFT_POD_IPS", post.own.to_string())
            .env("WEFT_CONTROL_XDS", format!("{BRIDGE}:17010"))
            .env("WEFT_CONTROL_CERTS", format!("{BRIDGE}:17011"))
            .env("WEFT_TRUST_BUNDLE", &place.identities.root)
            .env("WEFT_TOKEN_FILE", &token)
            .env("WEFT_OUTBOUND_PORT", OUTBOUND.to_string())
            .env("WEFT_INBOUND_PORT", INBOUND.to_string())
            .env("WEFT_ADMIN_PORT", ADMIN.to_string())
            .env("WEFT_MARK", format!("{MARK:#x}"));
        Ok(command)
    }

    /// Has so many services in the mesh beside those that are used, each with an endpoint. Returns when control has taken them in
    /// and has nothing more to do.
    ///
    /// # Errors
    /// Control does not take them in.
    pub(crate) fn know(&self, services: u32) -> anyhow::Result<()> {
        let objects: String = (0..services)
            .map(|number| format!("---\n{}\n---\n{}\n", objects::unused(number), objects::unused_slice(number)))
            .collect();
        fs::write(&self.unfinished, objects)?;
        fs::rename(&self.unfinished, self.state.join("unused.yaml"))?;
        let own = u32::try_from(fs::read_dir(&self.state)?.filter(is_service).count())?;
        let wanted = f64::from(services + own);
        let latest = clock::now() + TAKING_IN;
        while self.is_busy_with(wanted)? {
            ensure!(clock::now() < latest, "weft-control does not take in {services} services");
        }
        Ok(())
    }

    /// Whether control still works, or knows another number of services.
    fn is_busy_with(&self, services: f64) -> anyhow::Result<bool> {
        let before = Cpu::of(self.control.id())?;
        thread::sleep(CALM);
        let is_calm = Cpu::of(self.control.id())?.since(&before) < CALM / 50;
        // While it takes in thousands, its page may be late.
        let page = admin::fetch((BRIDGE, CONTROL_ADMIN), "/metrics").unwrap_or_default();
        Ok(!is_calm || admin::sum(&page, "weft_control_objects", &["kind=\"Service\""]) != services)
    }

    fn tell(&self, name: &str, object: &Value) -> anyhow::Result<()> {
        fs::write(&self.unfinished, object.to_string())?;
        fs::rename(&self.unfinished, self.state.join(format!("{name}.json")))?;
        Ok(())
    }
}

fn is_service(file: &std::io::Result<fs::DirEntry>) -> bool {
    file.as_ref().is_ok_and(|file| file.file_name().to_string_lossy().starts_with("service."))
}

fn ours(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("WEFT_LOG", "warn");
    command
}

/// Writes a token for the sidecar to show once. Returns its hash, for the pod's annotation.
fn new_token(file: &Path) -> anyhow::Result<String> {
    let mut secret = [0; 32];
    rand::fill(&mut secret).map_err(|_| anyhow::anyhow!("no random numbers"))?;
    let text = hexadecimal(&secret);
    fs::write(file, &text)?;
    Ok(hexadecimal(digest(&SHA256, text.as_bytes()).as_ref()))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
