//! Sidecars in streams of YAML, as they are piped to kubectl.
//!
//! A document without pods comes out byte for byte as it came in. One with pods is written anew, in the order of its fields and
//! without its comments; the same document gives the same bytes, and injecting twice is injecting once.

use std::fmt;

use serde_json::{Value, json};

use crate::{Settings, Wish, inject, strip, wish};

/// What is wrong with a document.
#[derive(Debug, PartialEq, Eq)]
pub struct ManifestError {
    /// The line at which the document begins, counted from 1.
    pub line: usize,
    /// What it is: kind and name, as far as it says so.
    pub what: String,
    /// Everything that is wrong.
    pub mistakes: Vec<String>,
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)?;
        self.mistakes.iter().try_for_each(|mistake| write!(f, "\n  {mistake}"))
    }
}

impl std::error::Error for ManifestError {}

/// `yaml` with a sidecar in every pod whose label does not say `disabled`.
///
/// # Errors
/// Every document that cannot be read, and every pod that there can be no sidecar for.
pub fn inject_manifest(yaml: &str, settings: &Settings) -> Result<String, Vec<ManifestError>> {
    rewrite(yaml, &|pod| match wish(pod).map_err(|mistake| vec![mistake])? {
        Wish::Disabled => Ok(strip(pod)),
        Wish::Enabled | Wish::Unsaid => inject(pod, settings),
    })
}

/// `yaml` without the sidecars that were added to it.
///
/// # Errors
/// Every document that cannot be read.
pub fn uninject_manifest(yaml: &str) -> Result<String, Vec<ManifestError>> {
    rewrite(yaml, &|pod| Ok(strip(pod)))
}

type Change<'a> = &'a dyn Fn(&Value) -> Result<Value, Vec<String>>;

fn rewrite(yaml: &str, change: Change<'_>) -> Result<String, Vec<ManifestError>> {
    let mut written = String::with_capacity(yaml.len() * 2);
    let mut wrong = Vec::new();
    for (line, text) in documents(yaml) {
        match document(text, change) {
            Ok(Some(new)) => written.push_str(&new),
            Ok(None) => written.push_str(text),
            Err((what, mistakes)) => wrong.push(ManifestError { line, what, mistakes }),
        }
    }
    if wrong.is_empty() { Ok(written) } else { Err(wrong) }
}

/// The documents of a stream, each with the line at which it begins and with the line that separates it from the one before.
fn documents(yaml: &str) -> Vec<(usize, &str)> {
    let mut documents = Vec::new();
    let (mut begin, mut first, mut place) = (0, 1, 0);
    for (number, line) in yaml.split_inclusive('\n').enumerate() {
        let separates = line.trim_end() == "---" || line.starts_with("--- ");
        if separates && place > begin {
            documents.push((first, &yaml[begin..place]));
            (begin, first) = (place, number + 1);
        }
        place += line.len();
    }
    if begin < yaml.len() {
        documents.push((first, &yaml[begin..]));
    }
    documents
}

/// One document with its pods changed; `None` if it stays as it is.
fn document(text: &str, change: Change<'_>) -> Result<Option<String>, (String, Vec<String>)> {
    let object: Value =
        serde_saphyr::from_str(text).map_err(|error| (String::from("it is not YAML"), vec![error.to_string()]))?;
    let mut changed = object.clone();
    let mistakes = each_pod(&mut changed, change);
    if !mistakes.is_empty() {
        return Err((called(&object), mistakes));
    }
    if changed == object {
        return Ok(None);
    }
    let yaml = serde_saphyr::to_string(&changed).map_err(|error| (called(&object), vec![error.to_string()]))?;
    let separator = if text.starts_with("---") { "---\n" } else { "" };
    Ok(Some(format!("{separator}{}\n", yaml.trim_end())))
}

/// Changes the pods in an object. Returns everything that is wrong.
fn each_pod(object: &mut Value, change: Change<'_>) -> Vec<String> {
    let place = match object["kind"].as_str() {
        Some("Pod") => "",
        Some("Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "ReplicationController" | "Job") => "/spec/template",
        Some("CronJob") => "/spec/jobTemplate/spec/template",
        Some("List") => {
            let items = object.get_mut("items").and_then(Value::as_array_mut).into_iter().flatten();
            return items.flat_map(|item| each_pod(item, change)).collect();
        }
        _ => return Vec::new(),
    };
    let owner = (!place.is_empty()).then(|| object["metadata"]["name"].clone());
    let Some(pod) = object.pointer_mut(place).filter(|pod| pod["spec"].is_object()) else { return Vec::new() };
    match change(pod) {
        Ok(changed) => {
            *pod = changed;
            // A template has no owner yet; its pods will be replicas of the object that it is in.
            owner.into_iter().for_each(|owner| name_workload(pod, &owner));
            Vec::new()
        }
        Err(mistakes) => mistakes,
    }
}

/// Says in the sidecar of a template whose replica it will be.
fn name_workload(pod: &mut Value, owner: &Value) {
    let containers = pod.pointer_mut("/spec/initContainers").and_then(Value::as_array_mut).into_iter().flatten();
    for container in containers.filter(|container| container["name"] == crate::PROXY_CONTAINER) {
        let Some(variables) = container.get_mut("env").and_then(Value::as_array_mut) else { continue };
        if variables.iter().all(|variable| variable["name"] != "WEFT_WORKLOAD") {
            variables.push(json!({ "name": "WEFT_WORKLOAD", "value": owner }));
        }
    }
}

fn called(object: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    format!("{} {}", text(&object["kind"]), text(&object["metadata"]["name"]))
}
