//! What a pod looks like with a sidecar. Pure: the same pod and the same settings give the same pod.
//!
//! ```text
//! pod ─▶ wish ─▶ options ─▶ sidecar, probes ─▶ pod
//!        asked    what its    what is added and
//!        for?     owner says  what is changed
//! ```
//!
//! | room | what |
//! |---|---|
//! | `wish` | whether a sidecar is asked for: labels |
//! | `options` | what annotations say of it, and every mistake in them |
//! | `ports` | the sidecar's |
//! | `fitness` | what no sidecar can be added to |
//! | `sidecar` | the containers and the volume that are added |
//! | `probes` | the kubelet's questions, which the sidecar asks in its place |
//! | `strip` | a pod without its sidecar again |
//! | `workload` | what a pod is a replica of |
//! | `manifest` | the same for streams of YAML |
//!
//! Nothing here knows the API server, the proxy or a file.

mod fitness;
mod manifest;
mod options;
mod ports;
mod probes;
mod settings;
mod sidecar;
mod strip;
mod wish;
mod workload;

use serde_json::{Map, Value, json};

pub use manifest::{ManifestError, inject_manifest, uninject_manifest};
pub use options::{policy, quantity};
pub use settings::Settings;
pub use strip::strip;
pub use wish::{Wish, wish};
pub use workload::{Owner, workload};

/// Label of a namespace or a pod: `enabled` or `disabled`. The pod's own counts more.
pub const INJECT_LABEL: &str = "weft.dev/inject";

/// Annotation of a pod: `true` when a sidecar runs in it.
pub const MESHED_ANNOTATION: &str = "weft.dev/meshed";

/// Name of the container that installs the redirect rules.
pub const INIT_CONTAINER: &str = "weft-init";

/// Name of the sidecar's container.
pub const PROXY_CONTAINER: &str = "weft-proxy";

/// Name of the volume with the token and the trust bundle.
pub const VOLUME: &str = "weft-identity";

/// Name of the ConfigMap with the trust bundle, in every namespace with meshed pods, and of its one entry.
pub const BUNDLE_CONFIG_MAP: &str = "weft-trust-bundle";
/// See [`BUNDLE_CONFIG_MAP`].
pub const BUNDLE_FILE: &str = "ca.pem";

/// Audience of the tokens that buy certificates: no other program takes them, and control takes no others.
pub const TOKEN_AUDIENCE: &str = "weft.dev";

/// The user the sidecar runs as, whose connections are not redirected.
pub const PROXY_USER: u32 = 7717;

/// `pod` (a Pod, or the template of one, with `metadata` and `spec`) with a sidecar. A sidecar that it has already is replaced.
///
/// # Errors
/// Why there can be none: everything that is wrong, a line each.
pub fn inject(pod: &Value, settings: &Settings) -> Result<Value, Vec<String>> {
    if !pod["spec"].is_object() {
        return Err(vec![String::from("it has no spec")]);
    }
    let mut pod = strip(pod);
    let options = options::read(&pod);
    let unfit = fitness::complaints(&pod);
    let options = match (options, unfit.is_empty()) {
        (Ok(options), true) => options,
        (options, _) => return Err([unfit, options.err().unwrap_or_default()].concat()),
    };
    let probes = probes::take_over(&mut pod);
    let workload = workload::of(&pod);
    let sidecar = sidecar::Sidecar { settings, options: &options, workload: &workload, probes: &probes };
    let account = pod["spec"]["serviceAccountName"].as_str().unwrap_or("default").to_owned();
    let added = vec![sidecar.init(), sidecar.proxy(&account)];
    annotate(&mut pod);
    if let Some(spec) = pod.get_mut("spec").and_then(Value::as_object_mut) {
        // First the rules, then the proxy, then whatever the pod's owner runs before the app: that may call others too.
        prepend(spec, "initContainers", added);
        append(spec, "volumes", sidecar::volume());
    }
    Ok(pod)
}

/// What is wrong with the annotations of `pod` that are for us; `None` if nothing is.
pub fn mistakes(pod: &Value) -> Option<Vec<String>> {
    options::read(pod).err()
}

fn annotate(pod: &mut Value) {
    if !pod["metadata"].is_object() {
        pod["metadata"] = json!({});
    }
    if !pod["metadata"]["annotations"].is_object() {
        pod["metadata"]["annotations"] = json!({});
    }
    pod["metadata"]["annotations"][MESHED_ANNOTATION] = json!("true");
}

fn prepend(spec: &mut Map<String, Value>, list: &str, mut first: Vec<Value>) {
    if let Some(Value::Array(items)) = spec.get_mut(list) {
        first.append(items);
    }
    spec.insert(list.to_owned(), Value::Array(first));
}

fn append(spec: &mut Map<String, Value>, list: &str, item: Value) {
    match spec.get_mut(list) {
        Some(Value::Array(items)) => items.push(item),
        _ => drop(spec.insert(list.to_owned(), Value::Array(vec![item]))),
    }
}

#[cfg(test)]
mod tests;
